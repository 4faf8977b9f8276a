/**
 * Agenda: which rules have something to do in a bucket, so that a rule costs nothing while nothing can change in it.
 *
 * After each bucket in which nothing fed it a rule says until when nothing can change by time alone (RuleRun.restsUntil).
 * Until then it is passed over; what it counts in buckets is caught up with when it runs again (RuleRun.pass). It is woken
 * by whatever feeds it, by a rule that it refers to and that runs, by a source that comes, goes or dies, and by the end
 * of one of its groups. So transitions, values and status are those of an engine that runs every rule in every bucket.
 */
import type { Company } from './companies.ts'
import type { RuleRun } from './rule-run.ts'

/** Due in the next bucket, whichever that is. */
const now = Number.NEGATIVE_INFINITY

export class Agenda {
  readonly #rules: readonly RuleRun[]
  /** By place of a rule: no bucket before this one changes anything in it. */
  readonly #dueMs: Float64Array
  /** By place: places of the rules that refer to it; they stand after it. */
  readonly #followers: readonly (readonly number[])[]
  readonly #isWatched: boolean

  /** With `isWatched` every rule runs in every bucket, since somebody looks at it. */
  constructor(rules: readonly RuleRun[], isWatched: boolean) {
    this.#rules = rules
    this.#isWatched = isWatched
    this.#dueMs = new Float64Array(rules.length).fill(now)
    const followers: number[][] = rules.map(() => [])
    const placeOf = new Map(rules.map(({ rule }, place) => [rule.name, place]))
    rules.forEach(({ rule }, place) => {
      for (const name of rule.rulesUsed) followers[placeOf.get(name) ?? -1]?.push(place)
    })
    this.#followers = followers
  }

  isDue(place: number, atMs: number): boolean {
    return atMs >= (this.#dueMs[place] as number)
  }

  /** A rule ran; `restsUntilMs` is its word on when it must run next. */
  ran(place: number, restsUntilMs: number): void {
    if (!this.#isWatched) this.#dueMs[place] = restsUntilMs
    for (const follower of this.#followers[place] as readonly number[]) this.#dueMs[follower] = now
  }

  /** Before a rule is fed: it has lived through all buckets that are closed, and runs in the next one. */
  wake(place: number, closedMs: number): void {
    if (this.#dueMs[place] === now) return
    this.#dueMs[place] = now
    this.#rules[place]?.pass(closedMs)
  }

  /** Whatever these rules know may have changed. */
  wakeAll({ places }: Company): void {
    for (const place of places) this.#dueMs[place] = now
  }

  /** Rules that will not run in the next bucket unless something wakes them. */
  get resting(): number {
    return this.#dueMs.reduce((count, dueMs) => count + (dueMs === now ? 0 : 1), 0)
  }

  /** Something concerns every rule in the bucket of `atMs`. */
  wakeAt(atMs: number): void {
    for (let place = 0; place < this.#dueMs.length; place++) {
      if ((this.#dueMs[place] as number) > atMs) this.#dueMs[place] = atMs
    }
  }
}
