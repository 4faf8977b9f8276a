/** Retention: how long each log is kept. */
import type { LogName } from '../model/message.ts'

/** alerts-log is small, and a restarted engine or console learns from it what has been firing for longer than engine-log. */
export const alertsRetentionMsMin = 24 * 3_600_000

/** `retentionMs` is what the configuration says (`bus.retention`). */
export function retentionOf(log: LogName, retentionMs: number): number {
  return log === 'alerts-log' ? Math.max(retentionMs, alertsRetentionMsMin) : retentionMs
}
