/**
 * `tocsin rules backtest`: the transitions of all rules over recorded traffic, alone or compared with a golden file or with
 * another version of the rules.
 */
import fs from 'node:fs'
import path from 'node:path'
import { err, ok, type Result } from '../../model/result.ts'
import { formatUtc, systemClock } from '../../runtime/clock.ts'
import { formatProblem } from '../../runtime/problem.ts'
import { alertsOf, Gathered, type nameOf } from '../backtest/alerts.ts'
import { diffAlerts } from '../backtest/diff.ts'
import { formatGolden, type Golden, isoSeconds, parseGolden } from '../backtest/golden.ts'
import { type Replayed, replay } from '../backtest/replay.ts'
import { filesAt } from '../backtest/revision.ts'
import { formatRuleProblem, type LoadedRules, loadRules } from '../language/load.ts'
import { alertLines, diffLines, ranLine } from './backtest-text.ts'
import { type Loaded, loadFiles, type Outcome } from './check.ts'
import { findingLines, type Opened, openRecorded, type RecordedFlags } from './recorded.ts'

export interface BacktestFlags extends RecordedFlags {
  golden?: string | undefined
  write: boolean
  against?: string | undefined
}

export async function rulesBacktest(paths: readonly string[], flags: BacktestFlags): Promise<Outcome> {
  if (flags.golden !== undefined && flags.against !== undefined)
    return cannot('--golden and --against go one at a time')
  if (flags.write && flags.golden === undefined) return cannot('--write needs --golden FILE')
  const loaded = loadFiles(paths, { strict: false, json: flags.json })
  if ('exitCode' in loaded) return loaded
  if (loaded.problems.length > 0) return wrongRules(loaded, 'the rules are wrong', flags.json, 1)
  const opened = await openRecorded(flags)
  if (!opened.ok) return opened.error
  const compared = await otherSide(paths, flags)
  if (!compared.ok) return compared.error
  const { golden, rules } = compared.value
  return run(loaded, opened.value, flags, golden, rules)
}

interface OtherSide {
  golden?: Golden
  rules?: LoadedRules
}

/** What is compared with: a golden file, or the rules of a revision. */
async function otherSide(paths: readonly string[], flags: BacktestFlags): Promise<Result<OtherSide, Outcome>> {
  if (flags.golden !== undefined && !flags.write) {
    let text: string
    try {
      text = fs.readFileSync(flags.golden, 'utf8')
    } catch (error) {
      return err(cannot(`${flags.golden} cannot be read: ${(error as Error).message}\n    --write makes it`))
    }
    const golden = parseGolden(flags.golden, text)
    return golden.ok
      ? ok({ golden: golden.value })
      : err({ exitCode: 2, error: golden.error.map(formatProblem).join('\n') })
  }
  if (flags.against === undefined) return ok({})
  const files = await filesAt(flags.against, paths)
  if (!files.ok) return err(cannot(files.error))
  const rules = loadRules(files.value)
  if (rules.problems.length === 0) return ok({ rules })
  return err(wrongRules(rules, `the rules of ${flags.against} are wrong`, flags.json, 2))
}

async function run(
  loaded: Loaded,
  opened: Opened,
  flags: BacktestFlags,
  golden: Golden | undefined,
  other: LoadedRules | undefined,
): Promise<Outcome> {
  const { recording, span } = opened
  const fromMs = Math.max(opened.fromMs ?? golden?.fromMs ?? span.fromMs, span.fromMs)
  const toMs = Math.min(opened.toMs ?? golden?.toMs ?? span.toMs, span.toMs)
  const versions = [loaded, ...(other ? [other] : [])]
  const gathered = versions.map(() => new Gathered({ fromMs, toMs }))
  const startedMs = systemClock.now()
  const replayed = await replay(recording, versions, {
    fromMs,
    toMs,
    onTransition: (transition, version) => gathered[version]?.add(transition),
    progress: (share, atMs) => flags.progress?.(share, formatUtc(atMs)),
  })
  if (!replayed) return cannot(`${recording.name}: nothing was recorded then`)
  const tookMs = systemClock.now() - startedMs
  const [now, before] = gathered.map((one) => one.finish())
  const result: Golden = { fromMs, toMs, changes: now as Golden['changes'] }
  const warnings = [...findingLines(replayed.findings, recording.hasArrivalOrder), ...stoppedLines(replayed)]
  const ran = { loaded, replayed, tookMs, warnings, transitions: gathered[0]?.transitions ?? 0 }
  if (flags.write && flags.golden !== undefined)
    return written(result, flags.golden, path.basename(recording.name), ran)
  const old = before ?? golden?.changes
  return old ? compared(old, result, ran, flags) : alone(result, ran, flags.json)
}

