import { describe, expect, test } from 'vitest'
import { PostedEvents, postedIdsMax } from '../../src/cep/posted.ts'
import { World } from './world.ts'

const tooHigh = 'rules: {high: {crit: "x.{host} > 5"}}'

describe('a bucket closes', () => {
  test('when every live source has marked it', () => {
    const world = new World(tooHigh)
    world.mark('a', 9)
    world.mark('b', 9)
    world.gauge('a', 10, { 'x.h': 9 })
    world.mark('a', 10)
    expect(world.take()).toEqual([])
    world.mark('b', 10)
    expect(world.take()).toEqual(['high/h: crit at 10'])
  })

  test('without waiting for a source with lateness, except where it has ever fed the rule', () => {
    const world = new World('rules: {high: {crit: "x.{host} > 5"}, slow: {crit: "y.{host} > 5"}}')
    world.mark('a', 9)
    world.mark('cloud', 1, { latenessMs: 8000 })
    world.gauge('cloud', 10, { 'y.h': 9 })
    world.gauge('a', 10, { 'x.h': 9 })
    world.mark('a', 10)
    expect(world.take()).toEqual(['high/h: crit at 10'])
    for (let at = 11; at <= 18; at++) world.mark('a', at)
    world.mark('cloud', 9, { latenessMs: 8000 })
    expect(world.take()).toEqual([])
    world.mark('cloud', 10, { latenessMs: 8000 })
    expect(world.take()).toEqual(['slow/h: crit at 10'])
  })

  test('by the clock when no source lives', () => {
    const world = new World('rules: {quiet: {crit: "no x.** for 5s"}}')
    for (let at = 100; at <= 110; at++) world.clock(at)
    expect(world.take()).toEqual(['quiet/all: crit at 105'])
  })

  test('without a source that said bye, at once', () => {
    const world = new World(tooHigh)
    world.mark('a', 9)
    world.mark('b', 9)
    world.gauge('a', 10, { 'x.h': 9 })
    world.mark('a', 10)
    world.mark('b', 9, { bye: true })
    expect(world.take()).toEqual(['high/h: crit at 10'])
  })

  test('for the last words of sources that all say bye: their last bucket waits for no clock and is not blind', () => {
    const world = new World(tooHigh)
    for (const source of ['a', 'b']) world.mark(source, 9)
    world.clock(9)
    world.gauge('a', 10, { 'x.h': 9 })
    world.mark('a', 10, { bye: true })
    expect(world.take()).toEqual([])
    world.mark('b', 10, { bye: true })
    expect(world.take()).toEqual(['high/h: crit at 10'])
  })

  test('without an older instance of a name once a newer one speaks', () => {
    const world = new World(tooHigh)
    world.mark('a', 9)
    world.gauge('a', 10, { 'x.h': 9 })
    world.mark('a', 10, { started: 1 })
    expect(world.take()).toEqual(['high/h: crit at 10'])
  })
})

describe('a dead source', () => {
  const world = () => {
    const made = new World(`${tooHigh.slice(0, -1)}, quiet: {crit: "no x.{host} for 20s"}}`)
    for (let at = 1; at <= 10; at++) {
      made.gauge('a', at, { 'x.a': 9 })
      made.gauge('b', at, { 'x.b': 1 })
      made.mark('a', at)
      made.mark('b', at)
      made.clock(at)
    }
    made.take()
    return made
  }
  const silence = (made: World, from: number, to: number) => {
    for (let at = from; at <= to; at++) {
      made.gauge('b', at, { 'x.b': 1 })
      made.mark('b', at)
      made.clock(at)
    }
  }

  test('is named after 5 missed seconds, and its groups are blind: they neither raise nor clear', () => {
    const made = world()
    silence(made, 11, 40)
    // Buckets 11 to 15 waited for it; they close when it is given up.
    expect(made.take()).toEqual(['high/a: crit blind at 11', 'source_dead/a: crit at 11'])
    expect(made.group('high', 'a')).toMatchObject({ level: 'crit', blind: true })
    expect(made.group('quiet', 'a')).toMatchObject({ level: 'ok', blind: true })
    expect(made.group('high', 'b')).toMatchObject({ level: 'ok', blind: false })
  })

  test('is not declared dead while the bus delivers no clock', () => {
    const made = world()
    made.clock(500)
    made.clock(501)
    // What the sources kept meanwhile comes in order.
    for (let at = 11; at <= 502; at++) {
      made.gauge('a', at, { 'x.a': 9 })
      made.gauge('b', at, { 'x.b': 1 })
      made.mark('a', at)
      made.mark('b', at)
    }
    expect(made.take()).toEqual([])
  })

  test('that returns is live again, and its groups are judged again', () => {
    const made = world()
    silence(made, 11, 20)
    made.take()
    made.gauge('a', 21, { 'x.a': 1 })
    made.mark('a', 21)
    silence(made, 21, 21)
    expect(made.take()).toEqual(['high/a: ok at 21', 'source_dead/a: ok at 21'])
  })

  test('makes a group partial that others feed too: it may raise, it does not clear, and silence is no news', () => {
    const made = new World(`rules:
  many: {crit: "sum(c.{k}.*) > 5"}
  quiet: {crit: "no c.{k}.* for 8s"}`)
    const both = (at: number, value: number, sources: readonly string[]) => {
      for (const source of sources) made.counts(source, at, { [`c.k.${source}`]: value })
      for (const source of sources) made.mark(source, at)
      made.clock(at)
    }
    for (let at = 1; at <= 5; at++) both(at, 0, ['a', 'b'])
    for (let at = 6; at <= 12; at++) both(at, 9, ['b'])
    expect(made.take().filter((line) => !line.startsWith('source_dead'))).toEqual(['many/k: crit at 6'])
    expect(made.group('many', 'k')).toMatchObject({ partial: true, level: 'crit' })
    for (let at = 13; at <= 40; at++) {
      made.mark('b', at)
      made.clock(at)
    }
    expect(made.take()).toEqual([])
  })
})

