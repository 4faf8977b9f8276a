/**
 * Alerts: reads alerts-log, decides who is told, and tells them.
 *
 * Every node reads the log and keeps the same state (decide.ts), saved as a projection (store.ts). The node that holds
 * the lock `alerts` sends (outbox.ts), from the moment it has read all that was on the log when it got the lock.
 */
import path from 'node:path'
import { interval, type Subscription } from 'rxjs'
import type { Reader } from '../bus/bus.ts'
import type { Context, Part } from '../bus/part.ts'
import { reportStatus } from '../bus/status.ts'
import type { LogEntry } from '../model/message.ts'
import { sleep } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { Situation } from '../runtime/log.ts'
import { Stats } from '../runtime/stats.ts'
import { step } from './decide.ts'
import { Herald } from './herald.ts'
import { Outbox, triesMax } from './outbox.ts'
import { ownTransitions } from './own-alerts.ts'
import { seededRandom } from './random.ts'
import { type Channel, openChannel, receiverSettings } from './receivers/open.ts'
import type { Routing } from './route.ts'
import { type AlertsState, type Changes, noChanges } from './state.ts'
import { decisionsMax, openStore, type Store, setAside } from './store.ts'

/** How long after a change the state is saved; a restart reads again what came since. */
const saveDelayMs = 200
const saveRetryMs = 1_000
/** Clock messages read before the offset alone is worth a save. */
const entriesUnsavedMax = 100
/** An orderly stop waits so long for what is due to leave. */
const drainMs = 5_000
/** With no clock message for so long, the leader sends a stand-in, so that open windows close. */
const clockSilenceMs = 3_000

export async function startAlerts(config: Config, context: Context): Promise<Part> {
  const alerts = new Alerts(config, context)
  await alerts.start()
  return alerts
}

class Alerts implements Part {
  readonly #context: Context
  readonly #stats = new Stats()
  readonly #store: Store
  readonly #state: AlertsState
  readonly #outbox: Outbox
  readonly #herald: Herald
  readonly #saving: Situation
  #config: Config
  #channels: ReadonlyMap<string, Channel> = new Map()
  #changes: Changes = noChanges()
  /** The next offset to read, and the one on disk. */
  #offset: number | undefined
  #savedOffset = 0
  #reader: Reader | undefined
  #readProblem: string | undefined
  #saveTimer: Subscription | undefined
  #everySecond: Subscription | undefined
  #status: Subscription | undefined
  #clockHeardMs = 0
  #isLeader = false
  #mayHaveOwnAlerts = true
  /** All that was on the log at the start has been read. */
  #isReady = false
  readonly #stopping = new AbortController()
  #leading: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined

  constructor(config: Config, context: Context) {
    const { clock, log, bus, instance } = context
    this.#config = config
    this.#context = context
    this.#saving = new Situation(log)
    const { store, state, offset } = openProjection(config, context)
    this.#store = store
    this.#state = state
    this.#offset = offset
    this.#herald = new Herald(context, this.#stats, state)
    const random = seededRandom(instance)
    this.#outbox = new Outbox({ bus, clock, log, stats: this.#stats, instance, random, state })
  }

