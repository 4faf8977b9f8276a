/**
 * Console memory: what the console knows, read from the bus and nowhere else.
 *
 * On start both logs are replayed from their first message. Replaying lets other work of the process through every
 * `turnMs`, and readiness waits for it only a moment: an engine's or an alert's page is useful before two hours of
 * graphs are.
 */
import type { Reader } from '../bus/bus.ts'
import type { Context } from '../bus/part.ts'
import type { EventMessage } from '../model/event.ts'
import type { LogEntry } from '../model/message.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import { AlertMemory } from './alert-memory.ts'
import { RuleHistory } from './rule-history.ts'
import { SeriesStore } from './series-store.ts'
import { StatusMemory } from './status-memory.ts'
import type { EventView } from './view.ts'

export const eventsMax = 500
/** Ids of posted events that are remembered. */
export const postedMax = 10_000
const turnMs = 20
const waitForReplayMs = 1000

export class ConsoleMemory {
  readonly series: SeriesStore
  readonly alerts: AlertMemory
  readonly status: StatusMemory
  readonly rules: RuleHistory
  readonly #events: EventView[] = []
  /** By id; `isHeard` when it came back from the log. */
  readonly #posted = new Map<string, { event: EventView; isHeard: boolean }>()
  readonly #stats: Stats
  readonly #clock: Clock
  #turnEndsMs = 0
  #alertsReader: Reader | undefined

  constructor(seriesMax: number, clock: Clock, stats: Stats) {
    this.#stats = stats
    this.#clock = clock
    this.series = new SeriesStore({ seriesMax, stats, now: () => clock.now() })
    this.alerts = new AlertMemory(stats)
    this.status = new StatusMemory(stats)
    this.rules = new RuleHistory(stats)
  }

  /** The newest last. */
  get events(): readonly EventView[] {
    return this.#events
  }

  /** The posted event of that id, when it is on the log. */
  posted(id: string): EventView | undefined {
    return this.#posted.get(id)?.event
  }

  /** An event is on the log, though it has not been heard from there yet. */
  rememberPosted(id: string, event: EventView, isHeard = false): void {
    this.#posted.set(id, { event, isHeard: isHeard || this.#posted.get(id)?.isHeard === true })
    if (this.#posted.size > postedMax) this.#posted.delete(this.#posted.keys().next().value as string)
  }

  /** Begins reading; resolves when the past has been read or a moment has passed. */
  async read({ bus, clock }: Context, onAlert: () => void): Promise<() => Promise<void>> {
    const trouble = {
      bad: () => this.#stats.count('log_entries_bad_total'),
      lost: (wanted: number, first: number) => this.#stats.count('log_entries_lost_total', first - wanted),
    }
    const statuses = bus.onStatus((status) => {
      this.status.hear(status, clock.now())
      if (status.engine) this.rules.hear(status.engine)
    })
    this.#alertsReader = bus.readLog('alerts-log', 'first', (entry) => this.#hearAlert(entry, onAlert), trouble)
    const readers: Reader[] = [
      this.#alertsReader,
      bus.readLog('engine-log', 'first', (entry) => this.#hearEngine(entry), trouble),
    ]
    const replayed = Promise.all(readers.map((reader) => reader.caughtUp()))
    const patience = new AbortController()
    await Promise.race([replayed, sleep(waitForReplayMs, clock, patience.signal)])
    patience.abort()
    return async () => void (await Promise.all([statuses, ...readers].map((reader) => reader.stop())))
  }

  /** Resolves when everything said so far on alerts-log has been heard, at the latest after `limitMs`. */
  async heardAlerts(limitMs: number): Promise<void> {
    const patience = new AbortController()
    await Promise.race([this.#alertsReader?.caughtUp(), sleep(limitMs, this.#clock, patience.signal)])
    patience.abort()
  }

  #hearEngine(entry: LogEntry): Promise<void> | undefined {
    if (entry.kind === 'metrics') this.series.addMetrics(entry.message)
    else if (entry.kind === 'checks') this.series.addChecks(entry.message)
    else if (entry.kind === 'markers') this.series.mark(entry.message)
    else if (entry.kind === 'events') this.#hearEvent(entry.message)
    return this.#takeTurns()
  }

  #hearEvent({ name, atMs, tags, text, id }: EventMessage): void {
    const event = { name, atMs, tags, ...(text !== undefined && { text }) }
    if (id !== undefined) {
      if (this.#posted.get(id)?.isHeard) return
      this.rememberPosted(id, event, true)
    }
    this.#events.push(event)
    if (this.#events.length > eventsMax) this.#events.shift()
  }

  #hearAlert(entry: LogEntry, onAlert: () => void): Promise<void> | undefined {
    if (entry.kind === 'receipts') this.alerts.hearReceipt(entry.message)
    if (entry.kind === 'transitions') {
      this.rules.learn(entry.message)
      if (this.alerts.hear(entry.message)) onAlert()
    }
    if (entry.kind === 'decisions') this.alerts.hearDecisions(entry.message.decisions)
    if (entry.kind === 'commands' && this.alerts.hearCommand(entry.message)) onAlert()
    if (entry.kind === 'clock' && this.alerts.hearTime(entry.message.nowMs)) onAlert()
    return this.#takeTurns()
  }

  /** Lets the rest of the process have its turn when a replay has run for a while. */
  #takeTurns(): Promise<void> | undefined {
    const nowMs = this.#clock.now()
    if (nowMs < this.#turnEndsMs) return undefined
    return new Promise((resolve) =>
      setImmediate(() => {
        this.#turnEndsMs = this.#clock.now() + turnMs
        resolve()
      }),
    )
  }
}
