/**
 * Merge: the shards' reports become one aggregate, as if all lines had come to it.
 *
 * Counters add up, sets unite, timers take over the samples; gauges take over levels and changes in the order of their
 * moments (of one moment: in the order of the shards). Exact to the last bit where sums are (whole numbers); of other
 * numbers the order of addition may show in the last digit.
 *
 * Reports of an earlier interval that come late may be merged with a later one: nothing is lost but resolution.
 */
import type { Aggregate } from './aggregate.ts'
import type { GaugeChangeList } from './gauge-changes.ts'
import type { LineKind } from './parse.ts'
import { grown, refused } from './series.ts'
import type { ShardReport } from './shard.ts'

/** Series merged between two turns of the event loop. */
const atATime = 5_000

export interface Reported {
  /** Number of the shard. */
  shard: number
  report: ShardReport
}

/** One shard's slots and what they are in the aggregate. */
class SlotMap {
  readonly #names: string[] = []
  readonly #kinds: LineKind[] = []
  #slots = new Int32Array(1024)
  #generation = 0

  learn({ slots, kinds, names }: ShardReport['fresh']): void {
    slots.forEach((slot, i) => {
      this.#names[slot] = names[i] as string
      this.#kinds[slot] = kinds[i] as LineKind
      if (slot >= this.#slots.length) this.#slots = grown(this.#slots, Int32Array, slot)
      this.#slots[slot] = 0
    })
  }

  nameOf(slot: number): string {
    return this.#names[slot] as string
  }

  /** The slot in the aggregate, or `refused`. */
  find(slot: number, aggregate: Aggregate): number {
    if (this.#generation !== aggregate.generation) {
      this.#generation = aggregate.generation
      this.#slots.fill(0)
    }
    const known = (this.#slots[slot] as number) - 1
    if (known >= 0) return known
    const found = aggregate.slotNamed(this.#kinds[slot] as LineKind, this.#names[slot] as string)
    if (found !== refused) this.#slots[slot] = found + 1
    return found
  }
}

export class Merger {
  readonly #aggregate: Aggregate
  readonly #maps = new Map<number, SlotMap>()
  /** Told of a series that has no room, and how many samples of it that cost. */
  readonly #onRefused: (name: string, samples: number) => void

  constructor(aggregate: Aggregate, onRefused: (name: string, samples: number) => void) {
    this.#aggregate = aggregate
    this.#onRefused = onRefused
  }

  /** A shard begins anew: its slots mean nothing any more. */
  forgetShard(shard: number): void {
    this.#maps.delete(shard)
  }

  /** Merges all reports; yields now and then, so that a large merge can take its time. */
  *merge(all: readonly Reported[], nowMs: number): Generator<undefined, void> {
    for (const { shard, report } of all) this.#mapOf(shard).learn(report.fresh)
    for (const { shard, report } of all) {
      const map = this.#mapOf(shard)
      yield* this.#counters(map, report)
      yield* this.#timers(map, report)
      yield* this.#sets(map, report)
    }
    yield* this.#gauges(all, nowMs)
  }

  #mapOf(shard: number): SlotMap {
    let map = this.#maps.get(shard)
    if (!map) {
      map = new SlotMap()
      this.#maps.set(shard, map)
    }
    return map
  }

  #slotOf(map: SlotMap, slot: number, samples: number): number {
    const found = map.find(slot, this.#aggregate)
    if (found === refused) this.#onRefused(map.nameOf(slot), samples)
    return found
  }

  *#counters(map: SlotMap, { counters: { slots, sums, samples } }: ShardReport): Generator<undefined, void> {
    for (let i = 0; i < slots.length; i++) {
      if (i % atATime === atATime - 1) yield
      const slot = this.#slotOf(map, slots[i] as number, samples[i] as number)
      if (slot >= 0) this.#aggregate.addCounts(slot, sums[i] as number, samples[i] as number)
    }
  }

  *#timers(map: SlotMap, { timers }: ShardReport): Generator<undefined, void> {
    const { slots, sizes, samples, scaledCounts, large } = timers
    let at = 0
    for (let i = 0; i < slots.length; i++) {
      if (i % atATime === atATime - 1) yield
      const size = sizes[i] as number
      const slot = this.#slotOf(map, slots[i] as number, size)
      if (slot >= 0) this.#aggregate.addSamples(slot, samples.subarray(at, at + size), scaledCounts[i] as number)
      at += size
    }
    for (const { slot: theirs, seen } of large) {
      const slot = this.#slotOf(map, theirs, seen.count)
      if (slot >= 0) this.#aggregate.addDistribution(slot, seen)
    }
  }

  *#sets(map: SlotMap, { sets }: ShardReport): Generator<undefined, void> {
    const { slots, members, overflowed } = sets
    let first = 0
    let added = 0
    for (let i = 0; i < slots.length; i++) {
      const size = members.sizes[i] as number
      const slot = this.#slotOf(map, slots[i] as number, size)
      if (slot >= 0) this.#aggregate.addMembers(slot, members, i, first, overflowed[i] === 1)
      first += size
      added += size
      if (added < atATime) continue
      added = 0
      yield
    }
  }

  /** A gauge that one shard got is taken over as it is; what several got of one is put into order first. */
  *#gauges(all: readonly Reported[], nowMs: number): Generator<undefined, void> {
    const shared = this.#sharedGauges(all)
    const changes = new Map<number, Change[]>()
    for (const { shard, report } of all) {
      const map = this.#mapOf(shard)
      let count = 0
      for (const { slot: theirs, change } of changesOf(report.gauges)) {
        if (++count % atATime === 0) yield
        const slot = this.#slotOf(map, theirs, 1)
        if (slot < 0) continue
        if (!shared.has(slot)) this.#apply(slot, change, nowMs)
        else if (changes.has(slot)) changes.get(slot)?.push(change)
        else changes.set(slot, [change])
      }
    }
    for (const [slot, list] of changes) {
      // The sort is stable: of one moment, in the order of the shards.
      for (const change of list.sort((a, b) => a.atMs - b.atMs)) this.#apply(slot, change, nowMs)
    }
  }

  #apply(slot: number, { value, isRelative, atMs }: Change, nowMs: number): void {
    this.#aggregate.changeLevel(slot, value, isRelative, atMs, nowMs)
  }

  /** Slots in the aggregate of gauges that several shards got. */
  #sharedGauges(all: readonly Reported[]): ReadonlySet<number> {
    const [first, ...others] = all.filter(({ report }) => report.gauges.slots.length > 0)
    const shared = new Set<number>()
    if (!first || others.length === 0) return shared
    const seen = new Set<number>()
    for (const { shard, report } of [first, ...others]) {
      const map = this.#mapOf(shard)
      for (const theirs of report.gauges.slots) {
        const slot = map.find(theirs, this.#aggregate)
        if (seen.has(slot)) shared.add(slot)
        else seen.add(slot)
      }
    }
    return shared
  }
}

interface Change {
  value: number
  isRelative: boolean
  atMs: number
}

function* changesOf({ slots, sizes, values, atMs, isRelative }: GaugeChangeList): Generator<{
  slot: number
  change: Change
}> {
  let at = 0
  for (let i = 0; i < slots.length; i++) {
    for (const end = at + (sizes[i] as number); at < end; at++) {
      const change = { value: values[at] as number, isRelative: isRelative[at] === 1, atMs: atMs[at] as number }
      yield { slot: slots[i] as number, change }
    }
  }
}
