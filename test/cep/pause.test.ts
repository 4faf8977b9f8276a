/** Tocsin itself was not running: that time is nobody's silence. */
import { describe, expect, test } from 'vitest'
import { World } from './world.ts'

const rules = `
metrics:
  - {match: "mem.**", kind: gauge}
  - {match: "check:web.*", kind: check, step: 10s}
rules:
  host_silent:
    crit: no mem.{host} for 1m
  web_down:
    crit: check:web.{host} is not ok for 3 in a row
`

/** One second in the life of the pipeline. */
function live(world: World, at: number, started: number, hosts: readonly string[] = ['a', 'b']): void {
  world.gauge('in', at, Object.fromEntries(hosts.map((host) => [`mem.${host}`, 1])))
  if (at % 10 === 0) world.check('in', at, 'web.a', 'ok')
  world.mark('in', at, { started })
  world.clock(at)
}

function lived(until: number): World {
  const world = new World(rules)
  for (let at = 1; at <= until; at++) live(world, at, 0)
  world.take()
  return world
}

describe.each([
  ['stopped in order', true],
  ['was killed', false],
])('Tocsin %s and is started again an hour later', (_, bye) => {
  test('nobody is called silent, and no check missing, for the time in which nothing ran', () => {
    const world = lived(100)
    if (bye) world.mark('in', 101, { bye })
    for (let at = 3700; at < 3800; at++) live(world, at, 3699)
    expect(world.take()).toEqual([])
  })

  test('whoever was quiet before is silent when quiet for long enough in lived time', () => {
    const world = lived(100)
    for (let at = 101; at <= 140; at++) live(world, at, 0, ['a'])
    if (bye) world.mark('in', 141, { bye })
    for (let at = 3700; at < 3740; at++) live(world, at, 3699, ['a'])
    const [silent, ...others] = world.take()
    expect(others).toEqual([])
    const [, second] = /^host_silent\/b: crit at (\d+)$/.exec(silent as string) as RegExpExecArray
    // 40 s before, some 20 s after.
    expect(Number(second)).toBeGreaterThanOrEqual(3715)
    expect(Number(second)).toBeLessThanOrEqual(3722)
  })
})

describe('while something runs', () => {
  test('a host that is silent is silent, also with the engine away for an hour', () => {
    const world = lived(100)
    for (let at = 101; at <= 3600; at++) {
      world.gauge('in', at, { 'mem.a': 1 })
      if (at % 10 === 0) world.check('in', at, 'web.a', 'ok')
      world.mark('in', at)
    }
    world.clock(3600)
    expect(world.take()).toEqual(['host_silent/b: crit at 160'])
  })
})
