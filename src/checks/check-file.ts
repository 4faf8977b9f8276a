/**
 * Check file: what people write in `checks/*.yaml`, as checks with every default filled in.
 *
 *     defaults: {interval: 10s, timeout: 5s}          # for this file
 *     checks:
 *       web.{process}:                                # the series is check:web.router, …
 *         http: http://127.0.0.1:{port}/__heartbeat__
 *         each: [{process: router, port: 10000}, …]   # one check a row; needed where there are holes
 *         interval: 10s                               # while it is fine
 *         whileFailing: 2s                            # while it is not; default 2s, at most the interval
 *         timeout: 5s                                 # for the whole answer
 *         method: GET
 *         headers: {Authorization: "Bearer ${TOKEN}"}
 *         followRedirects: false
 *         expect: {status: [200, 204], body: ok}      # a part of the body, or /a pattern/i; default any 2xx
 */
import http from 'node:http'
import { z } from 'zod'
import { err, ok, type Result } from '../model/result.ts'
import { duration } from '../runtime/config.ts'
import type { Problem } from '../runtime/problem.ts'
import { readYaml, type YamlFile, type YamlOptions } from '../runtime/yaml-file.ts'

export interface HttpCheck {
  /** Series without `check:`. */
  name: string
  url: string
  method: string
  headers: Readonly<Record<string, string>>
  followRedirects: boolean
  expect: {
    /** undefined: any 2xx. */
    statuses?: readonly number[]
    /** As written; see `bodyPattern`. */
    body?: string
  }
  intervalMs: number
  whileFailingMs: number
  timeoutMs: number
}

/** A check and where it was written. */
export interface WrittenCheck {
  check: HttpCheck
  at: { file: string; line: number; column: number }
}

const status = z.number().int().min(100).max(599)

const settings = {
  interval: duration,
  whileFailing: duration,
  timeout: duration,
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']),
  headers: z.record(z.string(), z.union([z.string(), z.number().transform(String)])),
  followRedirects: z.boolean(),
  expect: z.strictObject({
    status: z.union([status.transform((one) => [one]), z.array(status).min(1)]).optional(),
    body: z.string().min(1).optional(),
  }),
}

const row = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'expected a name of letters, digits and _' }),
  z.union([z.string(), z.number()]).transform(String),
)

const defaults = z.strictObject(settings).partial()
const entry = defaults.extend({ http: z.string().min(1), each: z.array(row).min(1).optional() })

const schema = z.strictObject({
  defaults: defaults.prefault({}),
  checks: z
    .record(z.string(), entry)
    .nullish()
    .transform((checks) => checks ?? {}),
})

type File = z.output<typeof schema>
type Entry = z.output<typeof entry>
type Row = Readonly<Record<string, string>>

/** Reads one file's text; all problems come together. */
export function readCheckFile(
  file: string,
  text: string,
  environment?: YamlOptions['environment'],
): Result<WrittenCheck[], Problem[]> {
  const read = readYaml(file, text, schema, environment ? { environment } : {})
  if (!read.ok) return read
  const reader = new EntryReader(file, read.value)
  const checks = Object.entries(read.value.value.checks).flatMap(([name, one]) => reader.read(name, one))
  return reader.problems.length > 0 ? err(reader.problems) : ok(checks)
}

/** The pattern that a body must match: `/…/flags` as written, anything else as plain text. Undefined for a bad pattern. */
export function bodyPattern(written: string): RegExp | undefined {
  const pattern = /^\/(.+)\/([imsu]*)$/s.exec(written)
  try {
    return pattern
      ? new RegExp(pattern[1] as string, pattern[2])
      : new RegExp(written.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
  } catch {
    return undefined
  }
}

const hole = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g

/** Turns entries into checks, one a row, and gathers what is wrong with them. */
class EntryReader {
  readonly problems: Problem[] = []
  readonly #file: string
  readonly #yaml: YamlFile<File>

  constructor(file: string, yaml: YamlFile<File>) {
    this.#file = file
    this.#yaml = yaml
  }

  read(name: string, one: Entry): WrittenCheck[] {
    const at = { file: this.#file, ...this.#yaml.locate(['checks', name]) }
    const before = this.problems.length
    if (!one.each) {
      const check = this.#check(name, one, {}, [])
      return this.problems.length > before ? [] : [{ check, at }]
    }
    const checks = one.each.map((values, i) => {
      const check = this.#check(name, one, values, ['each', i])
      return { check, at: { file: this.#file, ...this.#yaml.locate(['checks', name, 'each', i]) } }
    })
    return this.problems.length > before ? [] : checks
  }

  #check(template: string, one: Entry, values: Row, where: PropertyKey[]): HttpCheck {
    const settings = { ...this.#yaml.value.defaults, ...one }
    const problem = (message: string, key: PropertyKey[] = where) => this.#problem(template, key, message)
    const fill = (text: string) => (where.length > 0 ? this.#fill(text, values, problem) : text)
    const name = fill(template)
    if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(name)) {
      const help = where.length === 0 && /[{}]/.test(name) ? '; a name with holes needs "each"' : ''
      problem(`expected a series name such as web.router, got ${JSON.stringify(name)}${help}`)
    }
    const intervalMs = settings.interval ?? 10_000
    const whileFailingMs = settings.whileFailing ?? Math.min(2_000, intervalMs)
    if (whileFailingMs > intervalMs) problem('whileFailing is longer than the interval', ['whileFailing'])
    const headers = Object.entries(settings.headers ?? {}).map(([key, value]) => [key, fill(value)] as const)
    for (const [key, value] of headers) this.#checkHeader(template, key, value)
    return {
      name,
      url: this.#url(fill(one.http), where.length > 0, problem),
      method: settings.method ?? 'GET',
      headers: Object.fromEntries(headers),
      followRedirects: settings.followRedirects ?? false,
      expect: this.#expect(settings.expect, fill, problem),
      intervalMs,
      whileFailingMs,
      timeoutMs: settings.timeout ?? 5_000,
    }
  }

  #expect(
    written: Entry['expect'],
    fill: (text: string) => string,
    problem: (message: string, key: PropertyKey[]) => void,
  ): HttpCheck['expect'] {
    // A pattern has braces of its own.
    const body = written?.body?.startsWith('/') ? written.body : written?.body && fill(written.body)
    if (body && !bodyPattern(body)) problem(`expected a pattern, got ${body}`, ['expect', 'body'])
    return { ...(written?.status && { statuses: written.status }), ...(body && { body }) }
  }

  #url(text: string, isTemplate: boolean, problem: (message: string, key: PropertyKey[]) => void): string {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href
    // A hole without a value has been reported.
    if (isTemplate && /[{}]/.test(text)) return text
    problem(`expected an http:// or https:// address, got ${JSON.stringify(text)}`, ['http'])
    return text
  }

  #fill(text: string, values: Row, problem: (message: string) => void): string {
    return text.replace(hole, (written, key: string) => {
      const value = values[key]
      if (value === undefined) problem(`no value for ${written}, which ${JSON.stringify(text)} needs`)
      return value ?? written
    })
  }

  #checkHeader(template: string, key: string, value: string): void {
    try {
      http.validateHeaderName(key)
      http.validateHeaderValue(key, value)
    } catch (error) {
      this.#problem(template, ['headers', key], (error as Error).message)
    }
  }

  #problem(template: string, where: PropertyKey[], message: string): void {
    const at = this.#yaml.locate(['checks', template, ...where])
    const known = this.problems.some((other) => other.message === `${template}: ${message}` && other.line === at.line)
    if (!known) this.problems.push({ file: this.#file, ...at, message: `${template}: ${message}` })
  }
}
