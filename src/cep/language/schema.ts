/**
 * Schema: the structure of rule files as JSON Schema, for editors. Sentences are texts here; the language checks them.
 *
 * Built from the words that the reader (rule-file.ts) takes, so that the two cannot drift apart; a property test feeds both.
 * The copy in docs/rules.schema.json is what `tocsin rules schema` prints.
 */
import {
  catalogueKeys,
  catalogueUnits,
  fileKeys,
  missingWords,
  ruleKeys,
  seriesKinds,
  sloKeys,
  testKeys,
} from './words.ts'

type Schema = Readonly<Record<string, unknown>>

const namePattern = '^[a-z][a-z0-9_]*$'
const durationText = '([0-9]+(ms|s|m|h|d|w))+'
const changeText = `(ok|nodata|forgotten|(warn|crit)( hidden)?( blind)?) at ${durationText}`

const text: Schema = { type: 'string' }
const anyMapping = (values: Schema): Schema => ({ type: 'object', additionalProperties: values })
const listOf = (items: Schema): Schema => ({ type: 'array', items })
const oneOf = (words: readonly string[]): Schema => ({ enum: words })
const shared = (name: string): Schema => ({ $ref: `#/$defs/${name}` })
const explained = (description: string, schema: Schema): Schema => ({ ...schema, description })

/** A mapping that knows exactly `keys`. */
function mapping<Key extends string>(keys: readonly Key[], schemas: Record<Key, Schema>, more: Schema = {}): Schema {
  const properties = Object.fromEntries(keys.map((key) => [key, schemas[key]]))
  return { type: 'object', properties, additionalProperties: false, ...more }
}

const entry = mapping(
  catalogueKeys,
  {
    match: explained('a path; the first entry that matches a series wins', text),
    kind: explained('what may be asked of it, and what its absence means', oneOf(seriesKinds)),
    unit: oneOf(catalogueUnits),
    step: explained('how long one value stands', shared('duration')),
  },
  { required: ['match', 'kind'] },
)

const slo = mapping(
  sloKeys,
  {
    bad: explained('the path of the requests that failed', text),
    all: explained('the path of all requests', text),
    target: { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?% over [0-9]+d$', examples: ['99.9% over 30d'] },
    'at least': explained('bad requests in the last hour, below which it stays quiet', { type: 'integer', minimum: 1 }),
  },
  { required: ['bad', 'all', 'target'] },
)

const rule = mapping(
  ruleKeys,
  {
    let: { ...anyMapping(text), propertyNames: { pattern: '^[a-z_][a-z0-9_]*$' } },
    warn: explained('condition [for how long] [until what is good] [keep how long]', text),
    crit: explained('condition [for how long] [until what is good] [keep how long]', text),
    slo,
    every: explained('how often the rule is evaluated; default 1s live, 10s in tests', shared('duration')),
    'if missing': oneOf(missingWords),
    'hide when': explained('the condition under which nobody is told', text),
    settle: explained('how long it stays hidden afterwards; default 1m', shared('duration')),
    known: explained('a name under facts whose keys are groups from the start', text),
    'at most': { type: 'string', pattern: '^0*[1-9][0-9]* [a-z][a-z_ ]*$', examples: ['500 hosts'] },
    forget: explained('how long a group may be silent before it is dropped; default 24h', shared('duration')),
    remind: explained('how often a firing group is told again', shared('duration')),
    say: explained('the sentence of the page; {} holds kept names, let names, or arithmetic on them', text),
    runbook: { type: 'string', format: 'uri-reference' },
    tags: explained('for routing', anyMapping(text)),
    tests: listOf(shared('ruleTest')),
  },
  { anyOf: [{ required: ['warn'] }, { required: ['crit'] }, { required: ['slo'] }] },
)

const given: Schema = {
  type: 'object',
  properties: { events: listOf({ ...anyMapping(text), minProperties: 1, maxProperties: 1 }) },
  additionalProperties: { type: ['string', 'number'] },
}

const testExpecting = (groups: Schema): Schema =>
  mapping(
    testKeys,
    { name: text, step: shared('duration'), run: shared('duration'), given, expect: groups },
    { required: ['name', 'given', 'expect'] },
  )

const timelines = anyMapping(shared('timeline'))

/** What a rule file may look like. */
export const ruleFileSchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Tocsin rule file',
  ...mapping(fileKeys, {
    metrics: listOf(entry),
    facts: anyMapping(anyMapping(anyMapping(text))),
    rules: { ...anyMapping(shared('rule')), propertyNames: { pattern: namePattern } },
    tests: listOf(shared('test')),
  }),
  $defs: {
    duration: { type: 'string', pattern: `^${durationText}$`, examples: ['30s', '1h30m'] },
    timeline: {
      type: 'string',
      pattern: `^(ok|nodata)(, ${changeText})*$`,
      examples: ['ok, warn at 7m40s, crit at 11m10s, ok at 16m40s'],
    },
    rule,
    ruleTest: testExpecting(explained('by group, everything it does', timelines)),
    test: testExpecting(explained('by rule and group, everything it does', anyMapping(timelines))),
  },
}
