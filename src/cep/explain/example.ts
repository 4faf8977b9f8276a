/** Example: a sentence such as a page would bring: from the rule's own tests, else with values made up near its limits. */
import { formatValue } from '../format.ts'
import type { CheckedRule, LoadedRules } from '../language/load.ts'
import type { ComparisonTree, SayPart, Shown } from '../language/tree.ts'
import { prepare } from '../testing/prepare.ts'
import { play } from '../testing/run.ts'

export interface Example {
  say: string
  /** The test whose first page it is; undefined where the values are made up. */
  test: string | undefined
}

export function exampleOf(rule: CheckedRule, loaded: LoadedRules): Example | undefined {
  if (rule.sayParts.length === 0) return undefined
  return (
    fromTests(rule, loaded) ?? { say: rule.sayParts.map((part) => made(part, rule, loaded)).join(''), test: undefined }
  )
}

/** What the first page of the first test that brings one says. */
function fromTests(rule: CheckedRule, loaded: LoadedRules): Example | undefined {
  for (const test of loaded.tests) {
    const isMine = test.rule === rule.name || (test.rule === undefined && rule.name in test.expect)
    if (!isMine || !/warn|crit/.test(JSON.stringify(test.expect))) continue
    const prepared = prepare(test, loaded, '')
    if (!prepared.ok) continue
    const fired = play(prepared.value, loaded).filter(
      (transition) => transition.rule === rule.name && (transition.to === 'warn' || transition.to === 'crit'),
    )
    const page = fired.find(({ to }) => to === 'crit') ?? fired[0]
    if (page) return { say: page.say, test: test.name }
  }
  return undefined
}

function made(part: SayPart, rule: CheckedRule, { facts }: LoadedRules): string {
  if (typeof part === 'string') return part
  if ('node' in part) return formatValue(plausible(part, rule), part)
  const [known] = Object.keys(facts[part.name] ?? {})
  const value = known ?? `${part.name}1`
  return part.fact === '' ? value : (part.values[value] ?? '?')
}

/** Just beyond the limit that the value is compared with, or what such a unit often holds. */
function plausible(shown: Shown, { comparisons }: CheckedRule): number {
  const node = JSON.stringify(shown.node)
  const compared = [...(comparisons.crit ?? []), ...(comparisons.warn ?? [])]
  const found = compared.find(({ left, right }) => JSON.stringify(left.node) === node && right.node.op === 'constant')
  return found ? beyond(found) : usual(shown)
}

function beyond({ operator, right }: ComparisonTree): number {
  const limit = right.node.op === 'constant' ? right.node.value : 0
  return operator.startsWith('<') ? limit - Math.abs(limit) * 0.2 : limit + Math.abs(limit) * 0.2
}

function usual({ unit, isPercent }: Shown): number {
  const scaled = (base: number) => (base * unit.denominator) / unit.numerator
  if (isPercent) return scaled(0.063)
  if (unit.time === 1) return scaled(1500)
  if (unit.data === 1) return scaled(unit.time === -1 ? 4_000 : 4 * 2 ** 30)
  return unit.time === -1 ? scaled(0.0025) : 42
}
