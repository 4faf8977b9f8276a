/**
 * Golden: the transitions of a replay as a file that people read and compare.
 *
 *     from: 2024-03-01T00:00:00Z
 *     to: 2024-03-02T00:00:00Z
 *     rules:
 *       http_5xx_spike:
 *         verifier:
 *           - 2024-03-01T13:07:40Z warn
 *           - 2024-03-01T13:11:10Z crit
 *           - 2024-03-01T13:16:40Z ok
 */
import { stringify } from 'yaml'
import { z } from 'zod'
import { err, ok, type Result } from '../../model/result.ts'
import type { Level } from '../../model/transition.ts'
import { formatIso } from '../../runtime/clock.ts'
import type { Problem } from '../../runtime/problem.ts'
import { readYaml } from '../../runtime/yaml-file.ts'
import type { Span } from '../journal/findings.ts'
import { type Change, type Changes, nameOf } from './alerts.ts'

export interface Golden extends Span {
  changes: Changes
}

const moment = z.string().transform((text, context) => {
  const atMs = parseIso(text)
  if (atMs !== undefined) return atMs
  context.addIssue({ code: 'custom', message: 'expected a time such as 2024-03-01T13:07:40Z' })
  return z.NEVER
})

const change = z.string().transform((text, context): Change => {
  const match = /^(\S+) (ok|warn|crit|nodata|forgotten)( hidden)?( blind)?(, since before)?$/.exec(text)
  const atMs = match ? parseIso(match[1] as string) : undefined
  if (match && atMs !== undefined) {
    const before = match[5] !== undefined && { isBefore: true }
    return { atMs, to: match[2] as Level, hidden: match[3] !== undefined, blind: match[4] !== undefined, ...before }
  }
  context.addIssue({ code: 'custom', message: 'expected a time and a level, such as "2024-03-01T13:07:40Z crit"' })
  return z.NEVER
})

const schema = z.strictObject({
  from: moment,
  to: moment,
  rules: z.record(z.string(), z.record(z.string(), z.array(change))).default({}),
})

export function formatGolden({ fromMs, toMs, changes }: Golden, name: string): string {
  const rules = Object.fromEntries(
    [...changes].map(([rule, groups]) => [
      rule,
      Object.fromEntries([...groups].map(([group, list]) => [group, list.map(formatChange)])),
    ]),
  )
  const head = `# Transitions of all rules over ${name}; "tocsin rules backtest --golden FILE" compares, with --write it writes.\n`
  return head + stringify({ from: isoSeconds(fromMs), to: isoSeconds(toMs), rules }, { lineWidth: 0 })
}

/** Reads a golden file; all problems of it come together, with their places. */
export function parseGolden(file: string, text: string): Result<Golden, Problem[]> {
  const read = readYaml(file, text, schema)
  if (!read.ok) return err(read.error)
  const { from, to, rules } = read.value.value
  const changes: Changes = new Map(Object.entries(rules).map(([rule, of]) => [rule, new Map(Object.entries(of))]))
  return ok({ fromMs: from, toMs: to, changes })
}

function formatChange(one: Change): string {
  return `${isoSeconds(one.atMs)} ${nameOf(one)}${one.isBefore ? ', since before' : ''}`
}

/** With milliseconds only where there are any. */
export function isoSeconds(atMs: number): string {
  return formatIso(atMs).replace('.000Z', 'Z')
}

export function parseIso(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text)) return undefined
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? undefined : atMs
}
