/**
 * Logs in the configuration: which log files are followed and what is made of their lines.
 *
 *     - path: /var/log/nginx/{site}.access.log
 *       format: nginx
 *       metrics:
 *         - {counter: "zeus.{site}.response.{status}"}
 *         - {timer: "zeus.{site}.response_time", value: "{request_time}", unit: s}
 *       events:
 *         - {event: login_failed, when: "{status} = 401", tags: {ip: "{remote_addr}"}}
 *
 * Everything a line could be asked for is checked here, so that a typing error is found with its place in the file and not
 * by silence.
 */
import { z } from 'zod'
import { groupNames, parseLogTemplate, parseLogWhen } from '../model/log-template.ts'
import { linearProblem } from './linear-regex.ts'
import { suggest } from './problem.ts'

const combined = ['remote_addr', 'user', 'time', 'method', 'path', 'query', 'status', 'bytes', 'referer', 'agent']
const nginx = [
  ...combined,
  'forwarded_for',
  'request_time',
  'upstream_time',
  'upstream_connect_time',
  'upstream_header_time',
]

/** What each format captures; `json` any key. */
export const logCaptures: Readonly<Record<'nginx' | 'combined', readonly string[]>> = { nginx, combined }

const template = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    const parsed = parseLogTemplate(text)
    if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.error })
  })

/** A name: letters, digits, `_`, `-`, dots and captures. */
const name = template.refine((text) => /^[\w-]*(\.[\w-]+)*\.?$/.test(text.replace(/\{[^}]*\}/g, 'x')), {
  error: 'expected a name of letters, digits, _, -, dots and captures, such as web.{status}',
})

const when = z.string().superRefine((text, context) => {
  const parsed = parseLogWhen(text)
  const expressions = parsed.ok ? parsed.value.filter(({ operator }) => operator.endsWith('~')) : []
  const wrong = parsed.ok ? expressions.map(({ value }) => linearProblem(value)).find(Boolean) : parsed.error
  if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
})

const tags = z.record(z.string().regex(/^[A-Za-z_][\w.-]*$/, { error: 'expected a tag such as status' }), template)

const kinds = ['counter', 'timer', 'gauge', 'set'] as const

const metric = z
  .strictObject({
    counter: name.optional(),
    timer: name.optional(),
    gauge: name.optional(),
    set: name.optional(),
    /** Of a counter 1 by default. */
    value: template.optional(),
    /** Of a timer's value. */
    unit: z.enum(['us', 'ms', 's']).optional(),
    when: when.optional(),
    tags: tags.optional(),
  })
  .superRefine((one, context) => {
    const given = kinds.filter((kind) => one[kind] !== undefined)
    const add = (message: string) => context.addIssue({ code: 'custom', message })
    if (given.length !== 1) add(`expected one of counter, timer, gauge and set, got ${given.join(' and ') || 'none'}`)
    else if (given[0] !== 'counter' && one.value === undefined)
      add(`a ${given[0]} needs a value such as "{request_time}"`)
    if (one.unit !== undefined && one.timer === undefined) add('only a timer has a unit')
  })

const event = z.strictObject({
  event: name,
  when: when.optional(),
  tags: tags.optional(),
  text: template.optional(),
})

const regex = z.string().superRefine((source, context) => {
  const wrong = linearProblem(source)
  if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
})

const format = z.union([z.enum(['nginx', 'combined', 'json']), z.strictObject({ regex })], {
  error: 'expected nginx, combined, json or {regex: …}',
})

export const logs = z.strictObject({
  /** A file, or many: `*` `?` `**` `[a-z]`, and `{name}` for what a part of the path is called. */
  path: z.string().min(1),
  format,
  /** Where a file begins that was there before Tocsin's first start. */
  from: z.enum(['end', 'beginning']).default('end'),
  metrics: z.array(metric).default([]),
  events: z.array(event).default([]),
})

export type LogConfig = z.output<typeof logs>
export type LogMetric = LogConfig['metrics'][number]
export type LogEvent = LogConfig['events'][number]

/** `ingest.logs`, with every capture that is asked for known. */
export const logList = z
  .array(
    logs.superRefine((entry, context) => {
      const known = knownCaptures(entry)
      if (known) checkCaptures(entry, known, (path, message) => context.addIssue({ code: 'custom', path, message }))
      if (entry.metrics.length + entry.events.length === 0) {
        context.addIssue({ code: 'custom', message: 'expected metrics or events; nothing is made of these lines' })
      }
    }),
  )
  .default([])

/** The names in braces of a path; `{a,b}` is a choice, as in a shell. */
export function pathNames(path: string): string[] {
  return [...path.matchAll(/\{([A-Za-z_]\w*)\}/g)].map(([, found]) => found as string)
}

/** Undefined where any name may be one. */
function knownCaptures({ path, format: written }: LogConfig): readonly string[] | undefined {
  if (written === 'json') return undefined
  if (typeof written !== 'string' && linearProblem(written.regex) !== undefined) return undefined
  const ofLine = typeof written === 'string' ? logCaptures[written] : groupNames(written.regex)
  return ['file', ...pathNames(path), ...ofLine]
}

type Tell = (path: PropertyKey[], message: string) => void

function checkCaptures({ metrics, events }: LogConfig, known: readonly string[], tell: Tell): void {
  const check = (at: PropertyKey[], used: readonly string[]) => {
    for (const capture of used.filter((each) => !known.includes(each))) tell(at, unknown(capture, known))
  }
  const sections = [
    ...metrics.map((one, i) => [['metrics', i], one] as const),
    ...events.map((one, i) => [['events', i], one] as const),
  ]
  for (const [at, { tags: tagged = {}, when: tests, ...texts }] of sections) {
    for (const [key, text] of Object.entries(texts)) if (key !== 'unit') check([...at, key], capturesIn(String(text)))
    for (const [key, text] of Object.entries(tagged)) check([...at, 'tags', key], capturesIn(text))
    if (tests !== undefined) check([...at, 'when'], testedIn(tests))
  }
}

function capturesIn(text: string): readonly string[] {
  const parsed = parseLogTemplate(text)
  return parsed.ok ? parsed.value.captures : []
}

function testedIn(text: string): readonly string[] {
  const parsed = parseLogWhen(text)
  return parsed.ok ? parsed.value.map(({ capture }) => capture) : []
}

function unknown(capture: string, known: readonly string[]): string {
  const meant = suggest(capture, known)
  const cure = meant
    ? `did you mean {${meant}}?`
    : `known: ${known.join(', ')}; to take it from the path, write {${capture}} there`
  return `no capture is called {${capture}}; ${cure}`
}
