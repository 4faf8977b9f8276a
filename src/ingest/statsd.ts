/**
 * Statsd intake: packets of lines into the aggregate; everything is counted, nothing throws.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import type { Aggregate } from './aggregate.ts'
import type { BadLines } from './bad-lines.ts'
import { explainBadLine, Line, parseLine } from './parse.ts'
import { nameless, refused } from './series.ts'

/** Where a packet came from, as sockets tell it. */
export interface Sender {
  address: string
  port: number
}

const newline = 0x0a
const carriageReturn = 0x0d

export class StatsdIntake {
  readonly #aggregate: Aggregate
  readonly #badLines: BadLines
  readonly #clock: Clock
  readonly #line = new Line()
  #firstPacketMs: number | undefined
  #packets = 0
  #lines = 0

  constructor(aggregate: Aggregate, badLines: BadLines, clock: Clock, stats: Stats) {
    this.#aggregate = aggregate
    this.#badLines = badLines
    this.#clock = clock
    stats.observe('packets_total', () => this.#packets)
    stats.observe('lines_total', () => this.#lines)
    stats.observe('series', () => aggregate.seriesCount)
  }

  /** One packet, or the complete lines of a stream: lines with `\n` between them, with or without a last one. */
  take(bytes: Buffer, sender: Sender): void {
    this.#firstPacketMs ??= this.#clock.now()
    this.#packets++
    const length = bytes.length
    let start = 0
    while (start < length) {
      let end = start
      while (end < length && bytes[end] !== newline) end++
      const textEnd = end > start && bytes[end - 1] === carriageReturn ? end - 1 : end
      if (textEnd > start) this.#takeLine(bytes, start, textEnd, sender)
      start = end + 1
    }
  }

  /** When the first packet of the interval came; asking begins the next interval. */
  takeFirstPacketMs(): number | undefined {
    const firstPacketMs = this.#firstPacketMs
    this.#firstPacketMs = undefined
    return firstPacketMs
  }

  #takeLine(bytes: Buffer, start: number, end: number, sender: Sender): void {
    this.#lines++
    const line = this.#line
    if (parseLine(bytes, start, end, line)) {
      const taken = this.#aggregate.add(bytes, line)
      if (taken === refused) this.#refused(bytes, sender)
      if (taken !== nameless) return
      line.badReason = 'name'
      line.badAt = start
    }
    this.#bad(bytes, start, end, sender)
  }

  #bad(bytes: Buffer, start: number, end: number, sender: Sender): void {
    this.#badLines.bad(
      this.#line.badReason,
      () => `from ${sender.address}, ${explainBadLine(bytes, start, end, this.#line)}`,
    )
  }

  #refused(bytes: Buffer, sender: Sender): void {
    this.#badLines.sample('series_refused_total', () => {
      const name = JSON.stringify(bytes.toString('utf8', this.#line.nameStart, this.#line.nameEnd))
      return `no room for new series ${name} from ${sender.address}: ingest.seriesMax, ${this.#aggregate.seriesCount} series are known`
    })
  }
}
