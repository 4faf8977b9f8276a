/**
 * How late a page's transition is when the engine that leads is killed or hangs: `node bench/takeover.ts [--rounds N]`.
 *
 * Two `tocsin run cep` on a RabbitMQ of their own are fed one spike a second (test/support/engines.ts). In each round the
 * leader is killed (SIGKILL) or stopped (SIGSTOP) at a random moment. Printed is the longest time from the end of a bucket
 * to its transition on alerts-log, of each round, and what was lost or told twice, which must be nothing.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startEngines } from '../test/support/engines.ts'
import { startRabbitmq } from '../test/support/rabbitmq.ts'

const { values: flags } = parseArgs({ options: { rounds: { type: 'string', default: '10' } } })
const musts = { kill: 1000, hang: 5000 }

const broker = await startRabbitmq()
for (const way of ['kill', 'hang'] as const) {
  const worst: number[] = []
  for (let round = 0; round < Number(flags.rounds); round++) worst.push(await takeover(way))
  worst.sort((a, b) => a - b)
  const [median, most] = [worst[worst.length >> 1] as number, worst.at(-1) as number]
  console.log(`${way}: ${worst.length} rounds, median ${median} ms, worst ${most} ms; ${most / musts[way]} of the must`)
}
await broker.end()

async function takeover(way: 'kill' | 'hang'): Promise<number> {
  const engines = await startEngines(await broker.vhost())
  const leader = await engines.leader()
  await pause(2000 + Math.random() * 1000)
  if (way === 'kill') await leader.end('SIGKILL')
  else leader.child.kill('SIGSTOP')
  await pause(7000)
  leader.child.kill('SIGCONT')
  await pause(2000)
  await engines.settled()
  const what = engines.told.map((told) => told.what)
  const missing = engines.fed.expected.slice(0, -4).filter((one) => !what.includes(one))
  const twice = what.filter((one, i) => what.indexOf(one) !== i)
  if (missing.length + twice.length > 0) console.log(`${way}: lost ${missing.join(', ')}; twice ${twice.join(', ')}`)
  await engines.end()
  return Math.max(...engines.told.map(({ atMs, bucketMs }) => atMs - bucketMs))
}
