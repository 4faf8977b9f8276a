/**
 * Prepare: a test as written becomes what runs, or located problems, all of a test at once.
 *
 * A value stands one step long; the step is the test's own, else the rule's `every`, else 10 s.
 */
import { parseDuration } from '../../model/duration.ts'
import { type PathPattern, parsePath } from '../../model/path.ts'
import { err, ok, type Result } from '../../model/result.ts'
import { suggest } from '../../runtime/problem.ts'
import {
  kindInTests,
  type LoadedRules,
  type RawTest,
  type RuleProblem,
  type SeriesKind,
  valueInUnit,
} from '../language/load.ts'
import { type GivenError, parseGiven, type Segment } from './given.ts'
import type { GivenEvent, GivenSeries } from './messages.ts'
import { inKey, located, whole } from './problem.ts'
import { type Convert, wrongQuantity } from './series.ts'
import { parseTimeline, type Timeline } from './timeline.ts'

export interface PreparedTest {
  raw: RawTest
  stepMs: number
  runMs: number
  series: readonly GivenSeries[]
  events: readonly GivenEvent[]
  /** Rule → group → timeline; only the rules named here are asserted. */
  expected: ReadonlyMap<string, ReadonlyMap<string, Timeline>>
}

const defaultStepMs = 10_000
/** A run goes on this long after the last expected change, so that a late flap fails. */
const afterLastMs = 600_000
/** Steps of one run: a slip such as `run: 10000d` must not stop the machine. */
const stepsMax = 5_000_000

/** `text` is the whole file, for showing the line of a problem. */
export function prepare(raw: RawTest, loaded: LoadedRules, text: string): Result<PreparedTest, RuleProblem[]> {
  const problems: RuleProblem[] = []
  const fault = (part: string, value: string, error: GivenError) =>
    problems.push(located(raw, text, part, value, error))
  const series = raw.given.flatMap(([path, values]) => {
    const prepared = prepareSeries(path, String(values), loaded)
    if (prepared.ok) return [prepared.value]
    fault(path, String(values), prepared.error)
    return []
  })
  const events = raw.events.flatMap(([at, event]) => {
    const prepared = prepareEvent(at, event)
    if (prepared.ok) return [prepared.value]
    fault(at, event, prepared.error)
    return []
  })
  const expected = prepareExpected(raw, loaded, fault)
  const stepMs = raw.stepMs ?? stepOf(raw, loaded, [...expected.keys()])
  const times = [...expected.values()].flatMap((groups) =>
    [...groups.values()].flatMap(({ changes }) => changes.map(({ atMs }) => atMs)),
  )
  const runMs = raw.runMs ?? Math.max(0, ...times) + afterLastMs
  for (const { name, segments } of series) {
    const odd = segments.find((segment) => segment.kind !== 'list' && (segment.durationMs ?? 0) % stepMs !== 0)
    if (odd)
      fault(
        name,
        '',
        whole(`a time that is not a whole number of steps of ${stepMs / 1000}s`, 'say "step:" in the test'),
      )
  }
  if (runMs / stepMs > stepsMax) fault('run', '', whole(`a run of more than ${stepsMax} steps`))
  return problems.length > 0 ? err(problems) : ok({ raw, stepMs, runMs, series, events, expected })
}

function stepOf(raw: RawTest, loaded: LoadedRules, rules: readonly string[]): number {
  const steps = loaded.rules.filter(({ name }) => rules.includes(name)).map(({ everyMs }) => everyMs ?? defaultStepMs)
  if (raw.rule === undefined) return Math.min(defaultStepMs, ...steps)
  return steps[0] ?? defaultStepMs
}

function prepareSeries(path: string, values: string, loaded: LoadedRules): Result<GivenSeries, GivenError> {
  const name = seriesName(path)
  if (!name.ok) return name
  const parsed = parseGiven(values)
  if (!parsed.ok) return parsed
  const segments = parsed.value
  const isCheck = path.startsWith('check:')
  const kind = isCheck ? 'check' : kindOf(name.value, segments, loaded)
  const unfit = segments.find((segment) => !fits(segment, kind))
  if (unfit) {
    return err(
      whole(
        isCheck
          ? 'a check has states: ok, warn, crit, unknown or nothing'
          : `a ${kind} has numbers${kind === 'timer' ? ' or samples such as 95x100ms' : ''}`,
      ),
    )
  }
  const convert: Convert = ({ value, unit }) =>
    unit === '' ? value : valueInUnit(loaded, name.value, `${value}${unit}`)
  const wrong = wrongQuantity(segments, convert)
  if (wrong) return err(whole(`${wrong.value}${wrong.unit} is not in the unit of ${name.value}`))
  return ok({ name: name.value, kind, segments, convert })
}

