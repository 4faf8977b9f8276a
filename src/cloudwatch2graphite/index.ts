/**
 * cloudwatch2graphite: CloudWatch's metrics onto the bus, from where rules and the Graphite forwarder have them.
 *
 *     every interval and region: poll (ask, convert) → Source → engine-log
 *
 * Regions are asked side by side. A turn that takes longer than the interval is let finish; the next one is skipped, and
 * the look-back makes up for it. Credentials come from the AWS SDK's standard chain.
 */
import { exhaustMap, startWith } from 'rxjs'
import type { Context, Part } from '../bus/part.ts'
import { reportStatus } from '../bus/status.ts'
import { aligned } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { formatProblem } from '../runtime/problem.ts'
import { Stats } from '../runtime/stats.ts'
import { Region } from './poll.ts'
import { readSettings, type Settings } from './settings.ts'

export async function startCloudwatch2graphite(config: Config, context: Context): Promise<Part> {
  if (!config.cloudwatch2graphite) return { stop: async () => {} }
  const { regions: names, interval: intervalMs, endpoint, metrics } = config.cloudwatch2graphite
  const { clock } = context
  const stats = new Stats()
  for (const name of ['polls_total', 'requests_total', 'throttled_total', 'points_total', 'errors_total'])
    stats.count(name, 0)
  const settings = settingsOf(metrics)
  const stopping = new AbortController()
  const common = { intervalMs, settings, context, stats, signal: stopping.signal, ...(endpoint && { endpoint }) }
  const regions = names.map((region) => new Region({ ...common, region }))
  const running = new Set<Promise<void>>()
  const poll = async (region: Region) => {
    const turn = region.poll()
    running.add(turn)
    await turn.finally(() => running.delete(turn))
  }
  const polls = regions.map((region) =>
    aligned(intervalMs, clock)
      .pipe(
        startWith(clock.now()),
        exhaustMap(() => poll(region)),
      )
      .subscribe(),
  )
  const status = reportStatus('cloudwatch2graphite', context, stats, () => {
    const problem = regions.map((region) => region.problem).find((found) => found !== undefined)
    const lastBucketMs = Math.min(...regions.map((region) => region.lastBucketMs))
    return { ready: true, lastBucketMs, ...(problem !== undefined && { problem }) }
  })
  return {
    async reload(next) {
      if (!next.cloudwatch2graphite) return
      const changed = settingsOf(next.cloudwatch2graphite.metrics)
      for (const region of regions) region.settings = changed
    },
    async stop() {
      for (const subscription of polls) subscription.unsubscribe()
      stopping.abort()
      await Promise.all(running)
      await Promise.all(regions.map((region) => region.stop()))
      status.unsubscribe()
    },
  }
}

/** Throws with every problem of the file. */
function settingsOf(file: string): Settings {
  const read = readSettings(file)
  if (!read.ok) throw new Error(read.error.map(formatProblem).join('\n'))
  return read.value
}
