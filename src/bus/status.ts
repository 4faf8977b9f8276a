/**
 * Status: a part's once-a-second word about itself on `status.<part>.<instance>`.
 */
import type { Subscription } from 'rxjs'
import type { Status } from '../model/status.ts'
import { aligned } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import type { Context } from './part.ts'

/** What a part adds to its status each second. */
export type StatusDetails = Pick<Status, 'ready' | 'problem' | 'lastBucketMs' | 'engine'>

export function reportStatus(part: string, context: Context, stats: Stats, details: () => StatusDetails): Subscription {
  const { bus, clock, instance, host } = context
  const startedMs = clock.now()
  return aligned(1000, clock).subscribe((atMs) => {
    const status: Status = {
      part,
      instance,
      host,
      pid: process.pid,
      startedMs,
      atMs,
      counters: stats.snapshot(),
      ...details(),
    }
    // A status that the bus refuses is gone; the next one comes in a second and the console shows the gap.
    bus.publish(`status.${part}.${instance}`, status).catch(() => {})
  })
}