/** Samples make a timer of what nobody declared. */
function kindOf(name: string, segments: readonly Segment[], loaded: LoadedRules): SeriesKind {
  const kind = kindInTests(loaded, name)
  const hasSamples = itemsOf(segments).some((item) => item.kind === 'samples')
  return hasSamples && kind === 'gauge' ? 'timer' : kind
}

function fits(segment: Segment, kind: SeriesKind): boolean {
  if (segment.kind === 'ramp' || segment.kind === 'noise') return kind !== 'check'
  return itemsOf([segment]).every(
    (item) =>
      item.kind === 'nothing' ||
      (kind === 'check'
        ? item.kind === 'state'
        : item.kind === 'number' || (item.kind === 'samples' && kind === 'timer')),
  )
}

function itemsOf(segments: readonly Segment[]) {
  return segments.flatMap((segment) =>
    segment.kind === 'list' ? segment.items : segment.kind === 'hold' ? [segment.item] : [],
  )
}

/** The series as it is named on the bus: tags sorted behind semicolons, `aws:` kept, other prefixes dropped. */
function seriesName(path: string): Result<string, GivenError> {
  const parsed = parsePath(path)
  if (!parsed.ok) return err(inKey(parsed.error.message))
  const { prefix } = parsed.value
  if (prefix === 'event') return err(inKey('events stand under "events:", each with its time'))
  if (prefix === 'rule' || prefix === 'source') return err(inKey(`${prefix}: cannot be given, it follows from what is`))
  const named = literal(parsed.value)
  if (!named) return err(inKey('a test gives single series: no holes, no stars'))
  const tags = Object.entries(named.tags).sort(([a], [b]) => (a < b ? -1 : 1))
  return ok(
    [prefix === 'aws' ? `aws:${named.name}` : named.name, ...tags.map(([tag, value]) => `${tag}=${value}`)].join(';'),
  )
}

function prepareEvent(at: string, event: string): Result<GivenEvent, GivenError> {
  const atMs = parseDuration(at)
  if (atMs === undefined) return err(inKey(`expected a time such as 10m3s, found "${at}"`))
  const parsed = parsePath(event)
  if (!parsed.ok) return err({ at: parsed.error.column - 1, length: 1, message: parsed.error.message })
  const named = literal(parsed.value)
  if (parsed.value.prefix !== 'event' || !named)
    return err(
      whole(
        'expected an event such as event:deploy[process=verifier]',
        'its name and its tags, without holes and stars',
      ),
    )
  return ok({ atMs, ...named })
}

/** Name and tags of a path without holes and stars; undefined for others. */
function literal({
  segments,
  tags,
  holes,
  lumps,
}: PathPattern): { name: string; tags: Record<string, string> } | undefined {
  if (holes.length > 0 || lumps) return undefined
  const name = segments.map((segment) =>
    segment.kind === 'parts' ? segment.parts.map((part) => (part.kind === 'literal' ? part.text : '')).join('') : '',
  )
  return { name: name.join('.'), tags: Object.fromEntries(tags.map((tag) => [tag.name, tag.globs[0] ?? ''])) }
}

type Fault = (part: string, value: string, error: GivenError) => void

function prepareExpected(raw: RawTest, loaded: LoadedRules, fault: Fault): Map<string, Map<string, Timeline>> {
  const expected = new Map<string, Map<string, Timeline>>()
  if (raw.rule !== undefined) expected.set(raw.rule, new Map())
  for (const [key, value] of Object.entries(raw.expect)) {
    if (raw.rule !== undefined) {
      if (typeof value === 'string') put(expected, raw.rule, key, value, fault)
      else fault(key, '', inKey('expected a timeline; only tests at the end of a file name rules'))
    } else if (typeof value === 'string')
      fault(key, '', inKey('expected groups and their timelines under the name of a rule'))
    else if (!loaded.rules.some(({ name }) => name === key))
      fault(key, '', inKey(`there is no rule "${key}"${meant(key, loaded)}`))
    else {
      expected.set(key, expected.get(key) ?? new Map())
      for (const [group, timeline] of Object.entries(value)) put(expected, key, group, timeline, fault)
    }
  }
  return expected
}

function meant(name: string, loaded: LoadedRules): string {
  const known = suggest(
    name,
    loaded.rules.map((rule) => rule.name),
  )
  return known === undefined ? '' : `; did you mean "${known}"?`
}

function put(
  expected: Map<string, Map<string, Timeline>>,
  rule: string,
  group: string,
  text: string,
  fault: Fault,
): void {
  const parsed = parseTimeline(text)
  if (parsed.ok) expected.get(rule)?.set(group, parsed.value)
  else fault(group, text, parsed.error)
}