describe('input', () => {
  test('that comes twice counts once', () => {
    const world = new World('rules: {many: {crit: "sum(c.{k}.*) > 5"}}')
    world.counts('a', 1, { 'c.k.x': 3 })
    world.counts('a', 1, { 'c.k.x': 3 })
    world.mark('a', 1)
    expect(world.take()).toEqual([])
    world.counts('a', 2, { 'c.k.x': 3 })
    world.counts('b', 2, { 'c.k.x': 3 })
    world.mark('a', 2)
    expect(world.take()).toEqual(['many/k: crit at 2'])
  })

  test('gives the same whatever its order within a bucket', () => {
    const values = [0.1, 0.2, 0.3, 1e16, -1e16, 7.7]
    const run = (order: readonly number[]) => {
      const world = new World('rules: {many: {crit: "sum(c.{k}.*) > -1"}}')
      for (const i of order) world.counts('a', 1, { [`c.k.x${i}`]: values[i] as number })
      world.mark('a', 1)
      return world.told.map(({ id, values: shown }) => ({ id, shown }))
    }
    expect(run([5, 3, 1, 0, 2, 4])).toEqual(run([0, 1, 2, 3, 4, 5]))
  })

  test('for a closed bucket changes nothing', () => {
    const world = new World(tooHigh)
    world.gauge('a', 1, { 'x.h': 1 })
    world.mark('a', 1)
    world.gauge('a', 1, { 'x.h': 9 })
    world.gauge('a', 2, { 'x.h': 1 })
    world.mark('a', 2)
    expect(world.take()).toEqual([])
  })

  test('beyond the bound on groups is refused, counted and named; known groups go on', () => {
    const world = new World('rules: {high: {crit: "x.{host} > 5", at most: 2 hosts}}')
    world.gauge('a', 1, { 'x.a': 1, 'x.b': 1, 'x.c': 9 })
    world.mark('a', 1)
    world.gauge('a', 2, { 'x.a': 9, 'x.b': 1, 'x.c': 9 })
    world.mark('a', 2)
    expect(world.take()).toEqual(['rule_overflow/high: warn at 1', 'high/a: crit at 2'])
  })

  test('an overflow lasts until there is room again; a restart and names that come again do not tell it twice', () => {
    const world = new World('rules: {high: {crit: "x.{host} > 5", at most: 2 hosts, forget: 20m}}')
    const until = (from: number, to: number, hosts: readonly string[]) => {
      for (let at = from; at <= to; at++) {
        // Names in an array of their own each time, as of another source or after a restart.
        if (at % 60 === 1) world.gauge('a', at, Object.fromEntries(hosts.map((host) => [`x.${host}`, 1])))
        world.mark('a', at)
      }
    }
    until(1, 1500, ['a', 'b', 'c'])
    expect(world.take()).toEqual(['rule_overflow/high: warn at 1'])
    until(1501, 3700, ['b', 'c'])
    // a was last heard at 1441 and is forgotten at 2641; c takes its place.
    expect(world.take()).toEqual(['high/a: nodata at 1741', 'rule_overflow/high: ok at 3240'])
    expect(world.group('high', 'c')?.level).toBe('ok')
  })

  test('an event may retire a host at once', () => {
    const world = new World(tooHigh)
    world.gauge('a', 1, { 'x.h': 9 })
    world.mark('a', 1)
    const event = { source: 'a-0', sequence: 1, atMs: 1500, bucketMs: 2000, name: 'retired', tags: { host: 'h' } }
    world.send('events', event)
    world.mark('a', 2)
    expect(world.take()).toEqual(['high/h: crit at 1', 'high/h: forgotten at 2'])
  })
})

