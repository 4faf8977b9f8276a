/**
 * Views: the JSON that the API answers and the stream carries. The browser part imports these types and nothing else of
 * the server.
 */
import type { Decision } from '../model/decision.ts'
import type { Level } from '../model/transition.ts'

export interface AlertView {
  /** Identity of the episode: changes when the same group fires again. */
  id: string
  fingerprint: string
  state: 'firing' | 'resolved' | 'forgotten'
  level: 'warn' | 'crit'
  worstLevel: 'warn' | 'crit'
  rule: string
  groupKey: string
  group: readonly { name: string; value: string }[]
  sinceMs: number
  raisedMs: number
  endedMs?: number
  say: string
  reason: string
  endReason?: string
  /** The compared value when it was last told, as a person reads it. */
  text: string
  /** The compared value before that, oldest first, and what it was compared with. */
  values: readonly (number | null)[]
  threshold: number | null
  hidden: boolean
  blind: boolean
  nodata: boolean
  partial?: { alive: number; known: number }
  runbook?: string
  tags: Readonly<Record<string, string>>
  /** Somebody has it in hand. */
  acknowledged?: AcknowledgementView
  /** The silence that mutes it now. */
  silenced?: { id: string; by: string; untilMs: number }
  /** The maintenance window that it is in. */
  maintenance?: { id: string; by: string; untilMs: number }
  /** It begins and ends again and again; told of once at each end. */
  flaps?: boolean
  noteCount?: number
}

export interface AcknowledgementView {
  by: string
  atMs: number
  note: string
  /** Stays when the alert worsens. */
  sticky: boolean
  untilMs?: number
}

export interface NoteView {
  id: string
  by: string
  atMs: number
  text: string
}

/** One alert with its history; decisions, transitions and receipts are the newest first. */
export interface AlertDetailView {
  alert: AlertView
  /** What keeps it from being told now, in words; empty where nothing does. */
  quietWhy: readonly string[]
  /** The command that tells what the engine saw at its last transition. */
  rulesWhy: string
  notes: readonly NoteView[]
  decisions: readonly Decision[]
  transitions: readonly TransitionView[]
  receipts: readonly ReceiptView[]
}

export interface SilenceView {
  id: string
  by: string
  atMs: number
  /** Patterns by name. */
  matchers: Readonly<Record<string, string>>
  reason: string
  startsMs: number
  endsMs: number
  quietMs?: number
  state: 'waiting' | 'active' | 'ended'
  endedMs?: number
  endedWhy?: string
  extendedBy?: string
  /** It soon ends, and that was said. */
  warnedMs?: number
  /** Firing alerts that it matches now. */
  hides: number
}

export interface MaintenanceView {
  id: string
  by: string
  reason: string
  matchers: Readonly<Record<string, string>>
  /** It stands in the configuration. */
  isPlanned: boolean
  state: 'waiting' | 'active' | 'ended'
  /** Of the present occurrence, or of the next one. */
  startsMs: number
  endsMs: number
  /** `every sunday at 02:00 for 2h, Europe/Amsterdam`, of a recurring one. */
  recurs?: string
  endedMs?: number
  endedWhy?: string
  /** Firing alerts that it matches now. */
  hides: number
}

/** What patterns would cover. */
export interface PreviewView {
  /** Firing alerts now, of which some are listed. */
  total: number
  alerts: readonly AlertView[]
  /** Of those that ended lately. */
  lately: number
  isEverything: boolean
  /** `every alert`, `nearly every alert` or `every critical alert`, where they reach so far. */
  reach?: string
  /** The next times of a recurring window. */
  occurrences?: readonly { startsMs: number; endsMs: number }[]
}

/** Who did what. */
export interface AuditView {
  id: string
  kind: string
  by: string
  atMs: number
  arguments: Readonly<Record<string, unknown>>
  /** Why it changed nothing. */
  refused?: string
}

/** How much of the truth the console can see: `quiet` is only said when everything is seen. */
export interface OutlookView {
  sight: 'clear' | 'partial' | 'none'
  /** Why it is not clear, one clause each, the gravest first. */
  reasons: readonly string[]
  /** The engine's last closed bucket, epoch ms. */
  engineBucketMs?: number
}

export interface PartView {
  part: string
  instance: string
  host: string
  state: 'ready' | 'unready' | 'silent'
  /** When it last reported, epoch ms. */
  heardMs: number
  startedMs: number
  problem?: string
  lastBucketMs?: number
}

export interface SourceView {
  source: string
  name: string
  state: 'live' | 'dead' | 'gone'
  lastBucketMs: number
  latenessMs: number
}

