/**
 * YAML files with located errors: parse, put in secrets, validate by a zod schema, and report every problem of the file
 * at once with file, line and column.
 *
 * `${NAME}` inside a string is replaced from the environment and `{file: path}` by the file's trimmed text, where the
 * caller asks for it; both are remembered as secrets.
 */
import fs from 'node:fs'
import path from 'node:path'
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml'
import type { z } from 'zod'
import { err, ok, type Result } from '../model/result.ts'
import { type Problem, suggest } from './problem.ts'
import { rememberSecret } from './secrets.ts'

export interface YamlOptions {
  /** Where `${NAME}` and `{file: …}` are looked up; without it they are left as they are. */
  environment?: Readonly<Record<string, string | undefined>>
}

export interface YamlFile<T> {
  value: T
  /** Finds the source position of a path such as ['ingest', 'flushInterval'], for problems found later. */
  locate: (path: readonly PropertyKey[]) => { line: number; column: number }
  /** What stands in the file where a secret was put in, by JSON path such as `["bus"]`: `amqp://u:${PASSWORD}@host`. */
  written: ReadonlyMap<string, string>
}

/** Parses and validates one file's text. All problems come back together, in the order of the file. */
export function readYaml<T>(
  file: string,
  text: string,
  schema: z.ZodType<T>,
  options: YamlOptions = {},
): Result<YamlFile<T>, Problem[]> {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, {
    lineCounter,
    version: '1.2',
    merge: true,
    prettyErrors: false,
    uniqueKeys: true,
  })
  const problems: Problem[] = document.errors.map((error) => {
    const { line, col } = lineCounter.linePos(error.pos[0])
    return { file, line, column: col, message: error.message }
  })
  if (problems.length > 0) return err(problems)
  const locate: Explained['locate'] = (where, what) => locatePath(document, lineCounter, where, what === 'key')
  const written = new Map<string, string>()
  if (options.environment) problems.push(...putInSecrets(document, lineCounter, file, options.environment, written))
  const value: unknown = document.toJS({ maxAliasCount: 1000 }) ?? {}
  const checked = schema.safeParse(value)
  if (!checked.success) {
    for (const issue of checked.error.issues) problems.push(...explain(issue, { file, schema, value, locate, written }))
  }
  if (problems.length > 0 || !checked.success)
    return err(problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)))
  return ok({ value: checked.data, locate, written })
}

interface Explained {
  file: string
  schema: z.ZodType
  value: unknown
  locate: (path: readonly PropertyKey[], what?: 'key') => { line: number; column: number }
  written: ReadonlyMap<string, string>
}

/** One zod issue as problems: unknown keys one each, a union as its closest branch. */
function explain(issue: z.core.$ZodIssue, from: Explained): Problem[] {
  const { file, schema, value, locate } = from
  if (issue.code === 'unrecognized_keys') {
    const known = [...keysAt(schema, issue.path)]
    return issue.keys.map((key) => {
      const where = [...issue.path, key]
      const meant = suggest(key, known)
      const help = meant ? `did you mean "${meant}"?` : known.length > 0 ? `known here: ${known.join(', ')}` : undefined
      return { file, ...locate(where, 'key'), message: `${dotted(where)}: there is no such key`, ...(help && { help }) }
    })
  }
  if (issue.code === 'invalid_union') {
    // The branch that got furthest into the value is what the writer meant.
    const closest = issue.errors.filter((errors) => errors.length > 0).sort((a, b) => depth(b) - depth(a))[0]
    if (closest && depth(closest) >= 0.5) {
      return closest.flatMap((inner) => explain({ ...inner, path: [...issue.path, ...inner.path] }, from))
    }
  }
  const came = from.written.get(JSON.stringify(issue.path)) ?? valueAt(value, issue.path)
  const where = issue.path.length > 0 ? `${dotted(issue.path)}: ` : ''
  const kinds = issue.code === 'invalid_union' ? branchesExpected(issue) : ''
  const expected = kinds ? `expected ${kinds}` : describeIssue(issue, came)
  const got = came === undefined ? '' : `, got ${shorten(JSON.stringify(came))}`
  return [{ file, ...locate(issue.path), message: `${where}${expected}${got}` }]
}

function depth(errors: readonly z.core.$ZodIssue[]): number {
  return Math.max(...errors.map((error) => error.path.length + (error.code === 'invalid_type' ? 0 : 0.5)))
}

/** The keys that a schema allows at a path, through every wrapper and branch. */
function* keysAt(schema: unknown, where: readonly PropertyKey[]): Generator<string> {
  const def = (schema as { _zod?: { def: SchemaDef } } | undefined)?._zod?.def
  if (!def) return
  for (const inner of [
    def.innerType,
    def.in,
    def.type === 'lazy' ? def.getter?.() : undefined,
    ...(def.options ?? []),
  ]) {
    if (inner) yield* keysAt(inner, where)
  }
  const [step, ...rest] = where
  if (def.shape && step === undefined) yield* Object.keys(def.shape)
  else if (def.shape) yield* keysAt(def.shape[String(step)], rest)
  else if (step !== undefined) yield* keysAt(def.valueType ?? def.element, rest)
}