  async start(): Promise<void> {
    const { clock } = this.#context
    this.#applyReceivers(this.#config)
    this.#observe()
    this.#clockHeardMs = clock.now()
    this.#read(this.#offset ?? 'first')
    void this.#reader?.caughtUp().then(() => {
      this.#isReady = true
    })
    this.#leading = this.#lead()
    this.#everySecond = interval(1000, clock).subscribe(() => {
      this.#standInForClock()
      this.#sayOwnAlerts()
      this.#outbox.pump()
    })
    this.#status = reportStatus('alerts', this.#context, this.#stats, () => {
      const problem = this.#problem()
      return { ready: this.#isReady, ...(problem !== undefined && { problem }) }
    })
  }

  /** Receivers and routes change together; what waits for a removed receiver becomes a dead letter. */
  async reload(config: Config): Promise<void> {
    const former = this.#channels
    this.#applyReceivers(config)
    const kept = new Set(this.#channels.values())
    for (const channel of former.values()) if (!kept.has(channel)) channel.receiver.close()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#everySecond?.unsubscribe()
    await this.#herald.stop()
    await this.#outbox.stop(drainMs)
    this.#stopping.abort()
    await this.#leading
    await this.#reader?.stop()
    this.#status?.unsubscribe()
    this.#saveTimer?.unsubscribe()
    this.#save()
    this.#store.close()
    for (const { receiver } of this.#channels.values()) receiver.close()
  }

  #applyReceivers(config: Config): void {
    const { clock, log } = this.#context
    const names = Object.keys(config.alerts.receivers)
    if (names.length === 0) log.warn('no receivers are configured; alerts are kept and shown, nobody is told')
    else if (config.alerts.route === undefined && names.length > 1) {
      log.warn('there are receivers but no alerts.route; every one of them is told of everything')
    }
    const options = { clock, stats: this.#stats, ...receiverSettings(config), connectionsMax: triesMax }
    const former = this.#config
    const isKept = (name: string) => asWritten(former, name) === asWritten(config, name)
    this.#channels = new Map(
      Object.entries(config.alerts.receivers).map(([name, receiver]) => {
        const open = isKept(name) ? this.#channels.get(name) : undefined
        return [name, open ?? openChannel(receiver, options)]
      }),
    )
    this.#config = config
    this.#outbox.configure(this.#channels, config.alerts.fallback)
  }

  #read(from: number | 'first'): void {
    const { bus, log } = this.#context
    this.#reader = bus.readLog('alerts-log', from, (entry) => this.#apply(entry), {
      lost: (wanted, first) => {
        this.#readProblem =
          first > wanted
            ? `entries ${wanted} to ${first - 1} of alerts-log were gone before they were read`
            : `alerts-log is another than the one read before: it begins at ${first}, entry ${wanted} was expected`
        this.#stats.count('log_entries_lost_total', Math.max(1, first - wanted))
        log.error(`${this.#readProblem}; what was said there is not known here`)
      },
      bad: (problem, offset) => {
        this.#stats.count('bad_messages_total')
        log.warn(`alerts-log, entry ${offset}: ${problem}`)
      },
    })
  }

  #apply(entry: LogEntry): void {
    const before = this.#changes.notifications.size
    const decided = this.#changes.decisions.length
    try {
      step(this.#state, entry, this.#routing, this.#changes)
    } catch (error) {
      this.#stats.count('bad_messages_total')
      this.#context.log.error(`alerts-log, entry ${entry.offset} (${entry.key}): ${(error as Error).message}`)
    }
    this.#offset = entry.offset + 1
    this.#herald.decided(this.#changes.decisions.slice(decided))
    if (entry.kind === 'decisions') this.#herald.heard(entry.message.decisions)
    if (this.#changes.decisions.at(-1)?.change === 'overflow') this.#stats.count('alerts_overflow_total')
    if (entry.kind === 'clock') this.#clockHeardMs = this.#context.clock.now()
    if (entry.kind === 'receipts') this.#outbox.settled(entry.message)
    if (entry.kind === 'receipts' || entry.kind === 'commands') this.#mayHaveOwnAlerts = true
    const isAboutSending = entry.kind === 'receipts' || this.#changes.notifications.size > before
    if (isAboutSending && entry.kind !== 'claims') this.#outbox.pump()
    this.#saveSoon()
  }

  get #routing(): Routing {
    return this.#config.alerts
  }

  /** Holds the lock whenever it can, until stopped. */
  async #lead(): Promise<void> {
    const { bus, clock } = this.#context
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        const lock = await bus.lock('alerts', signal)
        await this.#reader?.caughtUp()
        this.#isLeader = true
        this.#outbox.lead(lock)
        this.#herald.lead(true)
        await Promise.race([lock.lost, aborted(signal)])
        this.#isLeader = false
        this.#outbox.lead(undefined)
        this.#herald.lead(false)
        if (signal.aborted) await lock.release()
      } catch {
        // The bus says by itself what is wrong with it.
        if (!signal.aborted) await sleep(1000, clock, signal)
      }
    }
  }

  #standInForClock(): void {
    const { bus, clock, instance } = this.#context
    const nowMs = clock.now()
    const { told, flaps, gatherings, handling } = this.#state
    const { silences, care, maintenances } = handling
    const waits =
      told.size + flaps.size + gatherings.size + silences.size + care.size + maintenances.size > 0 ||
      [...this.#state.bursts.values()].some(({ members }) => members.length > 0)
    if (!this.#isLeader || !waits || nowMs - this.#clockHeardMs < clockSilenceMs) return
    const tick = { id: `${instance}-${nowMs}`, kind: 'tick', by: instance, atMs: nowMs, arguments: {} }
    bus.publish('commands.tick', tick).catch(() => {})
  }

  /** Looks whether there is something to say of ourselves, where something may have changed. */
  #sayOwnAlerts(): void {
    const { bus, clock } = this.#context
    const isMinute = Math.floor(clock.now() / 1000) % 60 === 0
    if (!this.#isLeader || !(this.#mayHaveOwnAlerts || isMinute)) return
    const said = ownTransitions(this.#state, this.#state.nowMs || clock.now())
    // What is said comes back on the log; until then it would be said again.
    this.#mayHaveOwnAlerts = said.length > 0
    for (const transition of said) bus.publish(`transitions.${transition.rule}`, transition).catch(() => {})
  }

  #saveSoon(): void {
    const { fingerprints, bursts, flaps, gatherings, notifications, decisions, handling } = this.#changes
    const handled = handling.silences.size + handling.care.size + handling.maintenances.size
    const telling = bursts.size + flaps.size + gatherings.size + notifications.size
    const isChanged = fingerprints.size + telling + decisions.length + handled > 0
    if (!isChanged && (this.#offset ?? 0) - this.#savedOffset < entriesUnsavedMax) return
    this.#saveAfter(saveDelayMs)
  }

  #saveAfter(delayMs: number): void {
    this.#saveTimer ??= this.#context.clock.schedule(() => {
      this.#saveTimer = undefined
      this.#save()
    }, delayMs)
  }

  #save(): void {
    if (this.#offset === undefined) return
    try {
      this.#store.save(this.#state, this.#changes, this.#offset)
      this.#changes = noChanges()
      this.#savedOffset = this.#offset
      this.#saving.good('alerts are saved again')
    } catch (error) {
      this.#stats.count('save_errors_total')
      this.#saving.bad(`alerts cannot be saved, going on in memory: ${(error as Error).message}`)
      this.#changes.decisions.splice(0, this.#changes.decisions.length - decisionsMax)
      if (this.#stopped === undefined) this.#saveAfter(saveRetryMs)
    }
  }

  #problem(): string | undefined {
    const catchingUp = this.#isReady ? undefined : 'reading what alerts-log holds'
    const problems = [catchingUp, this.#readProblem, this.#saving.problem, this.#outbox.problem].filter(Boolean)
    return problems.length > 0 ? problems.join('; ') : undefined
  }

  #observe(): void {
    const { book } = this.#state
    this.#stats.observe('firing', () => book.firing.size)
    this.#stats.observe('resolved', () => book.ended.size)
    const { flaps, gatherings, handling } = this.#state
    const isActive = ({ state }: { state: string }) => state === 'active'
    this.#stats.observe('flapping', () => [...flaps.values()].filter(({ sinceMs }) => sinceMs !== undefined).length)
    this.#stats.observe('waiting_for_limits', () =>
      [...gatherings.values()].reduce((sum, { waiting }) => sum + waiting.length, 0),
    )
    this.#stats.observe('silences_active', () => [...handling.silences.values()].filter(isActive).length)
    this.#stats.observe('maintenance_active', () => [...handling.maintenances.values()].filter(isActive).length)
    this.#stats.observe('queue_length', () => this.#outbox.queueLength())
    this.#stats.observe('dead_letters', () => this.#outbox.deadLetterCount)
    this.#stats.observe('leader', () => Number(this.#isLeader))
    for (const name of [
      'notifications_sent_total',
      'retries_total',
      'failed_total',
      'refused_total',
      'fallback_total',
      'dead_total',
    ])
      this.#stats.count(name, 0)
  }
}

/** Everything that a receiver's channel is opened with. */
function asWritten(config: Config, name: string): string {
  return JSON.stringify([config.alerts.receivers[name], receiverSettings(config)])
}

/** Opens the saved state; one that cannot be used is set aside and built anew from the log. */
function openProjection({ data, alerts }: Config, { clock, log }: Context) {
  const file = path.join(data, 'alerts.sqlite')
  for (let isSecond = false; ; isSecond = true) {
    const opened = openStore(file, alerts.history)
    let problem = opened.ok ? undefined : opened.error
    if (opened.ok) {
      try {
        return { store: opened.value, ...opened.value.load() }
      } catch (error) {
        opened.value.close()
        problem = (error as Error).message
      }
    }
    if (isSecond) throw new Error(`${file} cannot be used: ${problem}`)
    const aside = setAside(file, clock.now())
    log.error(`${file} cannot be used (${problem}); it is kept as ${path.basename(aside)} and rebuilt from alerts-log`)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
