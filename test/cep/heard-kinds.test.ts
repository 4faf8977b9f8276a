import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Engine } from '../../src/cep/engine.ts'
import { disagrees } from '../../src/cep/heard-kinds.ts'
import { startCep } from '../../src/cep/index.ts'
import { loadRules } from '../../src/cep/language/load.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import { MadeLog, temporaryFolder } from '../support/recording.ts'
import { until } from '../support/until.ts'
import { configFor, openWorld, type World } from '../support/world.ts'

const rules = `
metrics:
  - {match: "web.**", kind: gauge}
  - {match: "net.**", kind: counter}
rules:
  hits: {every: 1s, crit: "max(web.{host}.hits) over 5s > 5"}
  errors: {every: 1s, crit: "max(web.{host}.errors) over 5s > 5"}
  octets: {every: 1s, crit: "rate(net.{host}.octets) over 5s > 5/s"}
`
const warning = 'web.** is declared a gauge, but web.a.hits comes as a count; the catalogue wins'

let world: World
let folder: ReturnType<typeof temporaryFolder>
beforeEach(async () => {
  world = await openWorld()
  folder = temporaryFolder()
})
afterEach(async () => {
  await world.end()
  folder.remove()
})

it.each([
  ['gauge', 'count', true],
  ['count', 'gauge', true],
  ['timer', 'count', true],
  ['counter', 'gauge', false],
  ['percentile', 'gauge', false],
  ['count', 'set', false],
  ['count', 'untyped', false],
] as const)('declared a %s, come as a %s: that is a disagreement: %s', (declared, came, isOne) => {
  expect(disagrees(declared, came)).toBe(isOne)
})

it('the engine tells each entry of the catalogue that the bus contradicts once, and what fits not at all', () => {
  const engine = new Engine({ defaultStepMs: 1000, rules: loadRules([{ path: 'a.yaml', text: rules }]) })
  const log = new MadeLog(1_700_000_000_000)
  for (let i = 0; i < 5; i++) log.second({ 'web.a.hits': 1, 'web.a.errors': 1 }, { 'net.a.octets': i })
  for (const entry of log.entries) engine.step(entry)
  expect(engine.status().warnings).toEqual([warning])
})

it('a running engine logs it once, and shows it in its status', async () => {
  fs.writeFileSync(path.join(folder.path, 'rules.yaml'), rules)
  const config = configFor((change) => {
    Object.assign(change, { data: folder.path, rules: [path.join(folder.path, 'rules.yaml')] })
  })
  const part = await startCep(config, world.context)
  const bucketMs = Math.ceil(world.context.clock.now() / 1000) * 1000
  const counters = { names: ['web.a.hits'], sums: Float64Array.of(1), samples: Float64Array.of(1) }
  await world.bus.publish('metrics.a-0', { ...emptyMetrics('a-0', bucketMs, 1000), counters })
  const told = () => world.statuses.filter(({ engine }) => engine?.warnings?.includes(warning)).length
  await until(() => told() >= 2)
  await part.stop()
  expect(world.logged.filter((line) => line === warning)).toHaveLength(1)
})
