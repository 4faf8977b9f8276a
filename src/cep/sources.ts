/**
 * Sources: who feeds the engine, up to which bucket, and who is dead; and with that which buckets are closed.
 *
 * A source is one running instance (an id); its lasting name is what rules and groups know. It is dead when it has missed
 * 5 of its own intervals and at least 5 s, counted in clock messages delivered since its last marker, so that a broker
 * outage kills nobody. After `bye`, or when a newer instance of its name appears, nobody waits for it.
 *
 *     (first marker) ─▶ live ──missed 5──▶ dead ──24 h──▶ forgotten
 *                         │ ▲────marker────┘
 *                         └──bye──▶ gone
 */
import type { SourceStatus } from '../model/status.ts'
import type { Marker } from '../model/time.ts'
import { refill, refillMap } from './saved.ts'

interface SourceState {
  id: string
  name: string
  startedMs: number
  bucketMs: number
  intervalMs: number
  latenessMs: number
  state: 'live' | 'dead' | 'gone'
  /** Clock seconds delivered since the last marker. */
  missed: number
}

interface NameState {
  name: string
  /** Times in which the name was heard, oldest first: after `fromMs` up to `toMs`. */
  spans: { fromMs: number; toMs: number }[]
  state: 'live' | 'dead' | 'gone'
  isLate: boolean
  /** The log was interrupted: what comes next does not go on from the last span. */
  isCut: boolean
}

const missedIntervalsMax = 5
const missedSecondsMin = 5
const forgetSeconds = 86_400
const spansMax = 64
/** Without a clock message and without a source for so long, nothing ran. */
const pauseMsMin = 10_000
const noNames: ReadonlySet<string> = new Set()

export class Sources {
  readonly #sources = new Map<string, SourceState>()
  readonly #names: NameState[] = []
  readonly #byName = new Map<string, number>()
  /** Interned sets of names, each sorted; 0 is the empty set. */
  readonly #sets: number[][] = [[]]
  readonly #setIds = new Map<string, number>([['', 0]])
  #nowMs = 0
  /** The clock's last jump ahead: no engine ran in between. */
  #jump = { fromMs: 0, toMs: 0 }
  /** What the last sources to say `bye` had all marked; their last bucket need not wait for the clock. */
  #leftMs = 0
  /** Names whose goodbye takes effect after this bucket: its own data is complete, so nothing in it is blind. */
  #leaving: { name: string; bucketMs: number }[] = []
  /** Grows whenever a name's state changes. */
  version = 0

  get nowMs(): number {
    return this.#nowMs
  }

  /** Takes a marker; an earlier one that comes again changes nothing. True when a source turns out to have lateness. */
  marker(marker: Marker): boolean {
    let source = this.#sources.get(marker.source)
    if (source && marker.bucketMs < source.bucketMs) return false
    const isNew = source === undefined
    const wasLate = source !== undefined && source.latenessMs > 0
    if (!source) {
      const { source: id, name, startedMs, bucketMs, intervalMs, latenessMs } = marker
      source = { id, name, startedMs, bucketMs, intervalMs, latenessMs, state: 'live', missed: 0 }
      this.#sources.set(id, source)
      for (const other of this.#sources.values()) {
        if (other.name === name && other.startedMs < startedMs) other.state = 'gone'
      }
    }
    source.bucketMs = Math.max(source.bucketMs, marker.bucketMs)
    source.intervalMs = marker.intervalMs
    source.latenessMs = marker.latenessMs
    source.missed = 0
    source.state = 'live'
    if (marker.bye === true) {
      this.#leaving.push({ name: source.name, bucketMs: source.bucketMs })
      if (source.latenessMs === 0) this.#leftMs = Math.max(this.#leftMs, this.#marked(noNames))
      source.state = 'gone'
    }
    this.#hear(source, isNew)
    return !wasLate && source.latenessMs > 0
  }

