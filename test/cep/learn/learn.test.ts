import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Inventory, type SeriesSeen } from '../../../src/cep/journal/inventory.ts'
import { entryOfSeries } from '../../../src/cep/language/catalogue.ts'
import { loadRules } from '../../../src/cep/language/load.ts'
import { catalogueOf } from '../../../src/cep/learn/catalogue-of.ts'
import { familiesOf } from '../../../src/cep/learn/families.ts'
import { rulesLearn } from '../../../src/cep/tools/learn.ts'
import { temporaryFolder } from '../../support/recording.ts'

describe('families of names', () => {
  const processes = ['router', 'browserid', 'dbwriter', 'verifier', 'keysigner']
  const responses = processes.flatMap((name) => [200, 404, 503].map((code) => `browserid.${name}.response.${code}`))

  it.each<[string, readonly string[], readonly string[]]>([
    ['of many alike have a star where they differ', responses, ['browserid.*.response.*']],
    ['of one name are that name', ['web.hits'], ['web.hits']],
    ['of two at the end stay apart', ['web.hits', 'web.errors'], ['web.errors', 'web.hits']],
    ['of three at the end are one', ['web.hits', 'web.errors', 'web.misses'], ['web.*']],
    ['of a number may have another one tomorrow', ['web.status.200'], ['web.status.*']],
    ['of several lengths stay apart', ['a.b', 'a.b.c', 'a.b.d', 'a.b.e'], ['a.b', 'a.b.*']],
    ['keep their first segment', ['web.a', 'db.a', 'mail.a', 'cache.a'], ['cache.a', 'db.a', 'mail.a', 'web.a']],
    [
      'keep apart what is built otherwise',
      [...responses, 'browserid.router.wsapi.stage_user'],
      ['browserid.*.response.*', 'browserid.*.wsapi.stage_user'],
    ],
    ['do not mind tags', ['hits;host=a', 'hits;host=b'], ['hits']],
  ])('%s', (_, names, patterns) => {
    expect(
      familiesOf(names)
        .map(({ pattern }) => pattern)
        .sort(),
    ).toEqual(patterns)
  })

  it('that are too varied for stars have two', () => {
    const names = Array.from(
      { length: 400 },
      (_, i) => `app.x${i % 40}.${'abcdefghij'[i % 10]}${i}.${i % 3 ? 'y' : 'z.w'}`,
    )
    const patterns = familiesOf(names).map(({ pattern }) => pattern)
    expect(patterns.length).toBeLessThanOrEqual(12)
  })
})

describe('a learnt catalogue', () => {
  const seen = (name: string, kind: SeriesSeen['kind'], more: Partial<SeriesSeen> = {}): SeriesSeen => {
    const counts = { points: 1, lastMs: 0, gapMs: 0, gapVotes: 0, rose: 0, fell: 0, lastValue: 0 }
    return { name, kind, stepMs: 1000, ...counts, ...more }
  }

  it('has one entry of its own for a series that would fall under another kind', () => {
    const counts = ['a', 'b', 'c', 'd'].map((host) => seen(`web.${host}.hits`, 'count'))
    const { entries } = catalogueOf([...counts, seen('web.e.hits', 'gauge')])
    expect(entries.map(({ match, kind }) => [match, kind])).toEqual([
      ['web.e.hits', 'gauge'],
      ['web.*.hits', 'count'],
    ])
  })

  it.each<[SeriesSeen, string, string]>([
    [seen('stats.timers.sync.upper_90.web1', 'untyped'), 'percentile', 'by its name'],
    [seen('if.eth0.octets', 'untyped', { rose: 50 }), 'counter', 'it only ever grew'],
    [seen('memory.free', 'untyped', { rose: 50, fell: 3 }), 'gauge', 'its kind is not on the bus'],
  ])('guesses the kind of a foreign number, and says so', (series, kind, guess) => {
    expect(catalogueOf([series]).entries).toMatchObject([{ kind, guess }])
  })

  it('tells the step where values come less often than every second', () => {
    const every10s = { gapMs: 10_000, gapVotes: 30 }
    const { entries } = catalogueOf([
      seen('load.a', 'gauge', every10s),
      seen('load.b', 'gauge', every10s),
      seen('load.c', 'gauge', { gapMs: 1000, gapVotes: 5 }),
      seen('hits.a', 'count', every10s),
      seen('slow.a', 'count', { stepMs: 10_000 }),
      seen('web.a', 'check', { stepMs: 30_000 }),
    ])
    const steps = Object.fromEntries(entries.map(({ match, stepMs }) => [match, stepMs]))
    expect(steps).toEqual({ 'load.*': 10_000, 'hits.a': undefined, 'slow.a': 10_000, 'check:web.a': 30_000 })
  })

  it('loads without a problem, and every series falls under an entry of its kind, whatever the names', () => {
    const segment = fc.constantFrom(
      'web',
      'db',
      'a',
      'b',
      'c',
      'hits',
      '200',
      '503',
      'x-1',
      'for',
      'no',
      'é',
      'a b',
      'p{q',
      'q*',
      'r:s',
    )
    const name = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('.'))
    const kind = fc.constantFrom<SeriesSeen['kind']>('count', 'gauge', 'timer', 'set', 'untyped', 'check')
    const one = fc.tuple(name, kind).map(([text, ofKind]) => seen(text, ofKind))
    const all = fc.uniqueArray(one, {
      maxLength: 60,
      selector: ({ name: text, kind: ofKind }) => `${ofKind === 'check'} ${text}`,
    })
    fc.assert(
      fc.property(all, (series) => {
        const { entries, misfits } = catalogueOf(series)
        const lines = entries.map(({ match, kind: ofKind, unit }) => {
          return `  - {match: ${JSON.stringify(match)}, kind: ${ofKind}${unit ? `, unit: ${unit}` : ''}}`
        })
        const loaded = loadRules([
          { path: 'a.yaml', text: entries.length > 0 ? `metrics:\n${lines.join('\n')}\n` : 'rules: {}' },
        ])
        expect(loaded.problems.map(({ message }) => message)).toEqual([])
        let wrong = 0
        for (const { name: text, kind: ofKind } of series) {
          const entry = entryOfSeries(loaded.catalogue, ofKind === 'check', text)
          if (ofKind !== 'untyped' && entry?.kind !== ofKind) wrong++
        }
        expect(wrong).toBeLessThanOrEqual(misfits)
      }),
      { numRuns: 200 },
    )
  })
})

