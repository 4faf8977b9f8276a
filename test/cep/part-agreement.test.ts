import { describe, expect, it } from 'vitest'
import { Agreement, comparedMax } from '../../src/cep/part-agreement.ts'
import type { Transition } from '../../src/model/transition.ts'

const startMs = 100_000
const later = startMs + 1_000_000

function transition(atMs: number, changes: Partial<Transition> = {}): Transition {
  const { to = 'crit', groupKey = 'web1' } = changes
  return {
    id: `r/${groupKey}/${atMs}/${to}`,
    rule: 'r',
    group: [],
    groupKey,
    bucketMs: atMs,
    from: 'ok',
    to,
    hidden: false,
    blind: false,
    sinceMs: atMs,
    say: '',
    reason: 'x > 1',
    values: [{ name: 'x', value: 2, text: '2' }],
    series: { stepMs: 1000, values: [] },
    tags: {},
    ...changes,
  }
}

function compared(computed: readonly Transition[], told: readonly Transition[], nowMs = later): string[] {
  const agreement = new Agreement()
  agreement.restart(startMs)
  for (const one of computed) agreement.computed(one)
  for (const one of told) agreement.told(one)
  return agreement.disagreements(nowMs)
}

describe('two engines', () => {
  const one = transition(startMs + 1000)

  it('agree when the same transition with the same values was computed and told, in whatever order', () => {
    const other = transition(startMs + 1000, { groupKey: 'web2' })
    expect(compared([one, other], [other, one])).toEqual([])
  })

  it('disagree when only one of them knows a transition', () => {
    expect(compared([one], [])).toEqual([`this engine computed ${one.id}, the one that leads did not tell it`])
    expect(compared([], [one])).toEqual([`the engine that leads told ${one.id}, this one did not compute it`])
  })

  it('disagree on a value, and both are shown', () => {
    const [found] = compared([one], [{ ...one, values: [{ name: 'x', value: 3, text: '3' }] }])
    expect(found).toMatch(/was told as .*\["x",3\].*, this engine computed .*\["x",2\]/)
  })

  it('are not compared before the slower one had a minute', () => {
    expect(compared([one], [], startMs + 60_000)).toEqual([])
    expect(compared([one], [], startMs + 61_000)).toHaveLength(1)
  })

  it('are compared once, and only from when this one stands by', () => {
    const agreement = new Agreement()
    agreement.computed(one)
    agreement.restart(startMs)
    agreement.told(transition(startMs))
    expect(agreement.disagreements(later)).toEqual([])
    agreement.told(one)
    expect(agreement.disagreements(later)).toHaveLength(1)
    expect(agreement.disagreements(later)).toEqual([])
  })

  it('are compared in bounded memory: what is oldest goes uncompared', () => {
    const many = Array.from({ length: comparedMax + 5 }, (_, i) => transition(startMs + 1000, { groupKey: `g${i}` }))
    expect(compared(many, [])).toHaveLength(comparedMax)
  })
})