export type RuleState = 'ok' | 'pending' | 'warn' | 'crit' | 'nodata' | 'blind' | 'stopped' | 'unknown' | 'empty'

export interface RuleView {
  name: string
  file: string
  state: RuleState
  stepMs: number
  /** Present only where it differs from what most rules of the same step have; see HeartbeatView. */
  lastBucketMs?: number
  problem?: string
  groupCount: number
  /** Groups of the engine's status by state; bounded by its `statusGroupsMax`. */
  counts: Partial<Record<RuleState, number>>
}

export interface GroupView {
  key: string
  level: Level
  state: RuleState
  pending?: { level: 'warn' | 'crit'; sinceMs: number }
  hidden: boolean
  partial: boolean
  sinceMs: number
  value: number | null
  text: string
  threshold: number | null
}

export interface TransitionView {
  id: string
  groupKey: string
  bucketMs: number
  from: Level
  to: Level
  hidden: boolean
  blind: boolean
  reason: string
}

export interface ReceiptView {
  groupKey: string
  receiver: string
  kind: 'firing' | 'resolved'
  outcome: 'delivered' | 'failed' | 'dead'
  attempt: number
  atMs: number
  detail: string
  /** Of a dead one: who was told instead. */
  fallback?: string
}

/** A notification that nobody was told of. */
export interface DeadLetterView {
  /** Its idempotency key, by which it is sent again or dismissed. */
  key: string
  receiver: string
  /** What it tells, in one line. */
  title: string
  /** Why it was not taken, in the receiver's words. */
  detail: string
  atMs: number
  attempt: number
  kind: 'firing' | 'resolved'
  fingerprint: string
}

export interface RuleDetailView {
  rule: RuleView
  lastBucketMs: number
  levels: { warn?: string; crit?: string }
  say?: string
  runbook?: string
  groups: readonly GroupView[]
  transitions: readonly TransitionView[]
  receipts: readonly ReceiptView[]
}

/** One group's compared value over time. */
export interface GroupLineView {
  key: string
  threshold: number | null
  values: readonly (number | null)[]
}

export interface RuleGraphView {
  startMs: number
  stepMs: number
  lines: readonly GroupLineView[]
}

export interface LineView {
  /** The kept names' values, joined by `/`; empty where the path keeps nothing. */
  name: string
  /** How often the series reports; longer than the grid means that holes in between are normal. */
  stepMs: number
  values: readonly (number | null)[]
}

export interface TargetView {
  target: string
  how: string
  /** Time of the first value, epoch ms; 0 when the range is empty. */
  startMs: number
  stepMs: number
  lines: readonly LineView[]
  linesLeftOut?: number
}

export interface GraphTargetView {
  target: string
  /** Stands before the kept names in the legend. */
  name?: string
}

export interface GraphView {
  title: string
  unit?: string
  stacked: boolean
  targets: readonly GraphTargetView[]
}

export interface DashboardView {
  /** From the file's name; what stands in the page's address. */
  name: string
  title: string
  about?: string
  graphs: readonly GraphView[]
}

export interface DashboardsView {
  dashboards: readonly { name: string; title: string; graphs: readonly string[] }[]
  /** Located problems of files that cannot be used; their former version is shown. */
  problems: readonly string[]
}

export interface MailView {
  id: string
  atMs: number
  from: string
  to: string
  subject: string
  text: string
  hasHtml: boolean
}

export interface EventView {
  name: string
  atMs: number
  tags: Readonly<Record<string, string>>
  text?: string
}

/** The first event of a stream: everything the console's frame and home page show. */
export interface HelloView {
  alerts: readonly AlertView[]
  rules: readonly RuleView[]
  parts: readonly PartView[]
  sources: readonly SourceView[]
  dashboards: DashboardsView
  mailbox: boolean
}

/** Keyed items that changed and keys that went. */
export interface ChangeView<T> {
  set: readonly T[]
  gone: readonly string[]
}

/** Each second. */
export interface HeartbeatView {
  nowMs: number
  outlook: OutlookView
  /** Those that are hidden count apart. */
  firing: { crit: number; warn: number; hidden: number }
  /** Notifications that nobody was told of. */
  deadLetters: number
  /** Why the newest rule files were refused. */
  rulesProblem?: string
  /** The newest bucket of any series; what graphs show is this old. */
  dataBucketMs?: number
  /** Last evaluation of most rules, by step. */
  lastBucketMsByStep: Readonly<Record<string, number>>
  /** Present values of firing alerts by fingerprint, where they changed. */
  values?: Readonly<Record<string, string>>
}
