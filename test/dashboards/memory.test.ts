import { describe, expect, test } from 'vitest'
import { AlertMemory, endedShownMax, entriesPerRuleMax, firingShownMax } from '../../src/dashboards/alert-memory.ts'
import { Changes } from '../../src/dashboards/changes.ts'
import { coarseSize, fineSize, RuleHistory } from '../../src/dashboards/rule-history.ts'
import { instancesMax, StatusMemory } from '../../src/dashboards/status-memory.ts'
import type { EngineStatus } from '../../src/model/status.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { engine, group, rule, status } from '../support/console-feed.ts'
import { transition } from '../support/transitions.ts'

describe('status', () => {
  const heard = (entries: [part: string, instance: string, startedMs: number, heardMs: number][]) => {
    const memory = new StatusMemory(new Stats())
    for (const [part, instance, startedMs, heardMs] of entries) {
      memory.hear(status(part, { instance, startedMs }), heardMs)
    }
    return memory
  }

  test('a part that stops reporting is silent after five seconds', () => {
    const memory = heard([['ingest', 'a', 0, 1000]])
    expect(memory.unready(5999)).toEqual([])
    expect(memory.unready(6000)).toEqual([{ part: 'ingest', instance: 'a', reason: 'silent for 5 s' }])
  })

  test('a restarted part takes the place of its silent former self, not of a twin that lives', () => {
    const entries: [string, string, number, number][] = [
      ['ingest', 'old', 0, 1000],
      ['ingest', 'twin', 1, 19_000],
      ['ingest', 'new', 5000, 20_000],
    ]
    expect(
      heard(entries)
        .parts(20_000)
        .map(({ instance }) => instance),
    ).toEqual(['new', 'twin'])
  })

  test('instances are bounded; the longest silent goes', () => {
    const memory = heard(Array.from({ length: instancesMax + 3 }, (_, i) => ['ingest', `i${i}`, 0, i]))
    expect(memory.parts(instancesMax)).toHaveLength(instancesMax)
    expect(memory.parts(instancesMax).some(({ instance }) => instance === 'i0')).toBe(false)
  })

  test('of two engines the leader speaks; when it falls silent, whoever is left', () => {
    const memory = new StatusMemory(new Stats())
    const say = (instance: string, leader: boolean, heardMs: number) =>
      memory.hear(status('cep', { instance, engine: engine([], { leader, rulesHash: instance }) }), heardMs)
    say('a', true, 1000)
    say('b', false, 1100)
    expect(memory.engine()?.rulesHash).toBe('a')
    say('b', false, 9000)
    expect(memory.engine()?.rulesHash).toBe('b')
    expect(memory.outlook(9000)).toMatchObject({
      sight: 'none',
      reasons: [expect.stringContaining('no engine leads'), expect.anything()],
    })
  })

  test('an engine whose last bucket is old sees nothing of the present', () => {
    const memory = new StatusMemory(new Stats())
    memory.hear(status('alerts'), 100_000)
    memory.hear(status('cep', { engine: engine([rule('a', [group('x')])]), lastBucketMs: 60_000 }), 100_000)
    expect(memory.outlook(100_000)).toMatchObject({ sight: 'none', reasons: ["the engine's last bucket is 40 s old"] })
  })
})

