/**
 * Explain: everything about one rule that its author cannot read off the file: defaults, what it waits for, what it costs.
 * Plain data; text.ts puts it into words.
 */
import { formatDuration } from '../../model/duration.ts'
import { parsePath } from '../../model/path.ts'
import { entryOfPattern } from '../language/catalogue.ts'
import type { CheckedRule, LoadedRules } from '../language/load.ts'
import { parseLevel } from '../language/parse.ts'
import type { LevelSentence } from '../language/syntax.ts'
import type { Leaf } from '../language/tree.ts'
import { leafText, type RuleMemory, ruleMemory } from '../memory.ts'
import { type Delay, delays, isCloudwatch, leavesBehind, warmUpMs } from './delay.ts'
import { type Example, exampleOf } from './example.ts'

export interface ExplainedLevel {
  level: 'warn' | 'crit'
  /** As written, or as an slo expands. */
  sentence: string
  condition: string
  hold: string
  until: string
  keep: string
}

/** One path that the rule reads. */
export interface Reading {
  path: string
  kind: string
  unit: string
  step: string
  /** The functions over it, as written. */
  asked: readonly string[]
}

export interface Explanation {
  rule: string
  file: string
  line: number
  everyMs: number
  isEverySaid: boolean
  names: readonly string[]
  groupsMax: number
  known: string | undefined
  forgetMs: number
  ifMissing: string
  settleMs: number
  remindMs: number | undefined
  hideWhen: string | undefined
  /** The objective, where the levels come from one. */
  slo: CheckedRule['slo']
  lets: Readonly<Record<string, string>>
  levels: readonly ExplainedLevel[]
  rulesUsed: readonly string[]
  reads: readonly Reading[]
  delays: readonly Delay[]
  warmUpMs: number
  memory: RuleMemory
  example: Example | undefined
  tests: readonly string[]
  notes: readonly string[]
}

const liveStepMs = 1000

export function explain(rule: CheckedRule, loaded: LoadedRules, flushMs: number = liveStepMs): Explanation {
  const { tree } = rule
  const everyMs = rule.everyMs ?? liveStepMs
  return {
    rule: rule.name,
    file: rule.file,
    line: rule.line,
    everyMs,
    isEverySaid: rule.everyMs !== undefined,
    names: rule.names,
    groupsMax: rule.names.length === 0 ? 1 : tree.groupsMax,
    known: tree.known?.name,
    forgetMs: tree.forgetMs,
    ifMissing: tree.ifMissing,
    settleMs: tree.settleMs,
    remindMs: rule.remindMs,
    hideWhen: rule.hide,
    slo: rule.slo,
    lets: rule.letTexts,
    levels: (['warn', 'crit'] as const).flatMap((level) => explainedLevel(rule, level, everyMs)),
    rulesUsed: rule.rulesUsed,
    reads: readings(rule, loaded, flushMs),
    delays: delays(rule, loaded.rules, everyMs, flushMs),
    warmUpMs: warmUpMs(rule, everyMs),
    memory: ruleMemory(rule, everyMs),
    example: exampleOf(rule, loaded),
    tests: loaded.tests
      .filter((test) => test.rule === rule.name || (test.rule === undefined && rule.name in test.expect))
      .map(({ name }) => name),
    notes: notesOn(rule, loaded),
  }
}

function explainedLevel(rule: CheckedRule, level: 'warn' | 'crit', everyMs: number): ExplainedLevel[] {
  const sentence = rule.levels[level]
  if (sentence === undefined) return []
  const parsed = parseLevel(sentence)
  const condition = sentence.slice(parsed.condition.start, parsed.condition.end)
  return [
    {
      level,
      sentence,
      condition,
      hold: holdText(parsed, everyMs),
      until: untilText(parsed, sentence, condition, rule.letTexts),
      keep: keepText(parsed, everyMs),
    },
  ]
}

function holdText({ hold, condition }: LevelSentence, everyMs: number): string {
  if (condition.kind === 'sequence' || condition.kind === 'selector') return 'at once: it is an instant'
  if (hold === undefined) return 'at once: the first bad bucket (default)'
  if (hold.kind === 'row') return `for ${hold.count} in a row: results that did not come are passed over`
  if (hold.kind === 'of') return `for ${hold.count} of ${hold.size}: bad among the last ${hold.size}`
  const buckets = Math.max(1, Math.ceil(hold.durationMs / everyMs))
  return `for ${formatDuration(hold.durationMs)}: ${buckets} ${buckets === 1 ? 'bucket' : 'buckets'} of ${formatDuration(everyMs)}, none of them good`
}

