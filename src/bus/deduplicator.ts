/**
 * Deduplicator: tells whether a message id has been seen, for one reader.
 *
 * Ids are `<publisher>:<sequence>` and the sequence grows, so one number per publisher says nearly everything: what is
 * above it is new. Below it, only what was skipped can be new (a message that the broker refused at first and took when
 * it was published again); the skipped ranges are remembered, the newest `gapsMax` per publisher.
 */
const gapsMax = 64
/** Publishers remembered; every process start is one. The one unheard for longest is forgotten. */
const publishersMax = 2000

interface Seen {
  highest: number
  /** Sequences below `highest` that were never seen, [from, to] inclusive, ascending. */
  gaps: [number, number][]
}

export class Deduplicator {
  readonly #publishers = new Map<string, Seen>()

  /** True the first time. An id of another form is always new: it did not come from our publisher. */
  isNew(id: string): boolean {
    const colon = id.lastIndexOf(':')
    const sequence = Number(id.slice(colon + 1))
    if (colon <= 0 || !Number.isSafeInteger(sequence)) return true
    const publisher = id.slice(0, colon)
    const seen = this.#publishers.get(publisher)
    if (seen === undefined) {
      this.#makeRoom()
      this.#publishers.set(publisher, { highest: sequence, gaps: [] })
      return true
    }
    // Heard now: last in line to be forgotten.
    if (this.#publishers.size >= publishersMax) {
      this.#publishers.delete(publisher)
      this.#publishers.set(publisher, seen)
    }
    if (sequence <= seen.highest) return fill(seen, sequence)
    if (sequence > seen.highest + 1) {
      seen.gaps.push([seen.highest + 1, sequence - 1])
      if (seen.gaps.length > gapsMax) seen.gaps.shift()
    }
    seen.highest = sequence
    return true
  }

  #makeRoom(): void {
    if (this.#publishers.size < publishersMax) return
    const [oldest] = this.#publishers.keys()
    if (oldest !== undefined) this.#publishers.delete(oldest)
  }
}

/** Takes a sequence out of the gaps; false when it lies in none, so it was seen. */
function fill(seen: Seen, sequence: number): boolean {
  const at = seen.gaps.findIndex(([from, to]) => from <= sequence && sequence <= to)
  const gap = seen.gaps[at]
  if (gap === undefined) return false
  const [from, to] = gap
  const rest: [number, number][] = []
  if (from < sequence) rest.push([from, sequence - 1])
  if (sequence < to) rest.push([sequence + 1, to])
  seen.gaps.splice(at, 1, ...rest)
  return true
}
