/**
 * Rule history: the compared value of each group of each rule over time, gathered from the engine's status: every second
 * for a quarter of an hour, every ten seconds for two hours. Transitions fill in what came before this process.
 *
 * Bounded by `groupsMax`; a group that has been silent for as long as the history reaches makes room.
 */
import type { EngineStatus } from '../model/status.ts'
import type { Transition } from '../model/transition.ts'
import type { Stats } from '../runtime/stats.ts'
import { Ring } from './ring.ts'
import type { RuleGraphView } from './view.ts'

export const fineSize = 900
export const coarseSize = 720
const fineMs = 1000
const coarseMs = 10_000
/** Lines in one graph, those that fire first. */
export const graphGroupsMax = 40

interface Track {
  fine: Ring
  coarse: Ring
  threshold: number | null
  lastMs: number
}

export class RuleHistory {
  readonly #tracks = new Map<string, Track>()
  readonly #groupsMax: number
  readonly #stats: Stats

  constructor(stats: Stats, groupsMax = 2000) {
    this.#stats = stats
    this.#groupsMax = groupsMax
    stats.observe('rule_groups', () => this.#tracks.size)
  }

  hear(engine: EngineStatus): void {
    for (const { name, groups, lastBucketMs } of engine.rules) {
      for (const { key, value, threshold } of groups) {
        const track = this.#track(name, key, lastBucketMs)
        if (!track) continue
        put(track, lastBucketMs, value)
        if (threshold !== undefined) track.threshold = threshold
      }
    }
  }

  learn({ rule, groupKey, bucketMs, series, comparison }: Transition): void {
    const track = this.#track(rule, groupKey, bucketMs)
    if (!track) return
    if (comparison) track.threshold = comparison.threshold
    const last = series.values.length - 1
    series.values.forEach((value, i) => {
      const atMs = bucketMs - (last - i) * series.stepMs
      if (track.fine.get(atMs) === null) put(track, atMs, value)
    })
  }

  /** Lines of the given groups, in their order. Steps are fine for ranges that the fine ring covers. */
  graph(rule: string, keys: readonly string[], fromMs: number, untilMs: number): RuleGraphView {
    const isFine = untilMs - fromMs <= fineSize * fineMs
    const stepMs = isFine ? fineMs : coarseMs
    const endMs = Math.ceil(untilMs / stepMs) * stepMs
    const wanted = Math.floor((endMs - fromMs) / stepMs) + 1
    const size = Math.max(0, Math.min(isFine ? fineSize : coarseSize, wanted))
    const startMs = endMs - (size - 1) * stepMs
    const lines = keys.slice(0, graphGroupsMax).flatMap((key) => {
      const track = this.#tracks.get(idOf(rule, key))
      if (!track) return []
      const ring = isFine ? track.fine : track.coarse
      const values = Array.from({ length: size }, (_, i) => ring.get(startMs + i * stepMs))
      return [{ key, threshold: track.threshold, values }]
    })
    return { startMs, stepMs, lines }
  }

  #track(rule: string, key: string, atMs: number): Track | undefined {
    const id = idOf(rule, key)
    let track = this.#tracks.get(id)
    if (!track) {
      if (this.#tracks.size >= this.#groupsMax) this.#makeRoom(atMs)
      if (this.#tracks.size >= this.#groupsMax) {
        this.#stats.count('rule_groups_over_max_total')
        return undefined
      }
      const rings = { fine: new Ring(fineMs, fineSize), coarse: new Ring(coarseMs, coarseSize) }
      track = { ...rings, threshold: null, lastMs: atMs }
      this.#tracks.set(id, track)
    }
    track.lastMs = Math.max(track.lastMs, atMs)
    return track
  }

  #makeRoom(nowMs: number): void {
    for (const [id, { lastMs }] of this.#tracks) {
      if (nowMs - lastMs > coarseSize * coarseMs) this.#tracks.delete(id)
    }
  }
}

function put({ fine, coarse }: Track, atMs: number, value: number | null): void {
  fine.set(atMs, value)
  coarse.set(atMs, value)
}

function idOf(rule: string, key: string): string {
  return `${rule}\n${key}`
}
