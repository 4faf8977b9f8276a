/** Log files in ingest as a whole: beside statsd in one source, on the memory bus, across restarts. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type IngestPart, startIngest } from '../../../src/ingest/index.ts'
import { type KeptPositions, Positions } from '../../../src/ingest/logs/positions.ts'
import { silentLog } from '../../../src/runtime/log.ts'
import { startTraffic } from '../../support/traffic.ts'
import { until } from '../../support/until.ts'
import { configFor, counterTotal, markers, metrics, openWorld, recordingLog, type World } from '../../support/world.ts'
import { entriesOf } from './setup.ts'

let world: World
let dir: string
let part: IngestPart | undefined

beforeEach(async () => {
  world = await openWorld()
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-logs-'))
})

afterEach(async () => {
  await part?.stop()
  part = undefined
  await world.end()
  fs.rmSync(dir, { recursive: true, force: true })
})

async function start(workers = 1): Promise<IngestPart> {
  const format = { regex: '^(?<word>\\w+)' }
  part = await startIngest(
    configFor((config) => {
      config.data = dir
      config.ingest.workers = workers
      config.ingest.graphite.tcp = false
      config.ingest.logs = entriesOf({
        path: `${dir}/{app}.log`,
        format,
        metrics: [{ counter: '{app}.{word}' }],
        events: [{ event: 'seen', when: '{word} = event', tags: { app: '{app}' } }],
      })
    }),
    world.context,
  )
  return part
}

const append = (text: string, name = 'shop') => fs.appendFileSync(path.join(dir, `${name}.log`), text)
const total = (name: string) => counterTotal(world.entries, name)

test('lines and statsd enter one source with one marker a bucket; events come with the bucket', async () => {
  const { addresses } = await start()
  append('hit\nhit\nevent\n')
  const traffic = startTraffic(addresses.statsdUdp?.port as number, ['shop.hit:1|c'])
  await until(() => total('shop.hit') > (traffic.sent.get('shop.hit') ?? 0) && total('shop.event') === 1)
  traffic.stop()
  await until(() => total('shop.hit') === 2 + (traffic.sent.get('shop.hit') ?? 0))
  const [event] = await until(() => {
    const events = world.entries.flatMap((entry) => (entry.kind === 'events' ? [entry.message] : []))
    return events.length > 0 && events
  })
  expect(event).toMatchObject({ name: 'seen', tags: { app: 'shop' } })
  const sources = new Set(
    [...metrics(world.entries), ...markers(world.entries), event].map((message) => message?.source),
  )
  expect(sources.size).toBe(1)
  const buckets = markers(world.entries).map(({ bucketMs }) => bucketMs)
  expect(new Set(buckets).size).toBe(buckets.length)
})

test.skipIf(process.platform !== 'linux')('beside workers too', async () => {
  const { addresses } = await start(2)
  append('hit\nhit\n')
  const traffic = startTraffic(addresses.statsdUdp?.port as number, ['shop.hit:1|c'])
  await until(() => total('shop.hit') > 5)
  traffic.stop()
  await until(() => total('shop.hit') === 2 + (traffic.sent.get('shop.hit') ?? 0))
})

test('a restart goes on exactly where it was, whatever came meanwhile, rotation included', async () => {
  await start()
  append('a\nb\n')
  await until(() => total('shop.b') === 1)
  await part?.stop()
  append('c\nd')
  fs.renameSync(path.join(dir, 'shop.log'), path.join(dir, 'shop.log.1'))
  append('e\n')
  append('x\n', 'other')
  await start()
  fs.appendFileSync(path.join(dir, 'shop.log.1'), '\n')
  await until(() => total('shop.d') === 1 && total('shop.e') === 1 && total('other.x') === 1)
  await part?.stop()
  part = undefined
  for (const word of ['a', 'b', 'c', 'd', 'e']) expect([word, total(`shop.${word}`)]).toEqual([word, 1])
})

test('positions are kept once the bus has taken their bucket, so that no line is lost with a bucket', async () => {
  const file = path.join(dir, 'logs.json')
  const kept = (offset: number): KeptPositions => ({
    ...{ version: 1, paths: ['x'] },
    files: [{ log: 'x', path: 'x', id: '1:2', offset, head: { bytes: 0, hash: '' } }],
  })
  const positions = new Positions(file, silentLog)
  await positions.write(kept(0))
  positions.mark(1000, kept(10))
  positions.mark(2000, kept(20))
  positions.mark(3000, kept(30))
  await positions.settled()
  expect((await positions.load()).files[0]?.offset).toBe(0)
  positions.confirm(2000)
  await positions.settled()
  expect((await new Positions(file, silentLog).load()).files[0]?.offset).toBe(20)
  expect(fs.readdirSync(dir)).toEqual(['logs.json'])
})

test('positions that cannot be read or written are told once, and change nothing else', async () => {
  const file = path.join(dir, 'logs.json')
  const logged: string[] = []
  fs.writeFileSync(file, '{"version": 1, "files"')
  expect(await new Positions(file, recordingLog(logged)).load()).toEqual({ version: 1, paths: [], files: [] })
  expect(logged).toEqual([expect.stringContaining('logs.json cannot be used, log files begin as at a first start')])
  const nowhere = new Positions(path.join(dir, 'nowhere/logs.json'), recordingLog(logged))
  await nowhere.write({ version: 1, paths: ['a'], files: [] })
  await nowhere.write({ version: 1, paths: ['b'], files: [] })
  expect(logged).toHaveLength(2)
  expect(logged[1]).toMatch(/^positions of log files cannot be kept: ENOENT/)
})
