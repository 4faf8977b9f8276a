/** Both: one test through the engine and through the naive reading, as timelines of text. */
import type { LoadedRules, RawTest } from '../../../src/cep/language/load.ts'
import { prepare } from '../../../src/cep/testing/prepare.ts'
import { play } from '../../../src/cep/testing/run.ts'
import { formatTimeline, timelineOf } from '../../../src/cep/testing/timeline.ts'
import { referenceTimelines } from './levels.ts'

type Timelines = Record<string, Record<string, string>>

export function bothTimelines(
  test: RawTest,
  loaded: LoadedRules,
  text: string,
): { engine: Timelines; reference: Timelines; closeCalls: number } {
  const prepared = prepare(test, loaded, text)
  if (!prepared.ok) throw new Error(prepared.error.map(({ message }) => message).join('\n'))
  const asserted = [...prepared.value.expected.keys()]
  const transitions = play(prepared.value, loaded)
  const { timelines, closeCalls } = referenceTimelines(prepared.value, loaded)
  const engine: Timelines = {}
  for (const rule of asserted) {
    const ofRule = transitions.filter((transition) => transition.rule === rule)
    const groups = Map.groupBy(ofRule, ({ groupKey }) => groupKey)
    const lines = [...groups].map(([key, of]) => [key, formatTimeline(timelineOf(of, 0))] as const)
    engine[rule] = Object.fromEntries(lines.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  return { engine, reference: Object.fromEntries(asserted.map((rule) => [rule, timelines[rule] ?? {}])), closeCalls }
}
