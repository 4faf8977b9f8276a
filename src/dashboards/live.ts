/**
 * Live: the stream of server-sent events that keeps pages up to date.
 *
 *     hello      everything the frame and the home page show, once
 *     heartbeat  each second: the time here, what can be seen, how much fires
 *     alerts, rules, parts, sources, mails   keyed items that changed (ChangeView)
 *     dashboards the list and its problems, when files changed
 *     rule, groups   for a page with ?rule=: its detail when it changed, its groups each second
 *     points     for a page with ?target=: the newest two slots of each target, each second
 *     event      a deploy or another event, as it happens
 *
 * Bounded: `clientsMax` streams; a client that leaves more than `unsentBytesMax` unread is dropped and counted.
 */
import type { Response } from 'express'
import { aligned, type Clock } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import { Changes } from './changes.ts'
import type { ConsoleState } from './console-state.ts'
import { queryTarget } from './query.ts'
import { slotMs } from './slot.ts'
import type { Target } from './target.ts'
import type { AlertView, EventView, HelloView, MailView, PartView, RuleView, SourceView } from './view.ts'

export const clientsMax = 200
export const unsentBytesMax = 1024 ** 2
/** Alerts that change together are told together. */
const gatherMs = 50

export interface Wanted {
  targets: readonly Target[]
  rule?: string
}

interface Client {
  /** Whether who opened it may still read. */
  mayGoOn: () => boolean
  response: Response
  wanted: Wanted
  /** The rule's detail as last sent. */
  detail?: string
}

export class Live {
  readonly #state: ConsoleState
  readonly #clock: Clock
  readonly #stats: Stats
  readonly #clients = new Set<Client>()
  readonly #alerts = new Changes<AlertView>(({ id }) => id)
  readonly #rules = new Changes<RuleView>(({ name }) => name)
  readonly #parts = new Changes<PartView>(({ part, instance }) => `${part}.${instance}`)
  readonly #sources = new Changes<SourceView>(({ source }) => source)
  readonly #mails = new Changes<MailView>(({ id }) => id)
  readonly #values = new Map<string, string>()
  readonly #timer: { unsubscribe(): void }
  #dashboards = ''
  #eventsSeen: EventView | undefined
  #isGathering = false
  #closed = false

  constructor(state: ConsoleState, clock: Clock, stats: Stats) {
    this.#state = state
    this.#clock = clock
    this.#stats = stats
    this.#timer = aligned(1000, clock, 1).subscribe(() => this.#everySecond())
    stats.observe('stream_clients', () => this.#clients.size)
  }

  /** False when there are too many already. */
  open(response: Response, wanted: Wanted, mayGoOn = () => true): boolean {
    if (this.#clients.size >= clientsMax) {
      this.#stats.count('stream_clients_refused_total')
      return false
    }
    if (this.#clients.size === 0) this.#look()
    const client: Client = { response, wanted, mayGoOn }
    this.#clients.add(client)
    response.on('close', () => this.#clients.delete(client))
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    response.write('retry: 1000\n\n')
    this.#greet(client)
    return true
  }

  /** Alerts changed: pages hear of it at once rather than with the next second. */
  alertsChanged(): void {
    if (this.#isGathering || this.#clients.size === 0 || this.#closed) return
    this.#isGathering = true
    this.#clock.schedule(() => {
      this.#isGathering = false
      this.#tellChanges('alerts', this.#alerts, this.#state.alerts())
      this.#broadcast('heartbeat', this.#state.heartbeat())
    }, gatherMs)
  }

  close(): void {
    this.#closed = true
    this.#timer.unsubscribe()
    for (const { response } of this.#clients) response.end()
    this.#clients.clear()
  }

  #dismiss(client: Client): void {
    this.#clients.delete(client)
    this.#stats.count('streams_dismissed_total')
    client.response.end()
  }

  #greet(client: Client): void {
    const hello: HelloView = {
      alerts: this.#alerts.all(),
      rules: this.#rules.all(),
      parts: this.#parts.all(),
      sources: this.#sources.all(),
      dashboards: this.#state.dashboards(),
      mailbox: this.#state.mailbox !== undefined,
    }
    this.#send(client, frame('hello', hello))
    this.#send(client, frame('heartbeat', { ...this.#state.heartbeat(), values: Object.fromEntries(this.#values) }))
    this.#tellRules([client])
  }

  #everySecond(): void {
    for (const client of this.#clients) if (!client.mayGoOn()) this.#dismiss(client)
    if (this.#clients.size === 0) return
    this.#tellChanges('alerts', this.#alerts, this.#state.alerts())
    this.#tellChanges('rules', this.#rules, this.#state.rules())
    this.#tellChanges('parts', this.#parts, this.#state.parts())
    this.#tellChanges('sources', this.#sources, this.#state.sources())
    this.#tellDashboards()
    this.#tellEvents()
    this.#tellMails()
    this.#tellRules([...this.#clients])
    this.#tellPoints()
    const values = this.#changedValues()
    this.#broadcast('heartbeat', { ...this.#state.heartbeat(), ...(values && { values }) })
  }

  /** Takes stock when the first client comes, so that what it is greeted with is the present. */
  #look(): void {
    this.#alerts.take(this.#state.alerts())
    this.#rules.take(this.#state.rules())
    this.#parts.take(this.#state.parts())
    this.#sources.take(this.#state.sources())
    this.#mails.take(this.#state.mailbox?.list() ?? [])
    this.#dashboards = JSON.stringify(this.#state.dashboards())
    this.#eventsSeen = this.#state.memory.events.at(-1)
    this.#values.clear()
    this.#changedValues()
  }

  #tellChanges<T>(name: string, changes: Changes<T>, items: readonly T[]): void {
    const change = changes.take(items)
    if (change) this.#broadcast(name, change)
  }