  /**
   * The end of a pause in which nothing ran, neither an engine's clock nor any source, that began when everything up to
   * `fromMs` was closed; undefined where somebody lived. A pause shorter than `pauseMsMin` is none.
   */
  resumedMs(fromMs: number, toMs: number): number | undefined {
    if (toMs - fromMs < pauseMsMin) return undefined
    const hadClock = this.#nowMs > fromMs + pauseMsMin
    if (hadClock && this.#jump.fromMs > fromMs + pauseMsMin) return undefined
    let resumedMs = hadClock ? Math.min(toMs, this.#jump.toMs) : toMs
    for (const { spans } of this.#names) {
      for (const span of spans) if (span.toMs > fromMs) resumedMs = Math.min(resumedMs, Math.max(fromMs, span.fromMs))
    }
    return resumedMs - fromMs >= pauseMsMin ? resumedMs : undefined
  }

  /** Takes the larger of the clocks of several processes; each second counts once. */
  clock(nowMs: number): void {
    if (this.#nowMs > 0 && nowMs - this.#nowMs >= pauseMsMin) this.#jump = { fromMs: this.#nowMs, toMs: nowMs }
    const isNewSecond = Math.floor(nowMs / 1000) > Math.floor(this.#nowMs / 1000)
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    if (!isNewSecond) return
    for (const source of this.#sources.values()) {
      source.missed++
      const limit = Math.max(missedSecondsMin, (missedIntervalsMax * source.intervalMs) / 1000)
      if (source.state === 'live' && source.missed >= limit) {
        source.state = 'dead'
        this.#judge(source.name)
      }
      if (source.state !== 'live' && source.missed > forgetSeconds) {
        this.#sources.delete(source.id)
        this.#judge(source.name)
      }
    }
  }

  /**
   * Up to where buckets are closed for rules that the given late names feed: what every live source without lateness and
   * each of those has marked; without any, the clock or the last goodbye. Undefined before there is any time at all.
   */
  closed(lateNames: ReadonlySet<string>): number | undefined {
    const marked = this.#marked(lateNames)
    if (marked !== Number.POSITIVE_INFINITY) return marked
    const endMs = Math.max(this.#nowMs, this.#leftMs)
    return endMs > 0 ? endMs : undefined
  }

  /** Before the bucket ending at `atMs` is computed: who said goodbye in an earlier one is gone now. */
  settle(atMs: number): void {
    if (this.#leaving.length === 0) return
    const left = this.#leaving.filter(({ bucketMs }) => bucketMs < atMs)
    this.#leaving = this.#leaving.filter(({ bucketMs }) => bucketMs >= atMs)
    for (const { name } of left) this.#judge(name)
  }

  /** The least mark of the live sources that count; infinite without any. */
  #marked(lateNames: ReadonlySet<string>): number {
    let marked = Number.POSITIVE_INFINITY
    for (const source of this.#sources.values()) {
      if (source.state !== 'live') continue
      if (source.latenessMs === 0 || lateNames.has(source.name)) marked = Math.min(marked, source.bucketMs)
    }
    return marked
  }

  /** Where time began: the start of the first bucket that any source marked, or the first clock. */
  startedMs(): number | undefined {
    let startMs = Number.POSITIVE_INFINITY
    for (const source of this.#sources.values()) startMs = Math.min(startMs, source.bucketMs - source.intervalMs)
    return startMs !== Number.POSITIVE_INFINITY ? startMs : this.#nowMs > 0 ? this.#nowMs : undefined
  }

  /** The name of a source id; before its first marker the id stands for it. */
  nameOf(id: string): string {
    return this.#sources.get(id)?.name ?? id.replace(/-[0-9a-z]+$/, '')
  }

  isLate(id: string): boolean {
    return (this.#sources.get(id)?.latenessMs ?? 0) > 0
  }

  indexOf(name: string): number {
    let index = this.#byName.get(name)
    if (index === undefined) {
      index = this.#names.push({ name, spans: [], state: 'gone', isLate: false, isCut: false }) - 1
      this.#byName.set(name, index)
    }
    return index
  }

  /** Every name that ever sent a marker, sorted. */
  names(): string[] {
    return this.#names
      .filter(({ spans }) => spans.length > 0)
      .map(({ name }) => name)
      .sort()
  }

  stateOf(name: string): 'live' | 'dead' | 'gone' | undefined {
    const index = this.#byName.get(name)
    const known = index === undefined ? undefined : this.#names[index]
    return known && known.spans.length > 0 ? known.state : undefined
  }

  /** The set with one more name. */
  withName(set: number, name: number): number {
    const names = this.#sets[set] as number[]
    if (names.includes(name)) return set
    return this.#intern([...names, name])
  }

  union(a: number, b: number): number {
    if (a === b || b === 0) return a
    if (a === 0) return b
    return this.#intern([...new Set([...(this.#sets[a] as number[]), ...(this.#sets[b] as number[])])])
  }

  /** Of a set: names that live, and names that are known (live or dead; the rest said bye). */
  alive(set: number): { alive: number; known: number; isBlind: boolean } {
    const names = this.#sets[set] as number[]
    let alive = 0
    let dead = 0
    for (const name of names) {
      const { state } = this.#names[name] as NameState
      if (state === 'live') alive++
      else if (state === 'dead') dead++
    }
    return { alive, known: alive + dead, isBlind: names.length > 0 && alive === 0 }
  }

  /** Buckets close only as far as all of the set have marked them; of the empty set, as far as any source has. */
  isSteady(set: number): boolean {
    const isLive = (name: number) => (this.#names[name] as NameState).state === 'live'
    if (set === 0) return this.#names.some(({ state, isLate }) => state === 'live' && !isLate)
    return (this.#sets[set] as number[]).every(isLive)
  }

  /** How many of the `buckets` buckets up to `atMs` any name of the set covered; the empty set means any source. */
  covered(set: number, stepMs: number, atMs: number, buckets: number, sinceMs: number): number {
    const names = set === 0 ? this.#names : (this.#sets[set] as number[]).map((name) => this.#names[name] as NameState)
    const first = Math.max(atMs - (buckets - 1) * stepMs, sinceMs + stepMs)
    const ranges: [number, number][] = []
    for (const { spans } of names) {
      for (const { fromMs, toMs } of spans) {
        // The first bucket whose end is after the span's start, the last whose end it reaches.
        const from = Math.max(first, (Math.floor(fromMs / stepMs) + 1) * stepMs)
        const to = Math.min(atMs, Math.floor(toMs / stepMs) * stepMs)
        if (from <= to) ranges.push([from, to])
      }
    }
    return countBuckets(ranges, stepMs)
  }

  status(): SourceStatus[] {
    return [...this.#sources.values()]
      .map(({ id, name, state, bucketMs, latenessMs }) => ({
        source: id,
        name,
        state,
        lastBucketMs: bucketMs,
        latenessMs,
      }))
      .sort((a, b) => (a.source < b.source ? -1 : 1))
  }

  /** A part of the log is missing here: nobody knows what was sent in it. */
  cut(): void {
    for (const known of this.#names) known.isCut = true
  }

  /** Knows the same names and sets by the same numbers, and nothing else: for an engine that looks back. */
  sibling(): Sources {
    const sibling = new Sources()
    for (const { name } of this.#names) sibling.indexOf(name)
    for (const names of this.#sets.slice(1)) sibling.#intern(names)
    return sibling
  }

  /** Takes over the numbers that a sibling has given since. */
  adopt(sibling: Sources): void {
    for (const { name } of sibling.#names) this.indexOf(name)
    for (const names of sibling.#sets) this.#intern(names)
  }

  save() {
    return {
      sources: [...this.#sources.values()],
      names: this.#names,
      sets: this.#sets,
      nowMs: this.#nowMs,
      jump: this.#jump,
      leftMs: this.#leftMs,
      leaving: this.#leaving,
      version: this.version,
    }
  }

  restore(saved: ReturnType<Sources['save']>): void {
    refillMap(
      this.#sources,
      saved.sources.map((source) => [source.id, { ...source }]),
    )
    refill(this.#names, structuredClone(saved.names))
    refillMap(
      this.#byName,
      saved.names.map(({ name }, index) => [name, index]),
    )
    refill(this.#sets, saved.sets)
    refillMap(
      this.#setIds,
      saved.sets.map((names, set) => [names.join(' '), set]),
    )
    this.#nowMs = saved.nowMs
    this.#jump = saved.jump
    this.#leftMs = saved.leftMs
    this.#leaving = [...saved.leaving]
    this.version = saved.version
  }

  #hear(source: SourceState, isNew: boolean): void {
    const known = this.#names[this.indexOf(source.name)] as NameState
    known.isLate = source.latenessMs > 0
    const fromMs = source.bucketMs - source.intervalMs
    const last = known.spans.at(-1)
    const goesOn = last && !known.isCut && ((known.state === 'live' && !isNew) || fromMs <= last.toMs)
    known.isCut = false
    if (goesOn) last.toMs = Math.max(last.toMs, source.bucketMs)
    else known.spans.push({ fromMs, toMs: source.bucketMs })
    if (known.spans.length > spansMax) known.spans.shift()
    if (source.state === 'live') this.#judge(source.name)
  }

  #judge(name: string): void {
    const known = this.#names[this.indexOf(name)] as NameState
    const mine = [...this.#sources.values()].filter((source) => source.name === name)
    const state = mine.some((source) => source.state === 'live')
      ? 'live'
      : mine.some((source) => source.state === 'dead')
        ? 'dead'
        : 'gone'
    if (state !== known.state) this.version++
    known.state = state
  }

  #intern(names: number[]): number {
    names.sort((a, b) => a - b)
    const key = names.join(' ')
    let set = this.#setIds.get(key)
    if (set === undefined) {
      set = this.#sets.push(names) - 1
      this.#setIds.set(key, set)
    }
    return set
  }
}

/** Buckets in the union of ranges of bucket ends. */
function countBuckets(ranges: [number, number][], stepMs: number): number {
  if (ranges.length === 0) return 0
  ranges.sort((a, b) => a[0] - b[0])
  let count = 0
  let reached = Number.NEGATIVE_INFINITY
  for (const [from, to] of ranges) {
    const start = Math.max(from, reached + stepMs)
    if (to >= start) count += Math.round((to - start) / stepMs) + 1
    reached = Math.max(reached, to)
  }
  return count
}