/** What we read of zod's own definitions. */
interface SchemaDef {
  type: string
  innerType?: unknown
  in?: unknown
  getter?: () => unknown
  options?: unknown[]
  shape?: Record<string, unknown>
  valueType?: unknown
  element?: unknown
}

function branchesExpected(issue: z.core.$ZodIssueInvalidUnion): string {
  const kinds = issue.errors.flatMap((errors) =>
    errors.map((error) => (error.code === 'invalid_type' ? plainKind(error.expected) : '')),
  )
  return [...new Set(kinds.filter(Boolean))].join(' or ')
}

function describeIssue(issue: z.core.$ZodIssue, came: unknown): string {
  if (issue.code === 'invalid_type') {
    return came === undefined
      ? `is missing; expected ${plainKind(issue.expected)}`
      : issue.message.startsWith('Invalid input')
        ? `expected ${plainKind(issue.expected)}`
        : issue.message
  }
  if (issue.code === 'invalid_value')
    return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
  return issue.message
}

function plainKind(expected: string): string {
  const plain: Record<string, string> = {
    object: 'a mapping',
    record: 'a mapping',
    array: 'a list',
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
  }
  return plain[expected] ?? expected
}

function valueAt(root: unknown, where: readonly PropertyKey[]): unknown {
  let value = root
  for (const step of where) value = (value as Record<PropertyKey, unknown> | undefined)?.[step]
  return value
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

function dotted(where: readonly PropertyKey[]): string {
  return where
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? String(step) : `.${String(step)}`))
    .join('')
}

function locatePath(
  document: Document,
  lines: LineCounter,
  where: readonly PropertyKey[],
  atKey: boolean,
): { line: number; column: number } {
  let node: unknown = document.contents
  let at: Node | undefined = document.contents ?? undefined
  for (const step of where) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && String(isScalar(item.key) ? item.key.value : item.key) === String(step),
      )
      if (!pair) break
      at = (pair.key as Node) ?? at
      node = pair.value
      const isLast = step === where.at(-1)
      if (isLast && !atKey && isScalar(node) && node.range) at = node
    } else {
      node = (document.contents && (node as { items?: unknown[] } | null)?.items?.[Number(step)]) ?? undefined
      if (node === undefined) break
      at = node as Node
    }
  }
  const { line, col } = lines.linePos(at?.range?.[0] ?? 0)
  return { line, column: col }
}

/**
 * Replaces `${NAME}` and `{file: …}` in place and notes in `written` what stood there; what cannot be found is a problem at
 * its position.
 */
function putInSecrets(
  document: Document,
  lines: LineCounter,
  file: string,
  environment: NonNullable<YamlOptions['environment']>,
  written: Map<string, string>,
): Problem[] {
  const problems: Problem[] = []
  const fromFiles = new Set<unknown>()
  const problemAt = (node: Node, message: string, help: string) => {
    const { line, col } = lines.linePos(node.range?.[0] ?? 0)
    problems.push({ file, line, column: col, message, help })
  }
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string' || fromFiles.has(node)) return
      const before = node.value
      node.value = before.replace(/\$\{([^}]*)\}/g, (reference, name: string) => {
        const value = environment[name]
        if (value === undefined) {
          problemAt(node, `the environment has no variable ${name}`, 'set it before starting, or write {file: path}')
          return reference
        }
        rememberSecret(value, reference)
        return value
      })
      if (node.value !== before) written.set(pathOf(key, ancestors), before)
    },
    Map(key, node, ancestors) {
      const secretPath = secretFile(node)
      if (secretPath === undefined) return
      const standIn = `{file: ${secretPath}}`
      const scalar = document.createNode(standIn)
      scalar.range = node.range ?? null
      fromFiles.add(scalar)
      written.set(pathOf(key, ancestors), standIn)
      try {
        scalar.value = fs.readFileSync(path.resolve(path.dirname(file), secretPath), 'utf8').trim()
        rememberSecret(scalar.value, standIn)
      } catch (error) {
        const reason = (error as Error).message.replace(/^\w+: /, '')
        problemAt(node, `cannot read ${secretPath}: ${reason}`, 'the file must exist and be readable by this user')
      }
      return scalar
    },
  })
  return problems
}

/** The path in `{file: path}`; undefined for any other mapping. */
function secretFile(node: YAMLMap): string | undefined {
  const [pair, ...others] = node.items
  if (!pair || others.length > 0 || !isScalar(pair.key) || pair.key.value !== 'file' || !isScalar(pair.value)) return
  return typeof pair.value.value === 'string' ? pair.value.value : undefined
}

/** Where a visited node stands, as a JSON list of keys and indexes. */
function pathOf(key: unknown, ancestors: readonly unknown[]): string {
  const steps: (string | number)[] = []
  ancestors.forEach((ancestor, i) => {
    if (isPair(ancestor)) steps.push(String(isScalar(ancestor.key) ? ancestor.key.value : ancestor.key))
    else if (isSeq(ancestor))
      steps.push(typeof key === 'number' && i === ancestors.length - 1 ? key : ancestor.items.indexOf(ancestors[i + 1]))
  })
  return JSON.stringify(steps)
}
