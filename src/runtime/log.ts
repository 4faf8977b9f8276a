/**
 * Log: one line per thing worth knowing, never a secret in it.
 *
 * Lines are `part: sentence` with optional fields; JSON (pino) by default in production, plain text on a terminal.
 * Secrets learnt while reading the configuration are struck out of every line, wherever they turn up.
 */
import pino from 'pino'
import { formatIso, systemClock } from './clock.ts'
import { strikeSecrets } from './secrets.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface Log {
  debug(message: string, fields?: object): void
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
  error(message: string, fields?: object): void
  /** A log whose lines begin with `part: `. */
  child(part: string): Log
}

export interface LogOptions {
  level?: LogLevel
  format?: 'json' | 'text'
  write?: (line: string) => void
}

export function createLog(options: LogOptions = {}): Log {
  const write = options.write ?? ((line: string) => process.stderr.write(line))
  const print = options.format === 'text' ? (line: string) => write(asText(line)) : write
  const root = pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: () => `,"time":"${formatIso(systemClock.now())}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => print(strikeSecrets(line)) },
  )
  return wrap(root)
}

/** For tests and tools that want no output. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}

function wrap(logger: pino.Logger): Log {
  const at = (level: LogLevel) => (message: string, fields?: object) => logger[level](fields ?? {}, message)
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (part) => wrap(logger.child({ part })),
  }
}

function asText(line: string): string {
  const { time, level, part, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const rest = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const mark = level === 'info' ? '' : `${String(level)}: `
  return `${String(time).slice(11, 19)} ${part ? `${String(part)}: ` : ''}${mark}${String(msg)}${rest.join('')}\n`
}

/** Logs when a situation changes, not on every attempt. */
export class Situation {
  #problem: string | undefined
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  get problem(): string | undefined {
    return this.#problem
  }

  /** Something is wrong; said once until it changes or is mended. */
  bad(problem: string, fields?: object): void {
    if (this.#problem !== problem) this.#log.warn(problem, fields)
    this.#problem = problem
  }

  /** It works; said only if it did not before. */
  good(message: string, fields?: object): void {
    if (this.#problem !== undefined) this.#log.info(message, fields)
    this.#problem = undefined
  }
}
