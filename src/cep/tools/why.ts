/**
 * `tocsin rules why RULE GROUP --at T`: what every part of a rule's condition was at a time that was recorded, and why a
 * page did not come.
 */
import type { Transition } from '../../model/transition.ts'
import { formatUtc } from '../../runtime/clock.ts'
import { suggest } from '../../runtime/problem.ts'
import { type Replayed, replay } from '../backtest/replay.ts'
import { rulesThen, withUsed } from '../backtest/rules-then.ts'
import { tracedBuiltInRules } from '../built-in.ts'
import { type CheckedRule, type LoadedRules, loadRules } from '../language/load.ts'
import { readRuleFiles } from '../rule-files.ts'
import type { RuleRun } from '../rule-run.ts'
import { type Explanation, explainGroup } from '../why/explanation.ts'
import { explanationLines } from '../why/text.ts'
import { wrongRules } from './backtest.ts'
import type { Outcome } from './check.ts'
import { findingLines, type Opened, openRecorded, type RecordedFlags, spanText, timeOf } from './recorded.ts'

export interface WhyFlags extends RecordedFlags {
  rule: string
  /** Undefined where the rule has one group only. */
  group: string | undefined
  at: string | undefined
  /** Rule files to be asked instead of those that ran then. */
  rules: readonly string[] | undefined
  /** Where no rules were recorded. */
  rulesElse: readonly string[]
}

/** Transitions of the group that are shown. */
const lastTransitionsMax = 5

export async function rulesWhy(flags: WhyFlags): Promise<Outcome> {
  const opened = await openRecorded(flags)
  if (!opened.ok) return opened.error
  const { span } = opened.value
  const at = timeOf('--at', flags.at, flags.nowMs, span) ?? span.toMs
  if (typeof at === 'string') return cannot(at)
  if (at < span.fromMs || at > span.toMs + 1000) {
    return cannot(`${formatUtc(at)} was not recorded; ${flags.journal} is ${spanText(span)}`)
  }
  const loaded = await rulesFor(flags, opened.value, at)
  if ('exitCode' in loaded) return loaded
  const rule = loaded.rules.find(({ name }) => name === flags.rule)
  if (!rule)
    return cannot(
      noSuch(
        'rule',
        flags.rule,
        loaded.rules.map(({ name }) => name),
        loaded.origin,
      ),
    )
  return ask(rule, loaded, opened.value, at, flags)
}

interface Asked extends LoadedRules {
  /** Where the rules are from, for people. */
  origin: string
}

async function rulesFor(flags: WhyFlags, { recording }: Opened, atMs: number): Promise<Asked | Outcome> {
  const recorded = flags.rules ? undefined : await rulesThen(recording, atMs)
  const paths = flags.rules ?? flags.rulesElse
  const { files, problems } = recorded ? { files: recorded.files, problems: [] } : readRuleFiles(paths)
  if (problems.length > 0) return cannot(problems.map(({ file, message }) => `${file}: ${message}`).join('\n'))
  const loaded = loadRules(files, { trace: true })
  const origin = recorded ? `the rules that ran then (${recorded.hash})` : paths.join(', ')
  if (loaded.problems.length > 0) return wrongRules(loaded, `${origin} are wrong`, flags.json, 1)
  const builtIn = tracedBuiltInRules().filter(({ name }) => !loaded.rules.some((rule) => rule.name === name))
  return { ...loaded, rules: [...loaded.rules, ...builtIn], origin }
}

