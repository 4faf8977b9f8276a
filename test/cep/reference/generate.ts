/** Generate: rule files and what they are given, at random, within what both readings understand. */
import fc from 'fast-check'

const groupNames = ['a', 'b']
const memberNames = ['x', 'y']
const durations = ['10s', '20s', '30s', '50s', '1m', '2m']
const overs = fc.constantFrom('', ' over 20s', ' over 30s', ' over 1m', ' over 110s', ' over 5m')
const comparators = fc.constantFrom('>', '<', '>=', '<=', '=', '!=')
const numbers = fc.constantFrom(0, 1, 2, 3, 5, 8, 12)
const anyDuration = fc.constantFrom(...durations)

/** A selector that keeps {g} and, where `wide`, {h}. */
const hole = (wide: boolean) => (wide ? '{g}.{h}' : '{g}.*')

/** A pool over metrics. */
function metricPool(wide: boolean): fc.Arbitrary<string> {
  const of = (functions: readonly string[], kind: string) =>
    fc.tuple(fc.constantFrom(...functions), overs).map(([name, over]) => `${name}(${kind}.${hole(wide)})${over}`)
  const singles = wide ? ['last', 'change'] : []
  return fc.oneof(
    of(['sum', 'avg', 'max', 'rate', ...(wide ? ['last'] : [])], 'cnt'),
    of(['sum', 'avg', 'min', 'max', 'stddev', 'count', ...singles], 'gau'),
    of(['rate'], 'ctr'),
    of(['p50', 'p90', 'p25', 'avg', 'min', 'max', 'count', 'sum'], 'tim'),
    ...(wide ? [fc.constant('gau.{g}.{h}'), fc.constant('cnt.{g}.{h}')] : []),
  )
}

export function numberOf(wide: boolean, depth: number): fc.Arbitrary<string> {
  if (depth === 0) return metricPool(wide)
  const inner = numberOf(wide, depth - 1)
  const wider = numberOf(true, depth - 1)
  return fc.oneof(
    { weight: 4, arbitrary: metricPool(wide) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('avg', 'max', 'min', 'sum'), inner, overs)
        .map(([f, x, over]) => `${f}(${x})${over}`),
    },
    ...(wide
      ? []
      : [
          {
            weight: 1,
            arbitrary: fc
              .tuple(fc.constantFrom('avg', 'max', 'min', 'sum', 'count'), wider, overs)
              .map(([f, x, over]) => `${f}(${x})${over} by g`),
          },
          {
            weight: 1,
            arbitrary: fc
              .tuple(fc.constantFrom('count', 'share'), conditionOf(true, 0), overs)
              .map(([f, x, over]) => `${f}(${x})${over} by g`),
          },
        ]),
    {
      weight: 1,
      arbitrary: fc.tuple(inner, fc.constantFrom('+', '-', '*', '/'), inner).map(([a, o, b]) => `(${a} ${o} ${b})`),
    },
    { weight: 1, arbitrary: inner.map((x) => `abs(-(${x}))`) },
    { weight: 1, arbitrary: fc.tuple(inner, anyDuration).map(([x, d]) => `(${x}) ${d} ago`) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('unusual', 'expected'), inner)
        .map(([f, x]) => `${f}(${x}, vs=2m${f === 'unusual' ? ', floor=1' : ''})`),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('unusual', 'expected'), inner)
        .map(([f, x]) => `${f}(${x}, season=1m${f === 'unusual' ? ', floor=1' : ''})`),
    },
    { weight: 1, arbitrary: inner.map((x) => `forecast(${x}, from=1m, ahead=30s)`) },
    { weight: 1, arbitrary: anyDuration.map((d) => `count(event:dep[g={g}]) over ${d}`) },
    { weight: 1, arbitrary: anyDuration.map((d) => `distinct(event:dep[g={g}], "v") over ${d}`) },
  )
}

export function conditionOf(wide: boolean, depth: number): fc.Arbitrary<string> {
  const comparison = fc
    .tuple(numberOf(wide, depth === 0 ? 0 : 1), comparators, numbers)
    .map(([x, comparator, n]) => `${x} ${comparator} ${n}`)
  const check = fc
    .tuple(fc.constantFrom('is not ok', 'is crit', 'is missing', 'is warn', 'is not missing', 'is unknown'))
    .map(([state]) => `check:chk.${wide ? '{g}.{h}' : '{g}'} ${state}`)
  const silence = fc
    .tuple(fc.constantFrom('gau', 'cnt'), anyDuration)
    .map(([kind, d]) => `no ${kind}.${hole(wide)} for ${d}`)
  const base = fc.oneof({ weight: 5, arbitrary: comparison }, check, silence)
  if (depth === 0) return base
  const inner = conditionOf(wide, depth - 1)
  const member = conditionOf(true, 0)
  return fc.oneof(
    { weight: 4, arbitrary: base },
    {
      weight: 2,
      arbitrary: fc.tuple(inner, fc.constantFrom('and', 'or'), inner).map(([a, o, b]) => `(${a}) ${o} (${b})`),
    },
    { weight: 1, arbitrary: inner.map((x) => `not (${x})`) },
    ...(wide
      ? []
      : [
          {
            weight: 2,
            arbitrary: fc
              .tuple(
                fc.constantFrom(
                  'at least 1',
                  'at least 2',
                  'at least 50% of',
                  'at most 1',
                  'at most 40%',
                  'any',
                  'all',
                ),
                member,
              )
              .map(([q, x]) => `${q} {h} with (${x})`),
          },
        ]),
  )
}