describe('rules learn', () => {
  let folder: ReturnType<typeof temporaryFolder>
  beforeEach(() => {
    folder = temporaryFolder()
  })
  afterEach(() => folder.remove())
  const at = (seconds: number) => new Date(Date.parse('2024-03-01T00:00:00Z') + seconds * 1000).toISOString()
  const learn = (lines: readonly object[], flags = {}) => {
    const journal = path.join(folder.path, 'a.jsonl')
    fs.writeFileSync(journal, lines.map((line) => JSON.stringify(line)).join('\n'))
    return rulesLearn({ journal, json: false, nowMs: Date.parse(at(7200)), ...flags })
  }
  const traffic = [0, 10, 20, 30, 40].flatMap((second) => [
    ...['a', 'b', 'c'].map((name) => ({
      at: at(second + 1),
      series: `browserid.${name}.response.200`,
      kind: 'count',
      value: 1,
    })),
    { at: at(second + 1), series: 'browserid.a.response_time', kind: 'timer', value: [12, 15] },
    { at: at(second + 10), series: 'memory.free.web1', kind: 'gauge', value: second },
    { at: at(second + 10), check: 'web.a', state: 'ok', step: '10s' },
    { at: at(second + 10), event: 'deploy' },
  ])

  it('prints a catalogue that "rules check" takes, with how many series and one of them', async () => {
    const { exitCode, text } = await learn(traffic)
    expect(exitCode).toBe(0)
    expect(
      text,
    ).toBe(`# Learnt from what was recorded from 2024-03-01 00:00:01 UTC to 2024-03-01 00:00:50 UTC: 6 series.
# The first entry that matches a series wins. Add units, and better kinds where one is said to be a guess.
metrics:
  # 1 series
  - {match: "browserid.a.response_time", kind: timer, unit: ms}
  # 1 series
  - {match: "memory.free.web1", kind: gauge, step: 10s}
  # 1 series
  - {match: "check:web.a", kind: check, step: 10s}
  # 3 series, such as browserid.a.response.200
  - {match: "browserid.*.response.*", kind: count}`)
    expect(loadRules([{ path: 'learnt.yaml', text: text as string }], { strict: true }).problems).toEqual([])
  })

  it('tells the same in JSON', async () => {
    const { text } = await learn(traffic, { json: true })
    expect(JSON.parse(text as string)).toMatchObject({
      series: 6,
      misfits: 0,
      metrics: expect.arrayContaining([
        { match: 'browserid.*.response.*', kind: 'count', series: 3, example: 'browserid.a.response.200' },
      ]),
    })
  })

  it('of events alone has nothing to say', async () => {
    const outcome = await learn([{ at: at(1), event: 'deploy' }])
    expect(outcome).toMatchObject({ exitCode: 2, error: 'tocsin: no metrics and no checks were recorded then' })
  })
})

describe('an inventory', () => {
  it('is bounded, and counts what is over', () => {
    const inventory = new Inventory(2)
    const result = { sequence: 1, atMs: 1, state: 'ok' as const, output: '', durationMs: 1, stepMs: 1000 }
    const results = ['a', 'b', 'c'].map((name) => ({ ...result, name }))
    inventory.add({
      kind: 'checks',
      key: 'checks.a',
      id: 'a:1',
      offset: 0,
      message: { source: 'a', bucketMs: 1, results },
    })
    expect([inventory.size, inventory.overflow]).toEqual([2, 1])
  })
})
