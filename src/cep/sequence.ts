/**
 * Sequence: `A then B within 5m without C`, per group, rule-language.md §10.
 *
 * One slot per step suffices: for each prefix only its latest completion is kept, since if an earlier one could be
 * extended in time and without a C in between, the latest can too. Before `then no` the earliest unanswered one is kept,
 * so that repeating A does not push the deadline out.
 */
export interface SequenceShape {
  /** `withinMs[i]` is the time limit of step i + 1; the first step has none. */
  withinMs: readonly number[]
  /** The last step is a `no`. */
  endsInNo: boolean
}

/** Completion times by prefix; NaN for none. The last step has no slot. */
export type SequenceState = number[]

/** Something that happened: which steps it is (0 is the first), or that it spoils (C). */
export interface Moment {
  atMs: number
  steps: readonly number[]
  spoils: boolean
}

export function newSequence(shape: SequenceShape): SequenceState {
  return new Array<number>(shape.withinMs.length).fill(Number.NaN)
}

/** Steps a group by the moments of one bucket, in any order; true when the sequence was completed in it. */
export function stepSequence(
  state: SequenceState,
  shape: SequenceShape,
  moments: readonly Moment[],
  atMs: number,
): boolean {
  const ordered = [...moments].sort(
    (a, b) => a.atMs - b.atMs || Number(b.spoils) - Number(a.spoils) || first(a) - first(b),
  )
  let fired = false
  let spoiledMs = Number.NaN
  for (const moment of ordered) {
    if (answerOverdue(state, shape, (deadlineMs) => deadlineMs < moment.atMs)) fired = true
    if (moment.spoils) {
      state.fill(Number.NaN)
      spoiledMs = moment.atMs
    } else if (moment.atMs !== spoiledMs && follow(state, shape, moment)) fired = true
  }
  return answerOverdue(state, shape, (deadlineMs) => deadlineMs <= atMs) || fired
}

/** Steps are tried last to first, so that nothing follows itself. */
function follow(state: SequenceState, { withinMs, endsInNo }: SequenceShape, { atMs, steps }: Moment): boolean {
  const last = withinMs.length
  let fired = false
  for (const step of [...steps].sort((a, b) => b - a)) {
    const isInTime = step === 0 || atMs - (state[step - 1] as number) <= (withinMs[step - 1] as number)
    if (!isInTime) continue
    if (step === last) {
      if (endsInNo) state[last - 1] = Number.NaN
      else fired = true
    } else if (!(endsInNo && step === last - 1 && !Number.isNaN(state[step]))) state[step] = atMs
  }
  return fired
}

function answerOverdue(
  state: SequenceState,
  { withinMs, endsInNo }: SequenceShape,
  isOver: (deadlineMs: number) => boolean,
): boolean {
  const last = withinMs.length
  if (!endsInNo || !isOver((state[last - 1] as number) + (withinMs[last - 1] as number))) return false
  state[last - 1] = Number.NaN
  return true
}

function first({ steps }: Moment): number {
  return Math.min(...steps)
}
