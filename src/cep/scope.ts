/**
 * Scope: the groups over which an expression is computed, and its leaves' groups beside them.
 *
 * A rule has one scope; inside a quantifier or a pool of an expression there is one more, with more names. A group is born
 * when a leaf that keeps all names of the scope has its first point there.
 */
import { Groups, projection, type Refusals } from './groups.ts'
import type { LeafRun } from './leaf.ts'
import { widenedInts } from './leaf.ts'
import { bytes, ints, roomMin } from './saved.ts'
import type { Sources } from './sources.ts'

/** One leaf as a scope sees it: which of its groups belongs to each group of the scope. */
export interface Link {
  leaf: LeafRun
  map: Int32Array<ArrayBuffer>
  /** True where the leaf keeps all names of the scope, so that its groups are the scope's. */
  isFull: boolean
  project: (values: readonly string[]) => readonly string[]
  adopt: (values: readonly string[]) => readonly string[]
}

/** One evaluation for one group: a number, a truth, or NaN for missing. */
export type Evaluate = (group: number) => number

export class Scope {
  readonly groups: Groups
  readonly links: Link[] = []
  /** Compiled parts by tree node, so that a let used twice is computed once. */
  readonly compiled = new Map<unknown, Evaluate>()
  sourceSet = new Int32Array(roomMin)
  /** 1 where all sources of the group are dead, or some. */
  isBlind = new Uint8Array(roomMin)
  isPartial = new Uint8Array(roomMin)
  born: number[] = []
  /** Told when a group's number begins anew, to empty its state. */
  readonly onReset: ((group: number) => void)[] = []
  readonly #sources: Sources
  #setsSeen = -1

  constructor(names: readonly string[], groupsMax: number, sources: Sources, refusals: Refusals) {
    this.groups = new Groups(names, groupsMax, refusals)
    this.#sources = sources
  }

  attach(leaf: LeafRun): Link {
    const known = this.links.find((link) => link.leaf === leaf)
    if (known) return known
    const { names } = this.groups
    const link: Link = {
      leaf,
      map: new Int32Array(this.sourceSet.length).fill(-1),
      isFull: leaf.groups.names.length === names.length,
      project: projection(names, leaf.groups.names),
      adopt: leaf.groups.names.length === names.length ? projection(leaf.groups.names, names) : (values) => values,
    }
    this.links.push(link)
    return link
  }

  /** Adds the groups that were born in the leaves, in the order of their keys. */
  adopt(): void {
    if (this.born.length > 0) this.born = []
    for (const { leaf, isFull, adopt } of this.links) {
      if (!isFull || leaf.born.length === 0) continue
      for (const group of [...leaf.born].sort((a, b) =>
        (leaf.groups.keys[a] as string) < (leaf.groups.keys[b] as string) ? -1 : 1,
      )) {
        this.add(adopt(leaf.groups.values[group] as readonly string[]))
      }
    }
  }

  /** The group's number, made when it is new; -1 without room. */
  add(values: readonly string[]): number {
    const known = this.groups.find(values)
    if (known >= 0) return known
    const group = this.groups.add(values)
    if (group < 0) return -1
    this.#room(group)
    for (const reset of this.onReset) reset(group)
    for (const link of this.links) link.map[group] = link.leaf.ensure(link.project(values))
    this.born.push(group)
    this.#setsSeen = -1
    return group
  }

  /** Notes who feeds each group and who of the feeders lives, where that may have changed. */
  judge(): void {
    let version = this.#sources.version
    for (let i = 0; i < this.links.length; i++) version += (this.links[i] as Link).leaf.setsVersion
    if (version === this.#setsSeen) return
    this.#setsSeen = version
    for (const group of this.groups.sorted()) this.#judgeSources(group)
  }

  /** When the group that was silent for the longest was last fed; infinite without groups. */
  oldestSeenMs(): number {
    let oldestMs = Number.POSITIVE_INFINITY
    const groups = this.groups.sorted()
    for (let i = 0; i < groups.length; i++) oldestMs = Math.min(oldestMs, this.lastSeenMs(groups[i] as number))
    return oldestMs
  }

  /** When a point last came, in leaves that keep all names; other rules' states count only where there is nothing else. */
  lastSeenMs(group: number): number {
    let inputMs = Number.NEGATIVE_INFINITY
    let otherMs = Number.NEGATIVE_INFINITY
    for (const { leaf, map, isFull } of this.links) {
      if (!isFull) continue
      const seenMs = leaf.lastSeenMs[map[group] as number] ?? Number.NEGATIVE_INFINITY
      if (leaf.isInput) inputMs = Math.max(inputMs, seenMs)
      else otherMs = Math.max(otherMs, seenMs)
    }
    return inputMs === Number.NEGATIVE_INFINITY ? otherMs : inputMs
  }

  drop(group: number): void {
    for (const { leaf, map, isFull } of this.links) {
      if (isFull && (map[group] as number) >= 0) leaf.drop(map[group] as number)
      map[group] = -1
    }
    this.groups.drop(group)
  }

  save() {
    const { length } = this.groups
    return {
      groups: this.groups.save(),
      maps: this.links.map(({ map }) => map.subarray(0, length)),
      sourceSet: this.sourceSet.subarray(0, length),
      isBlind: this.isBlind.subarray(0, length),
      isPartial: this.isPartial.subarray(0, length),
      setsSeen: this.#setsSeen,
    }
  }

  restore(saved: ReturnType<Scope['save']>): void {
    this.groups.restore(saved.groups)
    this.links.forEach((link, i) => {
      link.map = ints(saved.maps[i] as Int32Array, -1)
    })
    this.sourceSet = ints(saved.sourceSet)
    this.isBlind = bytes(saved.isBlind)
    this.isPartial = bytes(saved.isPartial)
    this.#setsSeen = saved.setsSeen
  }

  #judgeSources(group: number): void {
    let set = 0
    for (const { leaf, map } of this.links) {
      const theirs = map[group] as number
      if (theirs >= 0) set = this.#sources.union(set, leaf.sourceSet[theirs] as number)
    }
    this.sourceSet[group] = set
    for (const { leaf, map } of this.links) {
      const theirs = map[group] as number
      if (theirs >= 0) leaf.fallbackSet[theirs] = set
    }
    const { alive, known, isBlind } = this.#sources.alive(set)
    this.isBlind[group] = isBlind ? 1 : 0
    this.isPartial[group] = alive > 0 && alive < known ? 1 : 0
  }

  #room(group: number): void {
    if (group < this.sourceSet.length) return
    const size = Math.max(this.sourceSet.length * 2, group + 1)
    this.sourceSet = widenedInts(this.sourceSet, size)
    const [blind, partial] = [new Uint8Array(size), new Uint8Array(size)]
    blind.set(this.isBlind)
    partial.set(this.isPartial)
    this.isBlind = blind
    this.isPartial = partial
    for (const link of this.links) {
      const from = link.map.length
      link.map = widenedInts(link.map, size)
      link.map.fill(-1, from)
    }
  }
}
