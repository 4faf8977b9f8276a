/**
 * Herald: what the leading node says on alerts-log for readers such as the console, beside claims and receipts.
 *
 *     decisions   why somebody was told or not, gathered for a moment
 *     commands    silences, maintenance and acknowledgements in force, said again from time to time with their own ids, because the
 *                 log forgets them sooner than they end and a reader may begin late
 *
 * Every node remembers what it decided and has not yet read back, so a new leader says what the former one did not.
 * Nothing is decided by any of it.
 */
import { interval, type Subscription } from 'rxjs'
import type { Context } from '../bus/part.ts'
import type { Command } from '../model/command.ts'
import type { Decision } from '../model/decision.ts'
import type { Acknowledgement, Silence } from '../model/handling.ts'
import type { Maintenance } from '../model/maintenance.ts'
import type { Stats } from '../runtime/stats.ts'
import type { AlertsState } from './state.ts'

const gatherMs = 100
const decisionsAtOnceMax = 200
/** Decisions not yet read back; beyond that the oldest are not said, and counted. */
export const unsaidMax = 20_000
/** Well below the shortest retention that makes sense for alerts-log. */
export const repeatMs = 15 * 60_000
const repeatsAtOnceMax = 100

export class Herald {
  readonly #context: Context
  readonly #stats: Stats
  readonly #state: AlertsState
  readonly #unsaid = new Map<string, Decision>()
  readonly #timer: Subscription
  #isLeader = false
  #busy: Promise<void> | undefined
  #repeatedMs = 0

  constructor(context: Context, stats: Stats, state: AlertsState) {
    this.#context = context
    this.#stats = stats
    this.#state = state
    this.#timer = interval(gatherMs, context.clock).subscribe(() => this.#say())
  }

  decided(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      if (decision.change === 'duplicate' || decision.change === 'none') continue
      this.#unsaid.set(keyOf(decision), decision)
      if (this.#unsaid.size <= unsaidMax) continue
      this.#unsaid.delete(this.#unsaid.keys().next().value as string)
      this.#stats.count('decisions_unsaid_total')
    }
  }

  heard(decisions: readonly Decision[]): void {
    for (const decision of decisions) this.#unsaid.delete(keyOf(decision))
  }

  lead(isLeader: boolean): void {
    this.#isLeader = isLeader
  }

  async stop(): Promise<void> {
    this.#timer.unsubscribe()
    await this.#busy
  }

  #say(): void {
    if (!this.#isLeader || this.#busy) return
    const decisions = [...this.#unsaid.values()].slice(0, decisionsAtOnceMax)
    const repeats = this.#due()
    if (decisions.length + repeats.length === 0) return
    this.#busy = this.#publish(decisions, repeats).finally(() => {
      this.#busy = undefined
    })
  }

  async #publish(decisions: readonly Decision[], repeats: readonly Command[]): Promise<void> {
    const { bus, instance } = this.#context
    try {
      if (decisions.length > 0) await bus.publish('decisions', { by: instance, decisions })
      this.heard(decisions)
      for (const command of repeats) await bus.publish(`commands.${command.kind}`, command)
    } catch {
      // The bus says by itself what is wrong with it; the next turn tries again.
    }
  }

  /** What is in force and has not been on the log for long; looked for once in a minute. */
  #due(): Command[] {
    const { nowMs, handling } = this.#state
    if (nowMs - this.#repeatedMs < repeatMs / 15) return []
    this.#repeatedMs = nowMs
    const isDue = ({ heardMs }: { heardMs: number }) => nowMs - heardMs >= repeatMs
    const silences = [...handling.silences.values()].filter((one) => one.state !== 'ended' && isDue(one))
    const acknowledged = [...handling.care].flatMap(([fingerprint, { episode, acknowledgement }]) =>
      acknowledgement && isDue(acknowledgement) ? [acknowledgeAgain(fingerprint, episode, acknowledgement)] : [],
    )
    const windows = [...handling.maintenances.values()].filter(
      (one) => one.state !== 'ended' && !one.isPlanned && isDue(one),
    )
    return [...silences.map(silenceAgain), ...windows.map(maintainAgain), ...acknowledged].slice(0, repeatsAtOnceMax)
  }
}

function silenceAgain({ id, by, atMs, matchers, reason, startsMs, endsMs, quietMs }: Silence): Command {
  const more = quietMs === undefined ? {} : { quietMs }
  return { id, kind: 'silence', by, atMs, arguments: { matchers, reason, startsMs, endsMs, ...more } }
}

function maintainAgain({ id, by, atMs, matchers, reason, when }: Maintenance): Command {
  const { startsMs, endsMs } = when as { startsMs: number; endsMs: number }
  const times = 'every' in when ? { recurrence: when } : { startsMs, endsMs }
  return { id, kind: 'maintain', by, atMs, arguments: { matchers, reason, ...times } }
}

function acknowledgeAgain(
  fingerprint: string,
  episode: string,
  { id, by, atMs, note, sticky, untilMs }: Acknowledgement,
): Command {
  const more = untilMs === undefined ? {} : { untilMs }
  return { id, kind: 'acknowledge', by, atMs, arguments: { fingerprint, episode, note, sticky, ...more } }
}

function keyOf({ fingerprint, transition, change, reason, atMs }: Decision): string {
  return JSON.stringify([fingerprint, transition, change, reason, atMs])
}
