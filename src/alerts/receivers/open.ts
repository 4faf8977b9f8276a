/** Opens receivers as configured. */
import type { Clock } from '../../runtime/clock.ts'
import type { Config } from '../../runtime/config.ts'
import type { Stats } from '../../runtime/stats.ts'
import { openEmail } from './email.ts'
import type { Receiver } from './receiver.ts'
import { openWebhook } from './webhook.ts'

export interface ReceiverOptions {
  clock: Clock
  stats: Stats
  consoleUrl: string
  /** Connections at most, per receiver. */
  connectionsMax: number
}

export interface Channel {
  receiver: Receiver
  /** A try that takes longer counts as failed. */
  timeoutMs: number
}

const mailTimeoutMs = 30_000

export function openChannel(config: Config['alerts']['receivers'][string], options: ReceiverOptions): Channel {
  if ('email' in config) return { receiver: openEmail(config.email, options), timeoutMs: mailTimeoutMs }
  return { receiver: openWebhook(config.webhook, options), timeoutMs: config.webhook.timeout }
}

/** Where links lead, without a slash at the end. */
export function consoleUrlOf({ alerts, dashboards }: Config): string {
  const { host, port } = dashboards.listen
  const url = alerts.consoleUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  return url.replace(/\/+$/, '')
}
