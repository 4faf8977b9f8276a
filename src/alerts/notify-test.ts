/** `tocsin notify test <receiver>`: one clearly marked notification, past routing and outbox, and what became of it. */
import type { Clock } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { suggest } from '../runtime/problem.ts'
import { Stats } from '../runtime/stats.ts'
import type { Notification, ToldAlert } from './notification.ts'
import { openChannel, receiverSettings } from './receivers/open.ts'
import { notificationAbout, sampleAlert } from './sample.ts'

export interface NotifyTestOutcome {
  /** 0 it was taken, 1 it was not, 2 there is no such receiver. */
  exitCode: 0 | 1 | 2
  text?: string
  error?: string
}

export async function notifyTest(config: Config, name: string, clock: Clock): Promise<NotifyTestOutcome> {
  const receiver = config.alerts.receivers[name]
  if (!receiver) return unknownReceiver(name, Object.keys(config.alerts.receivers))
  const options = { clock, stats: new Stats(), ...receiverSettings(config), connectionsMax: 1 }
  const channel = openChannel(receiver, options)
  const abort = new AbortController()
  const timer = clock.schedule(() => abort.abort(), channel.timeoutMs)
  try {
    const startMs = clock.now()
    const delivery = await channel.receiver.send(testNotification(name, startMs), abort.signal)
    const took = `${clock.now() - startMs} ms`
    if (delivery.outcome === 'delivered')
      return { exitCode: 0, text: `${name} took it after ${took}: ${delivery.detail}` }
    const advice = delivery.outcome === 'refused' ? 'a page would become a dead letter' : 'a page would be tried again'
    return { exitCode: 1, text: `${name} did not take it: ${delivery.detail}\n    ${advice}` }
  } finally {
    timer.unsubscribe()
    channel.receiver.close()
  }
}

export function unknownReceiver(name: string, known: readonly string[]): NotifyTestOutcome {
  const meant = suggest(name, known)
  const help = meant
    ? `did you mean "${meant}"?`
    : known.length > 0
      ? `known: ${known.join(', ')}`
      : 'none is configured'
  return { exitCode: 2, error: `tocsin: there is no receiver "${name}"\n    ${help}` }
}

/** Marked as a test wherever it is shown; its picture is the sample's. */
function testNotification(receiver: string, nowMs: number): Notification {
  const episode = `test/${nowMs}`
  const say = `This is a test of the receiver "${receiver}". Nothing is wrong and nothing is to be done.`
  const { series, comparison } = sampleAlert(nowMs)
  const about = { fingerprint: 'test/all', rule: 'test', group: [], groupKey: 'all', tags: {} }
  const bare = { state: 'firing' as const, level: 'warn' as const, worstLevel: 'warn' as const, episode }
  const alert: ToldAlert = {
    ...about,
    ...bare,
    sinceMs: nowMs,
    raisedMs: nowMs,
    hidden: false,
    blind: false,
    nodata: false,
    say,
    reason: 'somebody ran "tocsin notify test"',
    values: [],
    series,
    ...(comparison && { comparison: { ...comparison, expression: 'a sample' } }),
  }
  return { ...notificationAbout(alert, receiver, nowMs), isTest: true, reason: 'test' }
}