export interface Ran {
  loaded: Loaded
  replayed: Replayed
  tookMs: number
  warnings: readonly string[]
  transitions: number
}

function alone(result: Golden, ran: Ran, json: boolean): Outcome {
  const alerts = alertsOf(result.changes)
  const exitCode = isStopped(ran) ? 1 : 0
  if (json) return { exitCode, text: JSON.stringify({ ...asJson(result, ran), rules: rulesJson(result) }, null, 2) }
  const text = [...alertLines(alerts), ranLine(ran, alerts.length)].join('\n')
  return { exitCode, text, error: ran.warnings.join('\n') }
}

function written(result: Golden, file: string, name: string, ran: Ran): Outcome {
  try {
    fs.writeFileSync(file, formatGolden(result, name))
  } catch (error) {
    return cannot(`${file} cannot be written: ${(error as Error).message}`)
  }
  const alerts = alertsOf(result.changes).length
  return { exitCode: 0, text: `${ranLine(ran, alerts)}\nwritten to ${file}`, error: ran.warnings.join('\n') }
}

function compared(old: Golden['changes'], result: Golden, ran: Ran, flags: BacktestFlags): Outcome {
  const [before, after] = [alertsOf(old), alertsOf(result.changes)]
  const diff = diffAlerts(before, after)
  const exitCode = diff.differences.length > 0 || isStopped(ran) ? 1 : 0
  if (flags.json) {
    const differences = diff.differences.map(({ kind, before: was, after: is }) => ({
      kind,
      rule: (is ?? was)?.rule,
      group: (is ?? was)?.group,
      before: was?.changes.map(changeJson),
      after: is?.changes.map(changeJson),
    }))
    const text = JSON.stringify({ ...asJson(result, ran), same: diff.same, differences }, null, 2)
    return { exitCode, text }
  }
  const against = flags.against ?? (flags.golden as string)
  const text = [...diffLines(diff, against), ranLine(ran, after.length)].join('\n')
  return { exitCode, text, error: ran.warnings.join('\n') }
}

function isStopped({ replayed }: Ran): boolean {
  return replayed.stopped.some((rules) => rules.length > 0)
}

function stoppedLines({ stopped }: Replayed): string[] {
  return stopped.flat().map(({ rule, problem }) => `error: rule ${rule} ${problem}`)
}

function asJson({ fromMs, toMs }: Golden, { replayed, tookMs, transitions }: Ran) {
  const { entries, points, findings, stopped } = replayed
  const late = { count: findings.late.count, first: findings.late.first }
  return {
    from: isoSeconds(fromMs),
    to: isoSeconds(toMs),
    entries,
    points,
    tookMs,
    transitions,
    problems: findings.problems,
    late,
    stopped: stopped.flat(),
  }
}

function rulesJson({ changes }: Golden) {
  return Object.fromEntries(
    [...changes].map(([rule, groups]) => [
      rule,
      Object.fromEntries([...groups].map(([group, list]) => [group, list.map(changeJson)])),
    ]),
  )
}

function changeJson(change: Parameters<typeof nameOf>[0]) {
  const { atMs, to, hidden, blind, isBefore } = change
  return { at: isoSeconds(atMs), to, hidden, blind, ...(isBefore && { since: 'before' }) }
}

export function cannot(message: string): Outcome {
  return { exitCode: 2, error: `tocsin: ${message}` }
}

export function wrongRules(loaded: LoadedRules, what: string, json: boolean, exitCode: 1 | 2): Outcome {
  if (json) return { exitCode, text: JSON.stringify({ problems: loaded.problems }, null, 2) }
  return { exitCode, error: [...loaded.problems.map(formatRuleProblem), '', `tocsin: ${what}`].join('\n') }
}
