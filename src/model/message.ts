/**
 * Everything that travels on the bus, by routing key.
 */
import type { ChecksMessage } from './check.ts'
import type { Command } from './command.ts'
import type { DecisionsMessage } from './decision.ts'
import type { Claim, Receipt } from './delivery.ts'
import type { EventMessage } from './event.ts'
import type { MetricsMessage } from './metric.ts'
import type { RulesMessage } from './rules.ts'
import type { Status } from './status.ts'
import type { ClockTick, Marker } from './time.ts'
import type { Transition } from './transition.ts'

export interface Messages {
  metrics: MetricsMessage
  checks: ChecksMessage
  events: EventMessage
  markers: Marker
  clock: ClockTick
  rules: RulesMessage
  transitions: Transition
  commands: Command
  claims: Claim
  receipts: Receipt
  decisions: DecisionsMessage
  status: Status
}

export type Kind = keyof Messages

/** Routing keys. Source ids, rule names and instances have no dots. */
export type Key =
  | `metrics.${string}`
  | `checks.${string}`
  | `events.${string}`
  | `markers.${string}`
  | 'clock'
  | 'rules'
  | `transitions.${string}`
  | `commands.${string}`
  | 'claims'
  | 'receipts'
  | 'decisions'
  | `status.${string}`

export type KindOf<K extends Key> = K extends `${infer Prefix extends Kind}.${string}`
  ? Prefix
  : K extends Kind
    ? K
    : never

/** `metrics.ingest-a` → `metrics`; undefined for a key that is not ours. */
export function kindOf(key: string): Kind | undefined {
  const dot = key.indexOf('.')
  const kind = dot === -1 ? key : key.slice(0, dot)
  return kinds.has(kind) ? (kind as Kind) : undefined
}

const kinds: ReadonlySet<string> = new Set<Kind>([
  'metrics',
  'checks',
  'events',
  'markers',
  'clock',
  'rules',
  'transitions',
  'commands',
  'claims',
  'receipts',
  'decisions',
  'status',
])

/** The two ordered logs and what each carries. The clock goes to both; status goes to neither and is only live. */
export type LogName = 'engine-log' | 'alerts-log'

export const logKinds: Readonly<Record<LogName, readonly Kind[]>> = {
  'engine-log': ['metrics', 'checks', 'events', 'markers', 'clock', 'rules'],
  'alerts-log': ['transitions', 'commands', 'claims', 'receipts', 'decisions', 'clock'],
}

/**
 * When a message passed each edge, epoch ms, stamped by the process at that edge. For people only: nothing is decided by
 * them and no comparison of runs includes them.
 */
export interface Hops {
  /** First packet (or probe, or poll) of the bucket. */
  packetMs?: number
  /** The source handed the bucket to the bus. */
  flushMs?: number
  /** The engine published the transition. */
  ruleMs?: number
}

/** A message with its envelope, discriminated by `kind`. */
export type Envelope = {
  [K in Kind]: {
    kind: K
    key: string
    /** `<publisher>:<sequence>`; the sequence grows by one with each message of a publisher. */
    id: string
    message: Messages[K]
    hops?: Hops
  }
}[Kind]

/** An envelope as read from a log. */
export type LogEntry = Envelope & { offset: number }
