/** Slo file: an objective as it is written: bad and all requests, the target, and the guard for quiet services. */
import { isMap } from 'yaml'
import { parseExpression } from './parse.ts'
import { attempt, type RawRule, reportWhole } from './rule-file.ts'
import { sloKeys } from './words.ts'
import { entriesOf, type LocatedText, reportRange, type SourceFile, textOf } from './yaml-rules.ts'

export function readSlo(file: SourceFile, rule: RawRule, node: unknown): void {
  const found = new Map(entriesOf(file, node, 'slo', sloKeys).map(([key, value]) => [key, value]))
  const [bad, all, target] = ['bad', 'all', 'target'].map((key) =>
    found.has(key) ? textOf(file, found.get(key), key) : undefined,
  )
  if (!bad || !all || !target) {
    rule.isWhole = false
    const lacking = ['bad', 'all', 'target'].filter((key) => !found.has(key)).join(', ')
    if (isMap(node) && lacking) file.reportNode(node, `an slo needs bad, all and target; there is no ${lacking}`)
    return
  }
  if (![isPath(bad), isPath(all), isTarget(target)].every(Boolean)) rule.isWhole = false
  const least = found.has('at least') ? textOf(file, found.get('at least'), 'at least') : undefined
  if (least && !/^[1-9]\d*$/.test(least.text)) {
    reportWhole(least, 'expected a whole number of bad requests')
    rule.isWhole = false
  }
  if (!rule.isWhole) rule.unread.push(bad, all)
  else rule.slo = { bad, all, target, least: Number(least?.text ?? 0) }
}

/** Requests are counted by one path each, or by a let that stands for one. */
function isPath(where: LocatedText): boolean {
  const expression = attempt(where, () => parseExpression(where.text))
  const isOne = expression?.kind === 'selector' || expression?.kind === 'name'
  const range = { start: 0, end: where.text.length }
  if (expression && !isOne) reportRange(where, range, 'kind', 'expected a path, such as browserid.{process}.http.5*')
  return isOne
}

/** Some budget has to be left, and not all of it. */
function isTarget(where: LocatedText): boolean {
  const percent = Number(/^(\d+(?:\.\d+)?)% over \d+d$/.exec(where.text)?.[1] ?? 0)
  const isOne = percent > 0 && percent < 100
  if (!isOne) reportWhole(where, 'expected a target above 0% and below 100%, such as 99.9% over 30d')
  return isOne
}