describe('rule history', () => {
  const say = (lastBucketMs: number, key: string, value: number | null): EngineStatus =>
    engine([rule('r', [group(key, { value })], { lastBucketMs })])

  test('a quarter of an hour is kept by the second, two hours by ten seconds', () => {
    const history = new RuleHistory(new Stats())
    const seconds = coarseSize * 10 + 100
    for (let second = 1; second <= seconds; second++) history.hear(say(second * 1000, 'a', second))
    const fine = history.graph('r', ['a'], (seconds - 9) * 1000, seconds * 1000)
    expect(fine).toMatchObject({ stepMs: 1000, lines: [{ key: 'a', threshold: 0.05 }] })
    expect(fine.lines[0]?.values).toEqual(Array.from({ length: 10 }, (_, i) => seconds - 9 + i))
    const coarse = history.graph('r', ['a'], (seconds - 7200) * 1000, seconds * 1000)
    expect(coarse.stepMs).toBe(10_000)
    expect(coarse.lines[0]?.values.filter((value) => value !== null).length).toBeGreaterThanOrEqual(coarseSize - 1)
    expect(coarse.lines[0]?.values.at(-1)).toBe(seconds)
  })

  test('a hole in the status is a hole in the line', () => {
    const history = new RuleHistory(new Stats())
    history.hear(say(1000, 'a', 1))
    history.hear(say(4000, 'a', 4))
    expect(history.graph('r', ['a'], 1000, 4000).lines[0]?.values).toEqual([1, null, null, 4])
  })

  test('what fell out of the ring does not come back as something newer', () => {
    const history = new RuleHistory(new Stats())
    history.hear(say(1000, 'a', 1))
    history.hear(say((fineSize + 1) * 1000, 'a', 2))
    expect(history.graph('r', ['a'], 1000, 2000).lines[0]?.values).toEqual([null, null])
  })

  test('groups are bounded and counted; one silent for the whole history makes room', () => {
    const stats = new Stats()
    const history = new RuleHistory(stats, 2)
    for (const key of ['a', 'b', 'c']) history.hear(say(1000, key, 1))
    expect(stats.get('rule_groups_over_max_total')).toBe(1)
    history.hear(say(1000 + coarseSize * 10_000 + 1, 'd', 1))
    expect(history.graph('r', ['c', 'd'], 1000, 2000).lines.map(({ key }) => key)).toEqual(['d'])
  })
})

describe('alerts', () => {
  test('a redelivered transition changes nothing and stands once in the history', () => {
    const memory = new AlertMemory(new Stats())
    expect(memory.hear(transition('crit', 1000))).toBe(true)
    expect(memory.hear(transition('crit', 1000))).toBe(false)
    expect(memory.entries('http_5xx_spike').transitions).toHaveLength(1)
  })

  test('a blind alert goes on firing and says so', () => {
    const memory = new AlertMemory(new Stats())
    memory.hear(transition('crit', 1000))
    memory.hear(transition('crit', 2000, { blind: true }))
    expect(memory.list()).toMatchObject([{ state: 'firing', blind: true }])
  })

  test('lists and histories are bounded', () => {
    const memory = new AlertMemory(new Stats())
    for (let i = 0; i < firingShownMax + 10; i++) memory.hear(transition('crit', 1000, { group: `f${i}` }))
    for (let i = 0; i < endedShownMax + 10; i++) {
      memory.hear(transition('warn', 1000, { group: `e${i}` }))
      memory.hear(transition('ok', 2000, { group: `e${i}` }))
    }
    expect(memory.list()).toHaveLength(firingShownMax + endedShownMax)
    expect(memory.count()).toEqual({ crit: firingShownMax + 10, warn: 0, hidden: 0 })
    expect(memory.entries('http_5xx_spike').transitions).toHaveLength(entriesPerRuleMax)
  })
})

test('changes tell what came, what differs and what went', () => {
  const changes = new Changes<{ id: string; n: number }>(({ id }) => id)
  expect(
    changes.take([
      { id: 'a', n: 1 },
      { id: 'b', n: 1 },
    ]),
  ).toEqual({
    set: [
      { id: 'a', n: 1 },
      { id: 'b', n: 1 },
    ],
    gone: [],
  })
  expect(
    changes.take([
      { id: 'a', n: 1 },
      { id: 'b', n: 1 },
    ]),
  ).toBeUndefined()
  expect(changes.take([{ id: 'b', n: 2 }])).toEqual({ set: [{ id: 'b', n: 2 }], gone: ['a'] })
})
