/** The JSON Schema of rule files: editors and the reader agree on what a rule file may look like. */
import fs from 'node:fs'
import path from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { loadRules, type RuleProblem } from '../../../src/cep/language/load.ts'
import { ruleFileSchema } from '../../../src/cep/language/schema.ts'
import { prepare } from '../../../src/cep/testing/prepare.ts'
import { rulesSchema } from '../../../src/cep/tools/index.ts'

const accepts = new Ajv2020({ allErrors: true, allowUnionTypes: true, formats: { 'uri-reference': true } }).compile(
  ruleFileSchema,
)
const read = (file: string) => fs.readFileSync(file, 'utf8')
const filesIn = (folder: string) =>
  fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml') && !name.endsWith('.bad.yaml'))
    .map((name) => path.join(folder, name))

test('the published copy is what "rules schema" prints', () => {
  expect(`${rulesSchema().text}\n`, 'run: bin/tocsin rules schema > docs/rules.schema.json').toBe(
    read('docs/rules.schema.json'),
  )
})

describe('every rule file here fits', () => {
  it.each([...filesIn('rules'), ...filesIn('test/fixtures/rules'), ...filesIn('test/cep/examples')])('%s', (file) => {
    accepts(parse(read(file), { merge: true }))
    expect(accepts.errors ?? []).toEqual([])
  })
})

test.each(filesIn('rules'))('%s tells editors where the schema is, in its first line', (file) => {
  const [, target = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(read(file)) ?? []
  expect(path.join(path.dirname(file), target)).toBe('docs/rules.schema.json')
})

const whole = `
metrics:
  - {match: "requests.**", kind: count, unit: MB, step: 10s}
facts: {host: {web1: {router: r1}}}
rules:
  failing:
    let: {bad: "sum(requests.{host}.bad) over 1m"}
    warn: bad > 5MB
    slo: {bad: "requests.{host}.bad", all: "requests.{host}.*", target: 99.9% over 30d, at least: 10}
    every: 10s
    if missing: hold
    hide when: bad > 9MB
    settle: 1m
    known: host
    at most: 500 hosts
    forget: 24h
    remind: 30m
    say: "{host}: {bad}"
    runbook: docs/runbooks.md#failing
    tags: {team: web}
    tests:
      - name: it fires
        step: 10s
        run: 5m
        given: {requests.web1.bad: 100, events: [{10m3s: "event:deploy[process=verifier]"}]}
        expect: {web1: "ok, warn at 30s, crit hidden at 8m, ok at 11m10s"}
tests:
  - {name: another, given: {}, expect: {failing: {web1: ok}}}
`

describe('a file whose structure is wrong is refused', () => {
  it.each([
    ['an unknown key of the file', 'facts:', 'fact:'],
    ['an unknown key of a rule', 'known: host', 'knwon: host'],
    ['an unknown key of a test', 'run: 5m', 'runs: 5m'],
    ['an unknown key of an entry', 'kind: count', 'kinds: count'],
    ['a kind that is none', 'kind: count', 'kind: counts'],
    ['a unit that is none', 'unit: MB', 'unit: mb'],
    ['a duration without a unit', 'every: 10s', 'every: 10'],
    ['a duration with a blank', 'settle: 1m', 'settle: 1 m'],
    ['a word that "if missing" does not know', 'if missing: hold', 'if missing: keep'],
    ['a number where a sentence is expected', 'warn: bad > 5MB', 'warn: 5'],
    ['no groups at all', 'at most: 500 hosts', 'at most: 0 hosts'],
    ['a target without its time', '99.9% over 30d', '99.9%'],
    ['less than one bad request', 'at least: 10', 'at least: 0'],
    ['an objective without a target', ', target: 99.9% over 30d', ''],
    ['a name that is none', 'failing:\n    let', 'Failing:\n    let'],
    ['a list where a mapping is expected', 'tags: {team: web}', 'tags: [team]'],
    ['a timeline without a time', 'warn at 30s', 'warn'],
    ['a timeline that does not begin with a state', 'ok, warn at 30s', 'warn at 30s'],
    ['two events in one item', '10m3s:', '9m: "event:deploy", 10m3s:'],
    ['a test without expectations', '        expect: {web1', '        expct: {web1'],
    ['a test over rules that names none', '{failing: {web1: ok}}', '{web1: ok}'],
  ])('%s', (_title, before, after) => {
    expect(accepts(parse(whole))).toBe(true)
    const changed = whole.replace(before, after)
    expect(changed).not.toBe(whole)
    expect(accepts(parse(changed))).toBe(false)
  })

  it('a rule without any level', () => {
    expect(accepts(parse('rules: {quiet: {say: nothing}}'))).toBe(false)
  })
})

describe('schema and reader', () => {
  const places = placesIn(parse(whole))
  const strange = fc.constantFrom<unknown>('strange', '5', 7, true, ['strange'], { strange: 'x' }, {}, [])
  const change = fc.record({
    place: fc.constantFrom(...places),
    how: fc.constantFrom('drop', 'rename', 'replace'),
    strange,
  })

  it('agree on files with something dropped, renamed or replaced: what the schema takes, the reader takes', () => {
    fc.assert(
      fc.property(change, ({ place, how, strange: value }) => {
        const document = changed(parse(whole), place, how, value)
        const problems = problemsOf(stringify(document))
        if (accepts(document)) expect(problems.filter(isStructural)).toEqual([])
        // The reader takes a number or a boolean for the text that was written.
        else if (typeof value === 'object') expect(problems).not.toEqual([])
      }),
      { numRuns: 500 },
    )
  })
})

/** What "rules check" finds in a file and its tests. */
function problemsOf(text: string): RuleProblem[] {
  const loaded = loadRules([{ path: 'changed.yaml', text }])
  const tests = loaded.tests.map((raw) => prepare(raw, loaded, text))
  return [...loaded.problems, ...tests.flatMap((test) => (test.ok ? [] : test.error))]
}

/** Of structure, as against names and sentences. */
function isStructural({ code, message }: RuleProblem): boolean {
  return code === 'file' || / no such key as /.test(message)
}

/** Every place in a document, as the keys that lead there. */
function placesIn(value: unknown, at: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...at]]
  const below = Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...at, key]))
  return at.length > 0 ? [[...at], ...below] : below
}

function changed(document: Record<string, unknown>, place: readonly string[], how: string, value: unknown): unknown {
  const last = place.at(-1) as string
  let holder: Record<string, unknown> = document
  for (const key of place.slice(0, -1)) holder = holder[key] as Record<string, unknown>
  if (how === 'replace') holder[last] = value
  else if (Array.isArray(holder)) holder.splice(Number(last), 1)
  else {
    if (how === 'rename') holder[`${last}x`] = holder[last]
    delete holder[last]
  }
  return document
}
