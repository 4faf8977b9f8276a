/**
 * Stream: the live connection. Holds what the server last said and how long ago; reconnects by itself.
 *
 * A page says what it shows (a rule, a dashboard) and gets the events for it. Silence of more than `staleMs` makes the
 * page stale: shown grey, with how long. Nothing here guesses what the present is like.
 */
import { useEffect, useState } from 'preact/hooks'
import type {
  AlertView,
  ChangeView,
  DashboardsView,
  EventView,
  HeartbeatView,
  HelloView,
  MailView,
  PartView,
  RuleView,
  SourceView,
} from '../view.ts'
import { demandSession } from './session.ts'
import { learnServerTime, localMs } from './time.ts'

export const staleMs = 3000
const reopenMs = 6000

export interface Known {
  hello: boolean
  alerts: ReadonlyMap<string, AlertView>
  rules: ReadonlyMap<string, RuleView>
  parts: ReadonlyMap<string, PartView>
  sources: ReadonlyMap<string, SourceView>
  dashboards: DashboardsView
  mailbox: boolean
  heartbeat: HeartbeatView | undefined
  values: Readonly<Record<string, string>>
  /** Grows with each connection: what was fetched before may miss what came in between. */
  connection: number
}

/** Events that pages listen to themselves. */
export interface PageEvents {
  rule: unknown
  groups: unknown
  points: unknown
  mails: ChangeView<MailView>
  event: EventView
}

const nothing: Known = {
  hello: false,
  alerts: new Map(),
  rules: new Map(),
  parts: new Map(),
  sources: new Map(),
  dashboards: { dashboards: [], problems: [] },
  mailbox: false,
  heartbeat: undefined,
  values: {},
  connection: 0,
}

let known = nothing
let heardMs = localMs()
let openedMs = localMs()
let source: EventSource | undefined
/** Undefined until a page wants the stream: the login page does not. */
let wanted: string | undefined
const watchers = new Set<() => void>()
const pageHandlers = new Map<string, Set<(data: never) => void>>()

export function useKnown(): Known {
  const [, again] = useState(0)
  useEffect(() => {
    const watcher = () => again((count) => count + 1)
    watchers.add(watcher)
    return () => void watchers.delete(watcher)
  }, [])
  return known
}

/** How long nothing has been heard, ms. */
export function silence(): number {
  return localMs() - heardMs
}

/** Subscribes a page to its events; `query` is what it shows, such as `rule=a`. */
export function useStreamOf(query: string): void {
  useEffect(() => {
    wanted = query
    open()
  }, [query])
}

export function usePageEvent<K extends keyof PageEvents>(
  name: K,
  handle: (data: PageEvents[K]) => void,
  inputs: readonly unknown[],
): void {
  useEffect(() => {
    const handlers = pageHandlers.get(name) ?? new Set()
    pageHandlers.set(name, handlers)
    handlers.add(handle as (data: never) => void)
    return () => void handlers.delete(handle as (data: never) => void)
  }, inputs)
}

/** Events of the answer, and those that happened since. */
export function useEvents(answered: readonly EventView[] | undefined): readonly EventView[] {
  const [fresh, setFresh] = useState<readonly EventView[]>([])
  useEffect(() => setFresh([]), [answered])
  usePageEvent('event', (event) => setFresh((before) => [...before, event]), [])
  return [...(answered ?? []), ...fresh]
}

/** Looks after the connection; started once. */
export function watchOver(): void {
  setInterval(() => {
    if (source === undefined && wanted === undefined) return
    const isClosed = source === undefined || source.readyState === EventSource.CLOSED
    const isDeaf = silence() > reopenMs
    if ((isClosed || isDeaf) && localMs() - openedMs > 2000) {
      void demandSession()
      open()
    }
  }, 500)
}

function open(): void {
  source?.close()
  openedMs = localMs()
  source = new EventSource(`/api/stream${wanted ? `?${wanted}` : ''}`)
  on<HelloView>('hello', (hello) => {
    change({
      hello: true,
      alerts: keyed(hello.alerts, alertKey),
      rules: keyed(hello.rules, ruleKey),
      parts: keyed(hello.parts, partKey),
      sources: keyed(hello.sources, sourceKey),
      dashboards: hello.dashboards,
      mailbox: hello.mailbox,
      connection: known.connection + 1,
    })
  })
  on<HeartbeatView>('heartbeat', (heartbeat) => {
    learnServerTime(heartbeat.nowMs)
    change({ heartbeat, values: heartbeat.values ? { ...known.values, ...heartbeat.values } : known.values })
  })
  on<ChangeView<AlertView>>('alerts', (next) => change({ alerts: merged(known.alerts, next, alertKey) }))
  on<ChangeView<RuleView>>('rules', (next) => change({ rules: merged(known.rules, next, ruleKey) }))
  on<ChangeView<PartView>>('parts', (next) => change({ parts: merged(known.parts, next, partKey) }))
  on<ChangeView<SourceView>>('sources', (next) => change({ sources: merged(known.sources, next, sourceKey) }))
  on<DashboardsView>('dashboards', (dashboards) => change({ dashboards }))
  for (const name of ['rule', 'groups', 'points', 'mails', 'event']) {
    on<never>(name, (data) => {
      for (const handle of pageHandlers.get(name) ?? []) handle(data)
    })
  }
}

function on<T>(name: string, handle: (data: T) => void): void {
  const from = source as EventSource
  from.addEventListener(name, (event) => {
    if (from !== source) return
    heardMs = localMs()
    handle(JSON.parse((event as MessageEvent<string>).data))
  })
}

function change(part: Partial<Known>): void {
  known = { ...known, ...part }
  for (const watcher of watchers) watcher()
}

const alertKey = ({ id }: AlertView) => id
const ruleKey = ({ name }: RuleView) => name
const partKey = ({ part, instance }: PartView) => `${part}.${instance}`
const sourceKey = ({ source }: SourceView) => source

function keyed<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T> {
  return new Map(items.map((item) => [keyOf(item), item]))
}

export function merged<T>(
  before: ReadonlyMap<string, T>,
  { set, gone }: ChangeView<T>,
  keyOf: (item: T) => string,
): Map<string, T> {
  const after = new Map(before)
  for (const key of gone) after.delete(key)
  for (const item of set) after.set(keyOf(item), item)
  return after
}
