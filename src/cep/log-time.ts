/** Log time: which times an entry of the log speaks of. */
import type { LogEntry } from '../model/message.ts'

/** When a message's data ends, epoch ms; 0 where it has no time. */
export function timeOf({ kind, message }: LogEntry): number {
  if (kind === 'clock') return message.nowMs
  return kind === 'metrics' || kind === 'checks' || kind === 'events' || kind === 'markers' ? message.bucketMs : 0
}

/** Where time begins for an engine whose first entry this is; undefined where it has no time. */
export function startOf({ kind, message }: LogEntry): number | undefined {
  if (kind === 'metrics') return message.bucketMs - message.stepMs
  if (kind === 'checks' || kind === 'events') return message.bucketMs - 1
  if (kind === 'markers') return message.bucketMs - message.intervalMs
  return kind === 'clock' ? message.nowMs - 1000 : undefined
}