  #tellDashboards(): void {
    const view = this.#state.dashboards()
    const text = JSON.stringify(view)
    if (text !== this.#dashboards) this.#broadcast('dashboards', view)
    this.#dashboards = text
  }

  #tellEvents(): void {
    const { events } = this.#state.memory
    const fresh = events.slice(this.#eventsSeen ? events.indexOf(this.#eventsSeen) + 1 : 0)
    this.#eventsSeen = events.at(-1)
    for (const event of fresh) this.#broadcast('event', event)
  }

  #tellMails(): void {
    const { mailbox } = this.#state
    if (!mailbox) return
    mailbox.refresh().then(() => {
      if (!this.#closed) this.#tellChanges('mails', this.#mails, mailbox.list())
    })
  }

  #tellRules(clients: readonly Client[]): void {
    const details = new Map<string, { detail: string; groups: string }>()
    for (const client of clients) {
      const { rule } = client.wanted
      if (rule === undefined) continue
      const known = details.get(rule) ?? this.#ruleFrames(rule)
      details.set(rule, known)
      if (client.detail !== known.detail) this.#send(client, known.detail)
      client.detail = known.detail
      this.#send(client, known.groups)
    }
  }

  #ruleFrames(name: string): { detail: string; groups: string } {
    const view = this.#state.rule(name)
    if (!view) return { detail: frame('rule', null), groups: frame('groups', null) }
    const { groups, lastBucketMs, rule, ...detail } = view
    return { detail: frame('rule', detail), groups: frame('groups', { groups, lastBucketMs, rule }) }
  }

  /** Each target is asked once, however many pages show it. */
  #tellPoints(): void {
    const untilMs = this.#state.memory.series.slots.at(-1)?.endMs
    if (untilMs === undefined) return
    const answers = new Map<string, object>()
    for (const client of this.#clients) {
      if (client.wanted.targets.length === 0) continue
      const views = client.wanted.targets.map((target) => {
        const known = answers.get(target.text)
        const answer = known ?? queryTarget(this.#state.memory.series, target, untilMs - slotMs, untilMs)
        answers.set(target.text, answer)
        return answer
      })
      this.#send(client, frame('points', views))
    }
  }

  #changedValues(): Record<string, string> | undefined {
    const changed: Record<string, string> = {}
    const present = this.#state.firingValues()
    for (const [fingerprint, text] of present) {
      if (this.#values.get(fingerprint) !== text) changed[fingerprint] = text
      this.#values.set(fingerprint, text)
    }
    for (const fingerprint of this.#values.keys()) if (!present.has(fingerprint)) this.#values.delete(fingerprint)
    return Object.keys(changed).length > 0 ? changed : undefined
  }

  #broadcast(name: string, data: unknown): void {
    const text = frame(name, data)
    for (const client of this.#clients) this.#send(client, text)
  }

  #send(client: Client, text: string): void {
    const { response } = client
    if (response.writableLength > unsentBytesMax) {
      this.#stats.count('stream_clients_dropped_total')
      this.#clients.delete(client)
      response.destroy()
      return
    }
    response.write(text)
  }
}

function frame(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
