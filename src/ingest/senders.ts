/**
 * Senders: who sends what, by address, and who may.
 *
 * UDP has no password, so networks may be named in `ingest.allow` and lines a second limited per sender by
 * `ingest.perSourceLinesMax`. Each sender's packets, lines and bad lines by reason are counted. Bounded: `namedMax` senders
 * have counters of their own and `knownMax` a limit of their own; all others share one of each.
 */
import net from 'node:net'
import { parseNetwork } from '../runtime/config.ts'
import type { Stats } from '../runtime/stats.ts'
import type { BadLines } from './bad-lines.ts'
import type { Rooms } from './workers/rooms.ts'

export interface SendersOptions {
  stats: Stats
  /** Networks that may send; all when there is none. */
  allow?: readonly string[] | undefined
  /** Per sender and second. */
  linesMax?: number | undefined
  namedMax?: number
  knownMax?: number
  /** Where the limit is shared with workers. */
  rooms?: Rooms
}

/** What one sender sent between two reports. */
export interface SenderReport {
  name: string
  packets: number
  lines: number
}

/** One address, or all that have no place of their own. */
export class SenderCount {
  readonly name: string
  readonly isAllowed: boolean
  /** Where its counters are shown; another one's for those without a name of their own. */
  readonly shown: SenderCount
  packets = 0
  lines = 0
  /** Lines that may still come this second. */
  room: number
  second = 0
  /** Where its room is shared; -1 while that is not known. */
  place = -1

  constructor(name: string, isAllowed: boolean, room: number, shown?: SenderCount) {
    this.shown = shown ?? this
    this.name = name
    this.isAllowed = isAllowed
    this.room = room
  }
}

const others = 'others'

export class Senders {
  readonly #stats: Stats
  readonly #linesMax: number
  readonly #namedMax: number
  readonly #knownMax: number
  readonly #rooms: Rooms | undefined
  readonly #allowed: net.BlockList | undefined
  readonly #known = new Map<string, SenderCount>()
  readonly #others: Readonly<Record<'true' | 'false', SenderCount>>
  #last: SenderCount
  #named = 0
  #second = 0
  #limited = 0

  constructor({ stats, allow, linesMax, rooms, namedMax = 100, knownMax = 10_000 }: SendersOptions) {
    this.#rooms = rooms
    this.#stats = stats
    this.#linesMax = linesMax ?? Number.POSITIVE_INFINITY
    this.#namedMax = namedMax
    this.#knownMax = knownMax
    this.#allowed = allow && blockList(allow)
    this.#others = {
      true: new SenderCount(others, true, this.#linesMax),
      false: new SenderCount(others, false, 0),
    }
    this.#last = this.#others.true
    this.#observe(this.#last)
    if (linesMax !== undefined) stats.observe('lines_limited_total', () => this.#limited)
  }

  /** The sender with this address; ask `isAllowed` of it. */
  of(address: string): SenderCount {
    const last = this.#last
    const sender = last.name === address ? last : (this.#known.get(address) ?? this.#meet(address))
    if (this.#rooms) sender.room = this.#sharedRoom(this.#rooms, sender)
    else if (sender.second !== this.#second) {
      sender.second = this.#second
      sender.room = this.#linesMax
    }
    this.#last = sender
    return sender
  }

  /** Where the limit is shared with workers. */
  get rooms(): Rooms | undefined {
    return this.#rooms
  }

  /** A new second: everybody may send again. */
  nextSecond(): void {
    this.#second++
    this.#rooms?.refill()
  }

  /** Counts what one packet brought; `limited` lines of it were not looked at. */
  count(sender: SenderCount, lines: number, limited: number): void {
    sender.shown.packets++
    sender.shown.lines += lines
    sender.room -= lines
    this.#rooms?.take(sender.place, lines)
    this.#limited += limited
  }

  countBad(address: string, reason: string, times = 1): void {
    const name = this.#known.get(address)?.shown.name ?? others
    this.#stats.count(`sender_bad_lines_total{sender="${name}",reason="${reason}"}`, times)
  }

  /** What came since the last report, for another Senders to add; the counts begin anew. */
  takeReport(): { senders: SenderReport[]; linesLimited: number } {
    const report: SenderReport[] = []
    for (const sender of [this.#others.true, ...this.#known.values()]) {
      const { name, packets, lines } = sender
      if (packets > 0) report.push({ name, packets, lines })
      sender.packets = sender.lines = 0
    }
    const linesLimited = this.#limited
    this.#limited = 0
    return { senders: report, linesLimited }
  }

  /** Adds what a worker counted. */
  addReport(senders: readonly SenderReport[], linesLimited: number): void {
    for (const { name, packets, lines } of senders) {
      const { shown } = name === others ? this.#others.true : this.of(name)
      shown.packets += packets
      shown.lines += lines
    }
    this.#limited += linesLimited
  }

  #sharedRoom(rooms: Rooms, sender: SenderCount): number {
    if (sender.place < 0) sender.place = rooms.placeOf(sender.name)
    return rooms.left(sender.place)
  }

  #meet(address: string): SenderCount {
    const isAllowed = this.#mayAllow(address)
    if (this.#known.size >= this.#knownMax || !isAllowed) return this.#others[`${isAllowed}`]
    const isNamed = this.#named < this.#namedMax
    const sender = new SenderCount(address, true, this.#linesMax, isNamed ? undefined : this.#others.true)
    this.#known.set(address, sender)
    if (isNamed) {
      this.#named++
      this.#observe(sender)
    }
    return sender
  }

  #mayAllow(address: string): boolean {
    return this.#allowed?.check(address, net.isIPv6(address) ? 'ipv6' : 'ipv4') ?? true
  }

  #observe(sender: SenderCount): void {
    this.#stats.observe(`sender_packets_total{sender="${sender.name}"}`, () => sender.packets)
    this.#stats.observe(`sender_lines_total{sender="${sender.name}"}`, () => sender.lines)
  }
}

/** Whether an address may connect; a refusal is counted. */
export function gate(senders: Senders, badLines: BadLines): (address: string) => boolean {
  return (address) => {
    const { isAllowed } = senders.of(address)
    if (!isAllowed) badLines.refuse(address)
    return isAllowed
  }
}

function blockList(networks: readonly string[]): net.BlockList {
  const list = new net.BlockList()
  for (const network of networks) {
    const parsed = parseNetwork(network)
    if (parsed) list.addSubnet(parsed.address, parsed.prefix, net.isIPv6(parsed.address) ? 'ipv6' : 'ipv4')
  }
  return list
}