describe('changed rules', () => {
  const firing = (text: string) => {
    const world = new World(text)
    for (let at = 1; at <= 5; at++) {
      world.gauge('a', at, { 'x.h': 9 })
      world.mark('a', at)
    }
    return world
  }
  const next = (world: World, from: number, to: number, value: number) => {
    for (let at = from; at <= to; at++) {
      world.gauge('a', at, { 'x.h': value })
      world.mark('a', at)
    }
  }
  const pending = (more: string) => `rules: {high: {crit: "x.{host} > 5 for 8s"${more}}}`

  test('keep the state of a rule that means the same, so that its hold goes on', () => {
    const world = firing(pending(''))
    world.rules(pending(', say: "new words for {host}"'))
    next(world, 6, 8, 9)
    expect(world.told[0]?.say).toBe('new words for h')
    expect(world.take()).toEqual(['high/h: crit at 8'])
  })

  test('let an edited rule begin at the level of its groups: nothing is told twice', () => {
    const world = firing(tooHigh)
    expect(world.take()).toEqual(['high/h: crit at 1'])
    world.rules(tooHigh.replace('> 5', '> 6'))
    next(world, 6, 8, 9)
    expect(world.take()).toEqual([])
    next(world, 9, 10, 1)
    expect(world.take()).toEqual(['high/h: ok at 9'])
  })

  test('end the groups of a rule that is gone', () => {
    const world = firing(tooHigh)
    world.take()
    world.rules('rules: {other: {crit: "y.{host} > 5"}}')
    expect(world.take()).toEqual(['high/h: forgotten at 5'])
  })

  test('with errors change nothing, and say where', () => {
    const world = firing(tooHigh)
    world.take()
    world.rules('rules: {high: {crit: "x.{host} > "}}')
    next(world, 6, 6, 1)
    expect(world.take()).toEqual(['high/h: ok at 6'])
    expect(world.engine.status().rulesProblem).toContain('rules.yaml:1:')
  })
})

test('what is told carries its words, its reason and its numbers', () => {
  const world = new World(`
metrics:
  - {match: "c.*.*", kind: count}
rules:
  errors:
    let: {bad: "sum(c.{p}.5*) over 4s", all: "sum(c.{p}.*) over 4s"}
    crit: bad / all > 5% and bad >= 10
    say: "{p}: {bad / all} fail ({bad} of {all})"
    tags: {team: web}`)
  for (let at = 1; at <= 4; at++) {
    world.counts('a', at, { 'c.v.200': 30, 'c.v.500': 3 })
    world.mark('a', at)
  }
  expect(world.told[0]).toMatchObject({
    id: 'errors/v/4000/crit/shown',
    group: [{ name: 'p', value: 'v' }],
    from: 'ok',
    to: 'crit',
    say: 'v: 9.09% fail (12 of 132)',
    reason: 'bad / all > 5% and bad >= 10 (bad / all is 9.09%, bad is 12)',
    comparison: { expression: 'bad / all', operator: '>', threshold: 0.05, unit: '%', overMs: 4000 },
    tags: { team: 'web' },
  })
  expect(world.told[0]?.series.values.at(-1)).toBeCloseTo(1 / 11)
})

describe('a value stands for its own step', () => {
  test('a gauge without an entry for 10 s, so that slow senders are not missing in between', () => {
    const world = new World('rules: {high: {crit: "x.{host} > 5 for 30s"}}')
    for (let at = 1; at <= 60; at++) {
      if (at % 10 === 0) world.gauge('a', at, { 'x.h': 9 })
      world.mark('a', at)
    }
    expect(world.take()).toEqual(['high/h: crit at 39'])
  })

  test('and covers a window by it: half of a minute is there after three values', () => {
    const world = new World('rules: {high: {crit: "avg(x.{host}) over 1m > 5"}}')
    for (let at = 1; at <= 60; at++) {
      if (at % 10 === 0) world.gauge('a', at, { 'x.h': 9 })
      world.mark('a', at)
    }
    expect(world.take()).toEqual(['high/h: crit at 30'])
  })
})

