/**
 * Rule file: the structure of one file, read key by key. Sentences are parsed, not yet checked against each other.
 */
import { isMap, type Node } from 'yaml'
import { parseDuration } from '../../model/duration.ts'
import { suggest } from '../../runtime/problem.ts'
import type { CatalogueEntry } from './catalogue.ts'
import { readEntry, readFacts } from './catalogue-file.ts'
import type { LetSource } from './check.ts'
import { durationCure } from './cures.ts'
import { reservedWords } from './lex.ts'
import type { RawTest } from './load.ts'
import { parseExpression, parseLevel } from './parse.ts'
import { readSlo } from './slo-file.ts'
import { type Expression, type LevelSentence, SentenceError } from './syntax.ts'
import { readTests } from './test-file.ts'
import { fileKeys, missingWords, ruleKeys } from './words.ts'
import { entriesOf, itemsOf, type LocatedText, reportRange, type SourceFile, textOf } from './yaml-rules.ts'

export interface RawRule {
  name: string
  file: SourceFile
  line: number
  /** Where the name stands. */
  at: LocatedText
  lets: Map<string, LetSource>
  levels: { level: 'warn' | 'crit'; where: LocatedText; sentence: LevelSentence }[]
  slo: { bad: LocatedText; all: LocatedText; target: LocatedText; least: number } | undefined
  hide: { where: LocatedText; expression: Expression } | undefined
  everyMs: number | undefined
  settleMs: number
  forgetMs: number
  remindMs: number | undefined
  ifMissing: 'hold' | 'ok' | 'warn' | 'crit'
  known: LocatedText | undefined
  groupsMax: number
  /** Where "at most" is said. */
  groupsAt: LocatedText | undefined
  say: LocatedText | undefined
  runbook: string | undefined
  tags: Record<string, string>
  tests: RawTest[]
  /** Sentences that could not be parsed. */
  unread: LocatedText[]
  /** False where something was wrong that makes checking the rest pointless. */
  isWhole: boolean
}

export type Facts = Record<string, Record<string, Record<string, string>>>

export interface RawFile {
  catalogue: (CatalogueEntry & { at: LocatedText; line: number })[]
  facts: { name: string; at: LocatedText; line: number; values: Record<string, Record<string, string>> }[]
  rules: RawRule[]
  tests: RawTest[]
}

/** Reads everything that can be read; problems are collected by the file. */
export function readRuleFile(file: SourceFile): RawFile {
  const raw: RawFile = { catalogue: [], facts: [], rules: [], tests: [] }
  const root = file.root
  if (root === null || root === undefined) return raw
  for (const [key, node] of entriesOf(file, root, 'the file', fileKeys)) {
    if (key === 'metrics') for (const item of itemsOf(file, node, 'metrics')) readEntry(file, item, raw.catalogue)
    if (key === 'facts') raw.facts.push(...readFacts(file, node))
    if (key === 'rules') for (const entry of entriesOf(file, node, 'rules')) raw.rules.push(readRule(file, ...entry))
    if (key === 'tests') raw.tests.push(...readTests(file, node, undefined))
  }
  return raw
}

export function didYouMean(text: string, known: readonly string[]): string | undefined {
  const meant = suggest(text, known)
  return meant && `did you mean "${meant}"?`
}

function readRule(file: SourceFile, name: string, node: unknown, key: Node): RawRule {
  const at = keyText(file, name, key)
  const rule: RawRule = {
    name,
    file,
    line: file.lineOf(key),
    at,
    lets: new Map(),
    levels: [],
    slo: undefined,
    hide: undefined,
    everyMs: undefined,
    settleMs: 60_000,
    forgetMs: 86_400_000,
    remindMs: undefined,
    ifMissing: 'hold',
    known: undefined,
    groupsMax: 1000,
    groupsAt: undefined,
    say: undefined,
    runbook: undefined,
    tags: {},
    tests: [],
    unread: [],
    isWhole: true,
  }
  if (!/^[a-z][a-z0-9_]*$/.test(name))
    reportWhole(at, 'a rule is named by a-z, 0-9 and _, beginning with a letter', 'name', nameHelp(name))
  const entries = entriesOf(file, node, `rule ${name}`, ruleKeys)
  for (const [entry, value] of entries) readRuleKey(file, rule, entry as (typeof ruleKeys)[number], value)
  const order = { warn: 0, crit: 1 }
  rule.levels.sort((a, b) => order[a.level] - order[b.level])
  if (isMap(node) && !entries.some(([entry]) => entry === 'warn' || entry === 'crit' || entry === 'slo')) {
    rule.isWhole = false
    reportWhole(at, `rule ${name} needs at least one of warn, crit, slo`)
  }
  return rule
}

