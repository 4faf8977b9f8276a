/**
 * Statsd intake: packets of lines into the aggregate; everything is counted, nothing throws.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import type { Aggregate } from './aggregate.ts'
import type { BadLineTaker } from './bad-lines.ts'
import { isDogstatsd, parseEvent, parseServiceCheck } from './dogstatsd.ts'
import type { Happenings } from './happenings.ts'
import { explainBad, explainBadLine, gauge, Line, nextValue, parseLine, parseRest } from './parse.ts'
import type { Senders } from './senders.ts'
import { nameless, refused } from './series.ts'
import type { TimedIntake } from './timed.ts'

/** Where a packet came from, as sockets tell it. */
export interface Sender {
  address: string
  port: number
}

/** What came since the last report. */
export interface Taken {
  packets: number
  lines: number
  /** Epoch ms; undefined when nothing came. */
  firstPacketMs: number | undefined
}

const newline = 0x0a
const carriageReturn = 0x0d
const underscore = 0x5f

/** Takes parsed lines: an aggregate, or one worker's share of it. */
export type LineTaker = Pick<Aggregate, 'add' | 'seriesCount'>

export interface StatsdIntakeOptions {
  aggregate: LineTaker
  /** Takes lines with a time of their own. */
  timed: Pick<TimedIntake, 'add'>
  /** Takes events and check results. */
  happenings: Pick<Happenings, 'addEvent' | 'addCheck'>
  senders: Senders
  badLines: BadLineTaker
  clock: Clock
  stats: Stats
}

export class StatsdIntake {
  readonly #aggregate: LineTaker
  readonly #timed: Pick<TimedIntake, 'add'>
  readonly #happenings: Pick<Happenings, 'addEvent' | 'addCheck'>
  readonly #senders: Senders
  readonly #badLines: BadLineTaker
  readonly #clock: Clock
  readonly #line = new Line()
  #firstPacketMs: number | undefined
  #lastIntervalMs: number | undefined
  #packetMs = 0
  #isTimed = false
  #packets = 0
  #lines = 0

  constructor({ aggregate, timed, happenings, senders, badLines, clock, stats }: StatsdIntakeOptions) {
    this.#aggregate = aggregate
    this.#timed = timed
    this.#happenings = happenings
    this.#senders = senders
    this.#badLines = badLines
    this.#clock = clock
    stats.observe('packets_total', () => this.#packets)
    stats.observe('lines_total', () => this.#lines)
    stats.observe('series', () => aggregate.seriesCount)
  }

  /**
   * One packet, or the complete lines of a stream: lines with `\n` between them, with or without a last one. False when
   * the sender may not send.
   */
  take(bytes: Buffer, sender: Sender): boolean {
    const count = this.#senders.of(sender.address)
    if (!count.isAllowed) {
      this.#badLines.refuse(sender.address)
      return false
    }
    this.#firstPacketMs ??= this.#clock.now()
    this.#packets++
    this.#isTimed = false
    const length = bytes.length
    const room = count.room
    let lines = 0
    let start = 0
    while (start < length) {
      let end = start
      while (end < length && bytes[end] !== newline) end++
      const textEnd = end > start && bytes[end - 1] === carriageReturn ? end - 1 : end
      if (textEnd > start && ++lines <= room) this.#takeLine(bytes, start, textEnd, sender)
      start = end + 1
    }
    const taken = lines <= room ? lines : Math.max(0, room)
    this.#lines += taken
    this.#senders.count(count, taken, lines - taken)
    return true
  }

  /** A line that a worker hands over; its packet is counted already. */
  takeRelayed(line: Buffer, sender: Sender): void {
    this.#isTimed = false
    this.#takeLine(line, 0, line.length, sender)
  }

  /** What came since the last asking, for another intake to add. */
  takeTaken(): Taken {
    const taken = { packets: this.#packets, lines: this.#lines, firstPacketMs: this.takeFirstPacketMs() }
    this.#packets = this.#lines = 0
    return taken
  }

  /** Adds what a worker took. */
  addTaken({ packets, lines, firstPacketMs }: Taken): void {
    this.#packets += packets
    this.#lines += lines
    if (firstPacketMs === undefined) return
    this.#firstPacketMs = Math.min(this.#firstPacketMs ?? firstPacketMs, firstPacketMs)
  }

  /** When packets came last, to the interval. */
  get lastPacketMs(): number | undefined {
    return this.#firstPacketMs ?? this.#lastIntervalMs
  }

  /** When the first packet of the interval came; asking begins the next interval. */
  takeFirstPacketMs(): number | undefined {
    const firstPacketMs = this.#firstPacketMs
    this.#lastIntervalMs = firstPacketMs ?? this.#lastIntervalMs
    this.#firstPacketMs = undefined
    this.#packetMs = 0
    return firstPacketMs
  }

  #takeLine(bytes: Buffer, start: number, end: number, sender: Sender): void {
    if (bytes[start] === underscore && isDogstatsd(bytes, start, end)) {
      this.#takeHappening(bytes, start, end, sender)
      return
    }
    const line = this.#line
    if (parseLine(bytes, start, end, line)) this.#takeSample(bytes, start, end, sender)
    else this.#bad(bytes, start, end, sender)
    while (line.restAt !== 0) {
      if (parseRest(bytes, end, line)) this.#takeSample(bytes, start, end, sender)
      else this.#bad(bytes, start, end, sender)
    }
  }

  #takeSample(bytes: Buffer, start: number, end: number, sender: Sender): void {
    const line = this.#line
    do {
      const taken =
        line.timestampSeconds < 0
          ? this.#aggregate.add(bytes, line, line.kind === gauge ? this.#now() : 0)
          : this.#timed.add(bytes, line, sender.address)
      if (taken >= 0) continue
      if (taken === refused) this.#refused(bytes, sender)
      else if (taken === nameless) {
        line.badReason = 'name'
        line.badAt = start
        this.#bad(bytes, start, end, sender)
        return
      }
    } while (nextValue(bytes, line))
  }

  /** When the packet at hand was read; in one interval never before the one before it, whatever is done to the clock. */
  #now(): number {
    if (this.#isTimed) return this.#packetMs
    this.#isTimed = true
    this.#packetMs = Math.max(this.#packetMs, this.#clock.now())
    return this.#packetMs
  }

  #takeHappening(bytes: Buffer, start: number, end: number, sender: Sender): void {
    const isCheck = bytes[start + 1] === 0x73
    const parsed = isCheck ? parseServiceCheck(bytes, start, end) : parseEvent(bytes, start, end)
    if (!parsed.ok) {
      const { reason, at, expected } = parsed.error
      this.#badLines.badFrom(sender.address, reason, () => explainBad(bytes, start, end, at, expected))
    } else if ('state' in parsed.value) this.#happenings.addCheck(parsed.value)
    else this.#happenings.addEvent(parsed.value)
  }

  #bad(bytes: Buffer, start: number, end: number, sender: Sender): void {
    const line = this.#line
    this.#badLines.badFrom(sender.address, line.badReason, () => explainBadLine(bytes, start, end, line))
  }

  #refused(bytes: Buffer, sender: Sender): void {
    this.#badLines.sample('series_refused_total', () => {
      const name = JSON.stringify(bytes.toString('utf8', this.#line.nameStart, this.#line.nameEnd))
      return `no room for new series ${name} from ${sender.address}: ingest.seriesMax, ${this.#aggregate.seriesCount} series are known`
    })
  }
}