test('a silent group is dropped after "forget", and told when it was firing; it may come back', () => {
  const world = new World('rules: {high: {crit: "x.{host} > 5", forget: 20s}}')
  for (let at = 1; at <= 40; at++) {
    if (at <= 5 || at >= 30) world.gauge('a', at, { 'x.h': 9, 'x.calm': 1 })
    world.mark('a', at)
  }
  expect(world.take()).toEqual(['high/h: crit at 1', 'high/h: forgotten at 25', 'high/h: crit at 30'])
})

test('a group that another rule has only later is known to rules that refer to it, however long the engine has run', () => {
  const world = new World(
    'rules: {high: {crit: "x.{host} > 5", forget: 20s}, some: {forget: 20s, crit: "any {host} with rule:high is crit"}}',
  )
  for (let at = 1; at <= 40; at++) {
    if (at >= 30) world.gauge('a', at, { 'x.h': 9 })
    world.mark('a', at)
  }
  expect(world.take()).toEqual(['high/h: crit at 30', 'some/all: crit at 30'])
})

test('the same log gives the same transitions', () => {
  const run = () => {
    const world = new World(
      'rules: {high: {crit: "avg(x.{host}) over 10s > 5 for 3s"}, many: {warn: "at least 2 {h} with x.{h} > 7"}}',
    )
    for (let at = 1; at <= 100; at++) {
      const value = (k: number) => ((at * 7919 * k) % 101) / 10
      world.gauge('a', at, { 'x.a': value(1), 'x.b': value(2), 'x.c': value(3) })
      world.mark('a', at)
      world.clock(at)
    }
    return world.told
  }
  expect(run().length).toBeGreaterThan(5)
  expect(run()).toEqual(run())
})

test('a check that fails is told in the bucket of its third failing result', () => {
  const world = new World('rules: {down: {every: 1s, crit: "check:web.{p} is not ok for 3 in a row"}}')
  for (let at = 1; at <= 60; at++) {
    if (at % 10 === 5) world.check('checks', at, 'web.router', at > 20 ? 'crit' : 'ok')
    world.mark('checks', at)
  }
  expect(world.take()).toEqual(['down/router: crit at 45'])
})

describe('an event that somebody posted', () => {
  const deployed =
    'rules: {bad_deploy: {crit: "event:deploy[process={process}] then x.{process} > 5 within 5m, keep 10s"}}'
  const counted = 'rules: {busy: {crit: "count(event:deploy[process={process}]) over 10s >= 2"}}'
  const post = (world: World, at: number, id: string) =>
    world.send('events', {
      ...{ source: 'console-h', sequence: 1, id, name: 'deploy', tags: { process: 'web' } },
      ...{ atMs: at * 1000, bucketMs: at * 1000 },
    })

  test('counts in its bucket, and in the first open one when its own was closed before it came', () => {
    const world = new World(counted)
    world.mark('a', 1)
    post(world, 2, 'd1')
    world.mark('a', 9)
    post(world, 5, 'd2')
    world.mark('a', 10)
    expect(world.take()).toEqual(['busy/web: crit at 10'])
  })

  test('counts once for each id, however often it comes', () => {
    const world = new World(counted)
    world.mark('a', 1)
    post(world, 2, 'd1')
    post(world, 2, 'd1')
    world.mark('a', 3)
    post(world, 4, 'd1')
    world.mark('a', 10)
    expect(world.take()).toEqual([])
    post(world, 10, 'd2')
    world.mark('a', 11)
    expect(world.take()).toEqual(['busy/web: crit at 11'])
  })

  test('is awaited by nobody and makes no group blind: its console may stop', () => {
    const world = new World(deployed)
    world.mark('a', 1)
    world.gauge('a', 2, { 'x.web': 1 })
    post(world, 2, 'd1')
    world.mark('a', 2)
    for (let at = 3; at <= 30; at++) {
      world.clock(at)
      world.gauge('a', at, { 'x.web': at === 20 ? 9 : 1 })
      world.mark('a', at)
    }
    expect(world.take()).toEqual(['bad_deploy/web: crit at 20', 'bad_deploy/web: ok at 30'])
    expect(world.engine.status().sources.map(({ name }) => name)).toEqual(['a'])
  })

  test('is known by the newest ids only, so that remembering them is bounded', () => {
    const posted = new PostedEvents()
    const event = { source: 's', sequence: 1, atMs: 0, bucketMs: 0, name: 'deploy', tags: {} }
    for (let i = 0; i < postedIdsMax + 10; i++) expect(posted.place({ ...event, id: `d${i}` }, 0)).toBeDefined()
    expect(posted.ids).toHaveLength(postedIdsMax)
    expect(posted.place({ ...event, id: `d${postedIdsMax}` }, 0)).toBeUndefined()
    expect(posted.place({ ...event, id: 'd0' }, 0)).toBeDefined()
  })
})