async function ask(rule: CheckedRule, loaded: Asked, opened: Opened, atMs: number, flags: WhyFlags): Promise<Outcome> {
  const { recording } = opened
  const stepMs = rule.everyMs ?? 1000
  const bucketMs = Math.floor(atMs / stepMs) * stepMs
  const seen: { run?: RuleRun; asked?: Asking } = {}
  const transitions: Transition[] = []
  const replayed = await replay(recording, [withUsed(loaded, rule.name)], {
    fromMs: bucketMs,
    toMs: bucketMs,
    onTransition: (transition) => {
      if (transition.rule === rule.name && transition.bucketMs <= bucketMs) transitions.push(transition)
    },
    watch: {
      closed: (run, closedMs) => {
        if (run.rule.name !== rule.name || closedMs > bucketMs) return
        seen.run = run
        if (closedMs === bucketMs) seen.asked = asking(run, rule, flags.group)
      },
    },
    isDone: () => seen.asked !== undefined,
    progress: (share) => flags.progress?.(share, formatUtc(bucketMs)),
  })
  if (!seen.run || !replayed)
    return cannot(`${rule.name} had closed no bucket by ${formatUtc(bucketMs)}; nothing was recorded before`)
  const asked = seen.asked ?? asking(seen.run, rule, flags.group)
  if (asked.explanation) return told(asked.explanation, transitions, replayed, { loaded, opened, flags })
  return cannot(noGroup(asked, rule, flags.group, bucketMs))
}

interface Asking {
  explanation: Explanation | undefined
  /** Groups that the rule has, with their levels. */
  groups: readonly { key: string; level: string }[]
}

function asking(run: RuleRun, rule: CheckedRule, wanted: string | undefined): Asking {
  const groups = run.status().groups.map(({ key, level }) => ({ key, level }))
  const only = groups.length === 1 ? groups[0]?.key : undefined
  const group = wanted ?? only
  const explanation = group === undefined || !rule.trace ? undefined : explainGroup(run, rule.trace, group)
  return { explanation, groups }
}

function noGroup({ groups }: Asking, rule: CheckedRule, wanted: string | undefined, bucketMs: number): string {
  const per = rule.names.map((name) => `{${name}}`).join('/')
  if (groups.length === 0) {
    return `${rule.name} had no group at ${formatUtc(bucketMs)}: no series that it names had come\n    tocsin rules check --journal … tells selectors that match nothing`
  }
  if (wanted === undefined) {
    const shown = groups.slice(0, 20).map(({ key, level }) => `    ${key}  ${level}`)
    return `which group of ${rule.name}? It is per ${per}, and had ${groups.length}:\n${shown.join('\n')}`
  }
  const where = `${rule.name} at ${formatUtc(bucketMs)}`
  return noSuch(
    'group',
    wanted,
    groups.map(({ key }) => key),
    `${where}, which is per ${per || 'nothing: its group is "all"'}`,
  )
}

function noSuch(what: string, wanted: string, known: readonly string[], where: string): string {
  const meant = suggest(wanted, known)
  const shown = known.slice(0, 20).join(', ')
  const help = meant ? `did you mean "${meant}"?` : `there ${known.length === 1 ? 'is' : 'are'}: ${shown || 'none'}`
  return `there is no ${what} "${wanted}" in ${where}\n    ${help}`
}

function told(
  explanation: Explanation,
  transitions: readonly Transition[],
  { findings }: Replayed,
  { loaded, opened, flags }: { loaded: Asked; opened: Opened; flags: WhyFlags },
): Outcome {
  const ofGroup = transitions.filter(({ groupKey }) => groupKey === explanation.group).slice(-lastTransitionsMax)
  const last = ofGroup.map(({ bucketMs, to, hidden, blind }) => ({ bucketMs, to, hidden, blind }))
  if (flags.json)
    return { exitCode: 0, text: JSON.stringify({ ...explanation, rules: loaded.origin, transitions: last }, null, 2) }
  const before = last.map(({ bucketMs, to, hidden }) => `  ${formatUtc(bucketMs)}  ${to}${hidden ? ' hidden' : ''}`)
  const lines = explanationLines(explanation)
  if (before.length > 0) lines.push('', 'transitions until then', ...before)
  lines.push('', `asked: ${loaded.origin}, over ${opened.recording.name}`)
  return {
    exitCode: 0,
    text: lines.join('\n'),
    error: findingLines(findings, opened.recording.hasArrivalOrder).join('\n'),
  }
}

function cannot(message: string): Outcome {
  return { exitCode: 2, error: `tocsin: ${message}` }
}
