/**
 * Line desk: what becomes of each line that a log file gives, counted: samples into the aggregate, events, bad lines.
 *
 * Bad lines are shown in the log once a minute a file, with the place. Events are bounded in an interval, so that a log
 * that goes wild cannot take the place of the events of others.
 */
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { Stats } from '../../runtime/stats.ts'
import type { Aggregate } from '../aggregate.ts'
import type { BadLines } from '../bad-lines.ts'
import type { DogstatsdEvent } from '../dogstatsd.ts'
import type { Happenings } from '../happenings.ts'
import type { Line } from '../parse.ts'
import { refused } from '../series.ts'
import { type LineTaker, type LogFile, logLineBytesMax } from './log-file.ts'
import type { LogSink } from './recipe.ts'

/** Events of all log files in one flush interval. */
export const logEventsMax = 500
const sampleEveryMs = 60_000
const shownCharsMax = 120

export interface LineDeskOptions {
  aggregate: Pick<Aggregate, 'add'>
  happenings: Pick<Happenings, 'addEvent'>
  badLines: BadLines
  clock: Clock
  log: Log
  stats: Stats
}

export class LineDesk implements LineTaker, LogSink {
  readonly #options: LineDeskOptions
  #lines = 0
  #bytes = 0
  #missing = 0
  #events = 0
  #nowMs = 0
  #captures: (string | undefined)[] = []
  #text = ''
  #start = 0
  #file: LogFile | undefined

  constructor(options: LineDeskOptions) {
    this.#options = options
    options.stats.observe('log_lines_total', () => this.#lines)
    options.stats.observe('log_bytes_total', () => this.#bytes)
    options.stats.observe('log_values_missing_total', () => this.#missing)
  }

  /** A new flush interval: events may come again. */
  nextInterval(): void {
    this.#events = 0
  }

  bytesRead(bytes: number): void {
    this.#bytes += bytes
    this.#nowMs = this.#options.clock.now()
  }

  line(bytes: Buffer, start: number, end: number, file: LogFile): void {
    this.#lines++
    const { captures, extract, recipes, format } = file.entry
    const found = this.#captures
    for (let i = 0; i < captures.length; i++) found[i] = file.preset[i]
    this.#text = bytes.toString('utf8', start, end)
    this.#start = start
    this.#file = file
    if (!extract(this.#text, found)) this.#bad('format', `expected a line of format ${format}`)
    else for (const recipe of recipes) recipe(found, this)
  }

  tooLong(file: LogFile): void {
    this.#file = file
    this.#text = ''
    this.#start = 0
    this.#bad('length', `longer than ${logLineBytesMax} bytes`)
  }

  add(bytes: Buffer, line: Line): void {
    if (this.#options.aggregate.add(bytes, line, this.#nowMs) !== refused) return
    this.#options.badLines.sample('series_refused_total', () => {
      const name = JSON.stringify(bytes.toString('utf8', line.nameStart, line.nameEnd))
      return `no room for new series ${name} from ${this.#file?.path}: ingest.seriesMax`
    })
  }

  addEvent(event: DogstatsdEvent): void {
    const isFull = this.#events >= logEventsMax
    this.#options.stats.count(isFull ? 'log_events_refused_total' : 'log_events_total')
    if (isFull) return
    this.#events++
    this.#options.happenings.addEvent(event)
  }

  badValue(text: string): void {
    this.#bad('value', `expected a number, got ${shown(text)}`)
  }

  missing(): void {
    this.#missing++
  }

  #bad(reason: 'format' | 'length' | 'value', why: string): void {
    const { stats, log } = this.#options
    stats.count(`log_bad_lines_total{reason="${reason}"}`)
    const file = this.#file as LogFile
    if (this.#nowMs - file.shownMs < sampleEveryMs) {
      file.unshown++
      return
    }
    const at = file.line === undefined ? '' : `line ${file.line}, `
    const more = file.unshown > 0 ? ` (and ${file.unshown} more in this file since the one before)` : ''
    const text = this.#text === '' ? '' : `: ${shown(this.#text)}`
    log.warn(`bad line in ${file.path}, ${at}byte ${file.offset + this.#start}: ${why}${text}${more}`)
    file.shownMs = this.#nowMs
    file.unshown = 0
  }
}

function shown(text: string): string {
  return text.length > shownCharsMax ? `${JSON.stringify(text.slice(0, shownCharsMax))}…` : JSON.stringify(text)
}
