/**
 * Shapes: whether a decoded JSON message is what its kind says, checked by hand because some kinds come often.
 *
 * A shape lists the fields whose absence or wrong type would hurt a reader. Fields it does not know pass, so that a
 * newer publisher may add some. The answer is undefined, or one clause such as `results[0].state: expected "ok", …`.
 */
import type { Kind, Messages } from '../../model/message.ts'

type Check = (value: unknown, where: string) => string | undefined

/** Checks for the fields of T; none for those that do not matter to reading. */
type Fields<T> = { readonly [K in keyof T]?: Check }

/** A value as a person reads it in an error. */
export function plain(value: unknown): string {
  const text = value === undefined ? 'nothing' : (JSON.stringify(value) ?? typeof value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

function expected(what: string, value: unknown, where: string): string {
  return `${where === '' ? '' : `${where}: `}expected ${what}, got ${plain(value)}`
}

const text: Check = (value, where) => (typeof value === 'string' ? undefined : expected('a text', value, where))
const number: Check = (value, where) => (typeof value === 'number' ? undefined : expected('a number', value, where))
const flag: Check = (value, where) => (typeof value === 'boolean' ? undefined : expected('true or false', value, where))

/** What it is, is checked by whoever reads it. */
const any: Check = () => undefined

function oneOf(...allowed: readonly string[]): Check {
  const what = allowed.map((one) => `"${one}"`).join(' or ')
  return (value, where) => (allowed.includes(value as string) ? undefined : expected(what, value, where))
}

function optional(check: Check): Check {
  return (value, where) => (value === undefined ? undefined : check(value, where))
}

function orNull(check: Check): Check {
  return (value, where) => (value === null ? undefined : check(value, where))
}

function list(check: Check): Check {
  return (value, where) => {
    if (!Array.isArray(value)) return expected('a list', value, where)
    for (let i = 0; i < value.length; i++) {
      const wrong = check(value[i], `${where}[${i}]`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }
}

function mapping(check: Check): Check {
  return (value, where) => {
    if (!isObject(value)) return expected('a mapping', value, where)
    for (const [name, one] of Object.entries(value)) {
      const wrong = check(one, `${where}.${name}`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }
}

function object<T>(fields: Fields<T>): Check {
  const checks = Object.entries(fields) as [string, Check][]
  return (value, where) => {
    if (!isObject(value)) return expected('an object', value, where)
    for (const [name, check] of checks) {
      const wrong = check(value[name], where === '' ? name : `${where}.${name}`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const level = oneOf('ok', 'warn', 'crit', 'nodata', 'forgotten')

const shapes: { readonly [K in Exclude<Kind, 'metrics'>]: Check } = {
  clock: object<Messages['clock']>({ process: text, nowMs: number }),
  markers: object<Messages['markers']>({
    source: text,
    name: text,
    startedMs: number,
    bucketMs: number,
    intervalMs: number,
    latenessMs: number,
    bye: optional(flag),
  }),
  checks: object<Messages['checks']>({
    source: text,
    bucketMs: number,
    results: list(
      object<Messages['checks']['results'][number]>({
        name: text,
        sequence: number,
        atMs: number,
        state: oneOf('ok', 'warn', 'crit', 'unknown'),
        output: text,
        durationMs: number,
        stepMs: number,
      }),
    ),
  }),
  events: object<Messages['events']>({
    source: text,
    sequence: number,
    atMs: number,
    bucketMs: number,
    name: text,
    tags: mapping(text),
    text: optional(text),
    id: optional(text),
  }),
  rules: object<Messages['rules']>({
    hash: text,
    files: list(object<Messages['rules']['files'][number]>({ path: text, text })),
  }),
  transitions: object<Messages['transitions']>({
    id: text,
    rule: text,
    group: list(object({ name: text, value: text })),
    groupKey: text,
    bucketMs: number,
    from: level,
    to: level,
    hidden: flag,
    blind: flag,
    sinceMs: number,
    say: text,
    reason: text,
    values: list(object({ name: text, value: orNull(number), text })),
    series: object<Messages['transitions']['series']>({ stepMs: number, values: list(orNull(number)) }),
    runbook: optional(text),
    remindMs: optional(number),
    tags: mapping(text),
  }),
  commands: object<Messages['commands']>({
    id: text,
    kind: text,
    by: text,
    atMs: number,
    arguments: mapping(any),
  }),
  decisions: object<Messages['decisions']>({
    by: text,
    decisions: list(
      object<Messages['decisions']['decisions'][number]>({
        atMs: number,
        fingerprint: text,
        transition: text,
        change: text,
        notify: flag,
        reason: text,
        receivers: list(text),
      }),
    ),
  }),
  claims: object<Messages['claims']>({ key: text, receiver: text, attempt: number, by: text, atMs: number }),
  receipts: object<Messages['receipts']>({
    key: text,
    receiver: text,
    attempt: number,
    by: text,
    atMs: number,
    outcome: oneOf('delivered', 'failed', 'dead'),
    detail: text,
    retryMs: optional(number),
    fallback: optional(text),
    isMoot: optional(flag),
    templateProblem: optional(text),
    title: optional(text),
    fingerprint: text,
    transition: text,
    kind: oneOf('firing', 'resolved'),
  }),
  status: object<Messages['status']>({
    part: text,
    instance: text,
    host: text,
    pid: number,
    startedMs: number,
    atMs: number,
    ready: flag,
    problem: optional(text),
    counters: mapping(number),
    engine: optional(object({ sources: list(object({ source: text })), rules: list(object({ name: text })) })),
  }),
}

const hopsShape = optional(object({ packetMs: optional(number), flushMs: optional(number), ruleMs: optional(number) }))

export function checkMessage(kind: Exclude<Kind, 'metrics'>, message: unknown): string | undefined {
  return shapes[kind](message, '')
}

export function checkHops(hops: unknown): string | undefined {
  return hopsShape(hops, 'hops')
}