function untilText(
  { until, condition }: LevelSentence,
  text: string,
  written: string,
  lets: Readonly<Record<string, string>>,
): string {
  if (until === undefined) {
    if (condition.kind === 'sequence' || condition.kind === 'selector')
      return 'it has been kept (an instant has no negation)'
    return `not (${written}) (default: the negation)`
  }
  if (until.kind === 'condition') return text.slice(until.of.start, until.of.end)
  const left =
    condition.kind === 'compare' ? text.slice(condition.left.start, condition.left.end) : leftOf(written, lets)
  return `${left} ${text.slice(until.start, until.end)}`
}

/** The left side of the comparison for which a let stands. */
function leftOf(name: string, lets: Readonly<Record<string, string>>): string {
  const text = lets[name] ?? name
  const parsed = parseLevel(text).condition
  return parsed.kind === 'compare' ? text.slice(parsed.left.start, parsed.left.end) : text
}

function keepText({ keepMs }: LevelSentence, everyMs: number): string {
  if (keepMs === undefined || keepMs <= everyMs)
    return `${keepMs === undefined ? 'nothing (default)' : formatDuration(keepMs)}: off with the first good bucket`
  return `${formatDuration(keepMs)}: ${Math.ceil(keepMs / everyMs)} good buckets`
}

function readings(rule: CheckedRule, loaded: LoadedRules, flushMs: number): Reading[] {
  const byPath = Map.groupBy(rule.tree.leaves, ({ path }) => path)
  return [...byPath].map(([path, leaves]) => {
    const [first] = leaves as [Leaf]
    const parsed = parsePath(path)
    const isData = first.source === 'metric' || first.source === 'check'
    const entry = isData && parsed.ok ? entryOfPattern(loaded.catalogue, parsed.value) : undefined
    return {
      path,
      kind: entry?.kind ?? undeclared(first),
      unit: entry?.unitText || (entry?.kind === 'timer' ? 'ms' : ''),
      step: entry?.stepMs === undefined ? stepWords(first, entry?.kind, flushMs) : formatDuration(entry.stepMs),
      asked: askedOf(leaves),
    }
  })
}

/** What is asked of one path; the same function over several times stands once: `sum(…) over 5m, 1h`. */
function askedOf(leaves: readonly Leaf[]): string[] {
  const byFunction = Map.groupBy(leaves, (leaf) => leafText({ ...leaf, overMs: 0 }))
  return [...byFunction].flatMap(([called, same]) => {
    const [only] = same as [Leaf]
    if (only.fold === 'silence' || only.overMs === 0) return same.map(leafText)
    const times = same.map(({ overMs }) => overMs).sort((a, b) => a - b)
    return [`${called} over ${times.map(formatDuration).join(', ')}`]
  })
}

function undeclared({ source, assumedKind }: Leaf): string {
  if (source === 'metric') return `not declared: what the bus says, a ${assumedKind} in tests`
  return {
    check: 'check',
    event: 'event',
    rule: 'state of a rule',
    source: 'liveness of a source',
    overflow: 'state',
    stopped: 'state',
  }[source]
}

function stepWords({ source }: Leaf, kind: string | undefined, flushMs: number): string {
  if (source === 'check') return 'its own interval'
  if (source !== 'metric') return ''
  if (kind === 'count' || kind === 'set' || kind === 'timer') return formatDuration(flushMs)
  return '10s (60s as a Graphite line)'
}

function notesOn(rule: CheckedRule, loaded: LoadedRules): string[] {
  const leaves = [...leavesBehind(rule, loaded.rules)]
  const isOurs = (leaf: Leaf) => ['metric', 'check', 'event'].includes(leaf.source) && !isCloudwatch(leaf)
  if (!leaves.some(isCloudwatch) || !leaves.some(isOurs)) return []
  const ours = leaves.find(isOurs) as Leaf
  return [
    `CloudWatch and ${ours.path} stand in one rule: its buckets close when CloudWatch has had its 3 minutes, so ${ours.path} is judged 3 minutes late too`,
  ]
}