function nameHelp(name: string): string | undefined {
  const meant = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+|_+$/g, '')
  return meant === '' ? undefined : `write ${meant}`
}

/** A time after which something happens again and again, or is dropped: nothing at all would be always. */
function readSpan(file: SourceFile, node: unknown, what: string): number | undefined {
  const durationMs = readDuration(file, node, what)
  if (durationMs === 0) file.reportNode(node, `${what}: expected more than nothing`)
  return durationMs || undefined
}

function readRuleKey(file: SourceFile, rule: RawRule, key: (typeof ruleKeys)[number], node: unknown): void {
  const text = () => textOf(file, node, key)
  switch (key) {
    case 'let':
      for (const [name, value, at] of entriesOf(file, node, 'let')) readLet(file, rule, name, value, at)
      return
    case 'warn':
    case 'crit': {
      const where = text()
      const sentence = where && attempt(where, () => parseLevel(where.text))
      if (where && sentence) rule.levels.push({ level: key, where, sentence })
      else {
        rule.isWhole = false
        if (where) rule.unread.push(where)
      }
      return
    }
    case 'slo':
      readSlo(file, rule, node)
      return
    case 'hide when': {
      const where = text()
      const expression = where && attempt(where, () => parseExpression(where.text))
      if (where && expression) rule.hide = { where, expression }
      else rule.isWhole = false
      return
    }
    case 'every':
      rule.everyMs = readSpan(file, node, key)
      return
    case 'settle':
      rule.settleMs = readDuration(file, node, key) ?? rule.settleMs
      return
    case 'forget':
      rule.forgetMs = readSpan(file, node, key) ?? rule.forgetMs
      return
    case 'remind':
      rule.remindMs = readSpan(file, node, key)
      return
    case 'if missing': {
      const where = text()
      const found = missingWords.find((word) => word === where?.text)
      if (found) rule.ifMissing = found
      else if (where)
        reportWhole(where, 'expected hold, ok, warn or crit', 'file', didYouMean(where.text, missingWords))
      return
    }
    case 'known':
      rule.known = text()
      return
    case 'at most': {
      const where = text()
      const found = /^(\d+)( [a-z_ ]+)?$/.exec(where?.text ?? '')
      rule.groupsAt = where
      if (found && Number(found[1]) > 0) rule.groupsMax = Number(found[1])
      else if (where)
        reportWhole(where, 'expected a whole number of groups above 0 and what they are, such as 500 hosts')
      return
    }
    case 'say':
      rule.say = text()
      return
    case 'runbook':
      rule.runbook = text()?.text
      return
    case 'tags':
      for (const [tag, value] of entriesOf(file, node, 'tags')) rule.tags[tag] = textOf(file, value, tag)?.text ?? ''
      return
    case 'tests':
      rule.tests.push(...readTests(file, node, rule.name))
  }
}

function readLet(file: SourceFile, rule: RawRule, name: string, value: unknown, key: Node): void {
  const where = textOf(file, value, name)
  const at = keyText(file, name, key)
  if (!/^[a-z_][a-z0-9_]*$/.test(name)) reportWhole(at, 'a name is made of a-z, 0-9 and _', 'name')
  else if (reservedWords.has(name)) reportWhole(at, `"${name}" is a word of the language and cannot be a name`, 'name')
  if (!where) {
    rule.isWhole = false
    return
  }
  const expression = attempt(where, () => parseExpression(where.text))
  rule.lets.set(name, { where, expression })
}

export function readDuration(file: SourceFile, node: unknown, what: string): number | undefined {
  if (node === undefined) return undefined
  const text = textOf(file, node, what)
  if (!text) return undefined
  const durationMs = parseDuration(text.text)
  if (durationMs === undefined) {
    const help = durationCure(text.text.replace(/(\d) +(?=[a-z])/i, '$1'), '')
    reportWhole(text, `${what}: expected a duration such as 30s`, 'file', help)
  }
  return durationMs
}

/** The name of a mapping's key as a located text. */
export function keyText(file: SourceFile, text: string, key: Node): LocatedText {
  const start = key.range?.[0] ?? 0
  return { file, text, offsets: Array.from({ length: text.length + 1 }, (_, i) => start + i) }
}

export function reportWhole(
  where: LocatedText,
  message: string,
  code: 'file' | 'name' = 'file',
  help?: string | undefined,
): void {
  reportRange(where, { start: 0, end: where.text.length }, code, message, help)
}

/** Runs a parser over a located text; what it throws is reported at its place. */
export function attempt<T>(where: LocatedText, parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof SentenceError)) throw error
    const code = error.message.startsWith('no function is called') ? 'name' : 'syntax'
    reportRange(where, error.range, code, error.message, error.help)
    return undefined
  }
}
