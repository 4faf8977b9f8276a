/**
 * Template: a person's words with holes, for subjects and texts of notifications. Parsed when the configuration is read.
 *
 *     {status} {group}: {say} ({value}) [{tag.team|nobody}]
 *      |                                  |        words for where there is none
 *      a hole that is always known        a tag, a value (`value.p90`) or a name of the group (`group.host`)
 *
 * `{{` and `}}` are braces themselves. What is behind a dot depends on the rule; where it is missing and no words stand
 * for it, the template fails for that notification, which then leaves in our own words.
 */
import { err, ok, type Result } from './result.ts'

/** Holes that every notification fills. */
export const plainHoles = [
  'status',
  'level',
  'kind',
  'rule',
  'group',
  'say',
  'reason',
  'value',
  'values',
  'since',
  'duration',
  'runbook',
  'console',
  'count',
  'receiver',
] as const
export const dottedHoles = ['group', 'value', 'tag'] as const

export type PlainHole = (typeof plainHoles)[number]

export type TemplatePart = string | { hole: string; instead?: string }

export type Template = readonly TemplatePart[]

export interface TemplateProblem {
  message: string
  /** What stands in the braces, for a suggestion. */
  hole?: string
}

/** What the holes are filled with: plain ones by name, others as `tag.team`. */
export type Holes = (hole: string) => string | undefined

export const templateCharactersMax = 5_000

export function parseTemplate(text: string): Result<Template, TemplateProblem[]> {
  const problems: TemplateProblem[] = []
  const parts: TemplatePart[] = []
  if (text.length > templateCharactersMax) {
    return err([{ message: `expected at most ${templateCharactersMax} characters, got ${text.length}` }])
  }
  for (const [piece, inside] of text.matchAll(/\{\{|\}\}|\{([^{}\n]*)\}|[{}]|[^{}]+/g)) {
    if (piece === '{{' || piece === '}}') parts.push(piece.charAt(0))
    else if (piece === '{' || piece === '}') problems.push({ message: `a brace without its other half` })
    else if (inside === undefined) parts.push(piece)
    else parts.push(holeOf(inside, problems))
  }
  return problems.length > 0 ? err(problems) : ok(parts)
}

function holeOf(inside: string, problems: TemplateProblem[]): TemplatePart {
  const [, name = '', instead] = /^([^|]*)(?:\|(.*))?$/.exec(inside) ?? []
  const hole = name.trim()
  const [kind, rest = ''] = hole.split(/\.(.*)/s)
  const isKnown = hole.includes('.')
    ? rest !== '' && (dottedHoles as readonly string[]).includes(kind ?? '')
    : (plainHoles as readonly string[]).includes(hole)
  if (!isKnown) problems.push({ message: `there is no hole {${hole}}`, hole })
  return { hole, ...(instead !== undefined && { instead }) }
}

/** The words; the error names the hole that stayed empty. */
export function fillTemplate(template: Template, holes: Holes): Result<string, string> {
  let text = ''
  for (const part of template) {
    if (typeof part === 'string') {
      text += part
      continue
    }
    const found = holes(part.hole)
    const words = found === undefined || found === '' ? (part.instead ?? found) : found
    if (words === undefined) return err(`{${part.hole}} is missing; {${part.hole}|…} would say something instead`)
    text += words
  }
  return ok(text)
}