const sequence = fc
  .tuple(conditionOf(false, 0), anyDuration, anyDuration, fc.constantFrom(0, 1, 2, 3, 4))
  .map(([x, d, e, shape]) => {
    const [dep, back] = ['event:dep[g={g}]', 'event:back[g={g}]']
    return [
      `${dep} then (${x}) within ${d}`,
      `${dep} then ${dep} within ${d} without ${back}`,
      `${dep} then no ${back} within ${d}`,
      `${dep} then ${back} within ${d} then (${x}) within ${e}`,
      `(${x}) then ${dep} within ${d} without ${back}`,
    ][shape] as string
  })

export const levelOf: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        conditionOf(false, 2),
        fc.constantFrom('', ' for 20s', ' for 50s', ' for 1m', ' for 2 in a row', ' for 2 of 4', ' for 3 of 5'),
        fc.option(conditionOf(false, 1), { freq: 4, nil: undefined }),
        fc.constantFrom('', ', keep 20s', ', keep 1m'),
      )
      .map(
        ([x, hold, until, keep]) =>
          `(${x})${x.includes('check:') ? ' for 20s' : hold}${until ? `, until (${until})` : ''}${keep}`,
      ),
  },
  { weight: 1, arbitrary: fc.tuple(sequence, anyDuration).map(([s, d]) => `${s}, keep ${d}`) },
)

const counts = fc.constantFrom('0', '1', '2', '5', '12')
const value = (kind: string) =>
  kind === 'tim'
    ? fc.constantFrom('1', '3x2', '2x1 + 1x9', '10x1 + 1x12')
    : kind === 'chk'
      ? fc.constantFrom('ok', 'ok', 'warn', 'crit', 'unknown')
      : counts

function given(kind: string): fc.Arbitrary<string> {
  const segment = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(value(kind), anyDuration).map(([v, d]) => `${v} for ${d}`) },
    { weight: 1, arbitrary: fc.constantFrom('10s', '20s', '1m', '2m', '6m').map((d) => `nothing for ${d}`) },
    ...(kind === 'tim' || kind === 'chk'
      ? []
      : [
          {
            weight: 1,
            arbitrary: fc
              .array(fc.oneof(counts, fc.constant('_')), { minLength: 1, maxLength: 8 })
              .map((v) => `[${v.join(', ')}]`),
          },
        ]),
  )
  return fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 6 }), fc.oneof(value(kind), fc.constant('nothing')))
    .map(([segments, last]) => [...segments, last].join(', '))
}

const paths = groupNames.flatMap((g) => [
  ...['cnt', 'gau', 'ctr', 'tim', 'chk'].flatMap((kind) =>
    memberNames.map((m) => [kind, `${kind}.${g}.${m}`] as const),
  ),
  ['chk', `chk.${g}`] as const,
])

const happening = fc
  .tuple(
    fc.integer({ min: 1, max: 720 }),
    fc.constantFrom('dep', 'back'),
    fc.constantFrom(...groupNames),
    fc.constantFrom('1', '2', '3'),
  )
  .map(([s, name, g, v]) => `            - ${s}s: event:${name}[g=${g}, v=${v}]`)

/** A whole rule file with one rule and one test that expects nothing in particular. */
export const ruleFile: fc.Arbitrary<string> = fc
  .tuple(
    levelOf,
    fc.option(levelOf, { freq: 3, nil: undefined }),
    fc.constantFrom('', '', '', 'ok', 'warn', 'crit'),
    fc.tuple(...paths.map(([kind]) => fc.option(given(kind), { freq: 3, nil: undefined }))),
    fc.array(happening, { maxLength: 8 }),
  )
  .map(([crit, warn, missing, givens, events]) =>
    [
      'metrics:',
      '  - {match: "cnt.**", kind: count}',
      '  - {match: "gau.**", kind: gauge}',
      '  - {match: "ctr.**", kind: counter}',
      '  - {match: "tim.**", kind: timer, unit: "%"}',
      'rules:',
      '  made_up:',
      ...(warn ? [`    warn: ${JSON.stringify(warn)}`] : []),
      `    crit: ${JSON.stringify(crit)}`,
      ...(missing ? [`    if missing: ${missing}`] : []),
      '    tests:',
      '      - name: made up',
      '        given:',
      ...paths.flatMap(([kind, path], i) =>
        givens[i] ? [`          ${kind === 'chk' ? 'check:' : ''}${path}: ${JSON.stringify(givens[i])}`] : [],
      ),
      '          events:',
      ...(events.length > 0 ? events : ['            - 1s: event:other']),
      '        run: 14m',
      '        expect: {}',
      '',
    ].join('\n'),
  )
