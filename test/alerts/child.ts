/**
 * The alerts part as a process of its own, to be killed: `node child.ts DIRECTORY`, with tocsin.yaml in it. Each line on
 * stdin is a transition in JSON; it is answered with `said <id>` once the bus has taken it. `leads` is printed when it
 * has become the one that sends.
 */
import path from 'node:path'
import readline from 'node:readline'
import { startAlerts } from '../../src/alerts/index.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { openRabbitBus } from '../../src/bus/rabbitmq.ts'
import type { Transition } from '../../src/model/transition.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { loadConfig } from '../../src/runtime/config.ts'
import { createLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

const dir = process.argv[2] as string
const loaded = loadConfig(path.join(dir, 'tocsin.yaml'), {})
if (!loaded.ok) throw new Error(JSON.stringify(loaded.error))
const clock = systemClock
const log = createLog({ format: 'text' })
const instance = `child-${process.pid}`
const { url, exchange, retention: retentionMs } = loaded.value.bus
const options = { clock, log, stats: new Stats(), instance, retentionMs }
const bus =
  url === 'memory'
    ? await openMemoryBus({ ...options, dir: path.join(dir, 'log') })
    : await openRabbitBus({ ...options, url, exchange })
const watch = bus.onStatus((status) => {
  if (status.instance === instance && status.counters.leader === 1) void watch.stop().then(() => console.log('leads'))
})
const part = await startAlerts(loaded.value, { bus, clock, log, instance, host: 'test', environment: {} })
console.log('ready')
for await (const line of readline.createInterface({ input: process.stdin })) {
  const transition = JSON.parse(line) as Transition
  await bus.publish(`transitions.${transition.rule}`, transition)
  console.log(`said ${transition.id}`)
}
await part.stop()
await bus.close()
