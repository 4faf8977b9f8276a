/** Opens receivers as configured. */
import type { Clock } from '../../runtime/clock.ts'
import type { Config, Receiver as ReceiverConfig } from '../../runtime/config.ts'
import type { Stats } from '../../runtime/stats.ts'
import { openEmail } from './email.ts'
import type { Receiver } from './receiver.ts'
import type { Templates } from './templated.ts'
import { openWebhook } from './webhook.ts'

export interface ReceiverOptions {
  clock: Clock
  stats: Stats
  consoleUrl: string
  /** Connections at most, per receiver. */
  connectionsMax: number
  /** For receivers that say nothing of it. */
  giveUpMs: number
  templates?: Templates | undefined
}

export interface Channel {
  receiver: Receiver
  /** A try that takes longer counts as failed. */
  timeoutMs: number
  /** A notification is tried for so long. */
  giveUpMs: number
  /** Who is told instead, where the receiver names one of its own. */
  fallback?: string
}

const mailTimeoutMs = 30_000

export function openChannel(config: ReceiverConfig, options: ReceiverOptions): Channel {
  const { giveUpAfter: giveUpMs = options.giveUpMs, fallback } = config
  const common = { giveUpMs, ...(fallback !== undefined && { fallback }) }
  if ('email' in config) {
    const { timeout: timeoutMs = mailTimeoutMs } = config.email
    return { ...common, receiver: openEmail(config.email, options), timeoutMs }
  }
  return { ...common, receiver: openWebhook(config.webhook, options), timeoutMs: config.webhook.timeout }
}

/** What receivers are opened with, apart from clock and counters. */
export function receiverSettings(config: Config) {
  const { giveUpAfter: giveUpMs, templates } = config.alerts
  return { consoleUrl: consoleUrlOf(config), giveUpMs, templates }
}

/** Where links lead, without a slash at the end. */
export function consoleUrlOf({ alerts, dashboards }: Config): string {
  const { host, port } = dashboards.listen
  const url = alerts.consoleUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  return url.replace(/\/+$/, '')
}
