/** A process that is held up for too long: its socket's buffer really overflows, and somebody is told. */
import fs from 'node:fs'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Engine } from '../../src/cep/engine.ts'
import { loadRules } from '../../src/cep/language/load.ts'
import { startIngest } from '../../src/ingest/index.ts'
import { startSelf } from '../../src/self/index.ts'
import { until } from '../support/until.ts'
import { configFor, openWorld, type World } from '../support/world.ts'

const rulesFile = path.join(import.meta.dirname, '../../rules/pipeline.yaml')

/** Sends as fast as it can for as long as the main thread is held up. */
const flood = `
  const { workerData } = require('node:worker_threads')
  const socket = require('node:dgram').createSocket({ type: 'udp4', sendBufferSize: 4 * 1024 ** 2 })
  const packet = Buffer.alloc(8000, 'flood:1|c\\n')
  socket.connect(workerData.port, '127.0.0.1', () => {
    let left = 4000
    const more = () => {
      for (let i = 0; i < 32; i++) socket.send(packet, () => {})
      left -= 32
      if (left > 0) setImmediate(more)
      else {
        Atomics.store(workerData.done, 0, 1)
        Atomics.notify(workerData.done, 0)
        socket.close()
      }
    }
    more()
  })
`

let world: World

beforeEach(async () => {
  world = await openWorld()
})

afterEach(() => world.end())

test.skipIf(!fs.existsSync('/proc/net/udp'))(
  'packets that the kernel throws away page by the shipped rule',
  async () => {
    const config = configFor()
    const self = await startSelf(config, world.context)
    const ingest = await startIngest(config, world.context)
    const port = ingest.addresses.statsdUdp?.port
    // The rule as it is shipped, but for its pace.
    const text = fs
      .readFileSync(rulesFile, 'utf8')
      .replaceAll('every: 10s', 'every: 1s')
      .replaceAll('over 1m', 'over 2s')
    const engine = new Engine({ defaultStepMs: 1000, rules: loadRules([{ path: 'pipeline.yaml', text }]) })
    const told: string[] = []
    let read = 0
    const evaluate = () => {
      for (; read < world.entries.length; read++) {
        const transitions = engine.step(world.entries[read] as (typeof world.entries)[number])
        told.push(...transitions.map(({ rule, groupKey, to, say }) => `${rule}/${groupKey} ${to}: ${say}`))
      }
      return told
    }
    await until(() => world.statuses.some(({ counters }) => counters.kernel_drops_total === 0))
    await until(() => world.entries.some(({ kind }) => kind === 'metrics'))
    const done = new Int32Array(new SharedArrayBuffer(4))
    const sender = new Worker(flood, { eval: true, workerData: { port, done } })
    // Until all is sent nobody reads.
    Atomics.wait(done, 0, 0, 10_000)
    await until(() => evaluate().some((one) => one.startsWith('packets_lost/ingest')), { what: 'a page' })
    const dropped = world.statuses.findLast(({ part }) => part === 'ingest')?.counters.kernel_drops_total
    expect(dropped).toBeGreaterThan(0)
    expect(told.find((one) => one.startsWith('packets_lost'))).toMatch(
      /^packets_lost\/ingest warn: the kernel threw \d+ packets away in a minute: ingest is too slow for what it is sent$/,
    )
    await sender.terminate()
    await ingest.stop()
    await self.stop()
  },
)
