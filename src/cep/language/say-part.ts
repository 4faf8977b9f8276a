/** Say part: what stands in one pair of braces of `say`: a kept name, a let name, or arithmetic on let names. */
import { suggest } from '../../runtime/problem.ts'
import { caught } from './caught.ts'
import type { RuleChecker } from './check.ts'
import { parseExpression } from './parse.ts'
import { attempt, type Facts, type RawRule } from './rule-file.ts'
import type { SayPart } from './tree.ts'
import { type LocatedText, reportRange } from './yaml-rules.ts'

export function sayPart(
  raw: RawRule,
  where: LocatedText,
  text: string,
  start: number,
  checker: RuleChecker,
  names: readonly string[],
  facts: Facts,
): SayPart | undefined {
  const trimmed = text.trim()
  const [name = '', fact = ''] = /^([a-z_][a-z0-9_]*)(?:\.([a-z_][a-z0-9_]*))?$/.exec(trimmed)?.slice(1) ?? []
  if (name !== '' && names.includes(name)) {
    if (fact === '' || facts[name]) return { name, fact: fact ?? '', values: factValues(facts, name, fact) }
  }
  const inside: LocatedText = { file: where.file, text, offsets: where.offsets.slice(start, start + text.length + 1) }
  if (/^[a-z_][a-z0-9_]*$/.test(trimmed) && !raw.lets.has(trimmed)) {
    const meant = suggest(trimmed, [...names, ...raw.lets.keys()])
    const help = meant ? `did you mean "${meant}"?` : `{} holds kept names, let names, or arithmetic on let names`
    reportRange(
      inside,
      { start: 0, end: text.length },
      'name',
      `nothing called "${trimmed}" is defined in this rule`,
      help,
    )
    return undefined
  }
  const expression = attempt(inside, () => parseExpression(text))
  const typed = expression && caught(() => checker.expression(inside, expression))
  if (!typed) return undefined
  if (!typed.names.every((kept) => names.includes(kept))) {
    reportRange(inside, { start: 0, end: text.length }, 'group', 'this keeps names that the rule does not keep')
    return undefined
  }
  return { text: trimmed, node: typed.node, unit: typed.unit, isPercent: typed.isPercent }
}

/** Braces come in pairs and not inside each other; what does not is reported. */
export function saysWhole(where: LocatedText): boolean {
  const report = (at: number, message: string, help: string) => {
    reportRange(where, { start: at, end: at + 1 }, 'syntax', message, help)
    return false
  }
  let open = -1
  for (let at = 0; at < where.text.length; at++) {
    const character = where.text[at]
    if (character === '{' && open >= 0) {
      return report(
        at,
        'braces inside braces',
        'a kept name is {host}; a path is given a name with "let" and said by it',
      )
    }
    if (character === '{') open = at
    if (character === '}') open = -1
  }
  return open < 0 || report(open, 'this "{" is never closed', 'a value is said as {name}')
}

/** `{host.router}` in a sentence is looked up when it is said. */
function factValues(facts: Facts, name: string, fact: string): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [key, entry] of Object.entries(facts[name] ?? {})) if (entry[fact] !== undefined) values[key] = entry[fact]
  return values
}
