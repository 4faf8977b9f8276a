/**
 * Two engines as processes on one RabbitMQ, fed one spike a second, and what alerts-log is told of them: the ground on
 * which takeovers are tried (test/story/standby.test.ts) and measured (bench/takeover.ts).
 */
import type { Bus } from '../../src/bus/bus.ts'
import { openRabbitBus } from '../../src/bus/rabbitmq.ts'
import { Source } from '../../src/bus/source.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import { aligned, systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { folderWith, startTocsin, type TocsinProcess } from './tocsin.ts'
import { until } from './until.ts'

const rules = `
metrics: [{match: "api.**", kind: count}]
rules:
  spike:
    every: 1s
    crit: sum(api.{second}.bad) over 1s >= 5
`

export interface Told {
  id: string
  /** `second to`, such as "17 crit". */
  what: string
  bucketMs: number
  /** When it was read from alerts-log, epoch ms. */
  atMs: number
}

export interface Engines {
  /** Transitions of the spikes, in the order of the log. */
  told: Told[]
  /** What must have been told by now, and what the newest bucket fed was. */
  fed: { expected: string[]; bucketMs: number }
  /** Resolves with the process that leads, once one does and the other stands by. */
  leader(): Promise<TocsinProcess>
  /** Starts a process in the place of one that was ended. */
  replace(ended: TocsinProcess): void
  /** Resolves when all that was fed up to now has been told. */
  settled(): Promise<void>
  end(): Promise<void>
}

export async function startEngines(url: string): Promise<Engines> {
  const configOf = (name: string) => `bus: "${url}"\ndata: ./${name}\nchecks: []\nrules: [rules/]\n`
  const folder = folderWith({ 'rules/spike.yaml': rules, 'a.yaml': configOf('a'), 'b.yaml': configOf('b') })
  const start = (name: string) => startTocsin(['run', 'cep', '--config', `${folder.path}/${name}.yaml`])
  const processes = new Map(['a', 'b'].map((name) => [name, start(name)]))
  const bus = await openRabbitBus({
    ...{ url, exchange: 'tocsin', retentionMs: 3_600_000, clock: systemClock, log: silentLog },
    ...{ stats: new Stats(), instance: 'feeder' },
  })
  const told = watch(bus)
  const leaders = new Map<number, boolean>()
  bus.onStatus(({ part, pid, engine, ready }) => {
    if (part === 'cep') leaders.set(pid, ready && engine?.leader === true)
  })
  const leaderNow = () => {
    const all = [...processes.values()]
    const known = all.filter(({ child }) => leaders.has(child.pid as number))
    return known.length === 2 ? all.find(({ child }) => leaders.get(child.pid as number)) : undefined
  }
  const leader = () => until(leaderNow, { timeoutMs: 40_000, what: 'one engine to lead and one to stand by' })
  // Rules take effect in the bucket after they came; what is fed before is told by nobody.
  await leader()
  const fed: Engines['fed'] = { expected: [], bucketMs: 0 }
  const stopFeeding = feed(bus, fed)
  return {
    told,
    fed,
    leader,
    replace(ended) {
      const name = [...processes].find(([, process]) => process === ended)?.[0] as string
      leaders.clear()
      processes.set(name, start(name))
    },
    async settled() {
      const wanted = new Set(fed.expected)
      await until(() => wanted.isSubsetOf(new Set(told.map(({ what }) => what))), {
        timeoutMs: 40_000,
        what: 'everything that was fed to be told',
      })
    },
    async end() {
      stopFeeding()
      await Promise.all([...processes.values()].map((process) => process.end('SIGKILL')))
      await bus.close()
      folder.remove()
    },
  }
}

function watch(bus: Bus): Told[] {
  const told: Told[] = []
  bus.readLog('alerts-log', 'first', ({ kind, message }) => {
    if (kind !== 'transitions' || message.rule !== 'spike' || message.blind) return
    const { id, groupKey, to, bucketMs } = message
    told.push({ id, what: `${groupKey} ${to}`, bucketMs, atMs: systemClock.now() })
  })
  return told
}

/** Each second another group has a spike of one bucket: it is crit in that bucket and ok in the next. */
function feed(bus: Bus, fed: Engines['fed']): () => void {
  const source = new Source(bus, { name: 'ingest-a', startedMs: systemClock.now(), intervalMs: 1000 })
  let second = 0
  const feeding = aligned(1000, systemClock).subscribe((bucketMs) => {
    const counters = { names: [`api.${++second}.bad`], sums: Float64Array.of(9), samples: Float64Array.of(1) }
    const metrics = [{ ...emptyMetrics(source.id, bucketMs, 1000), counters }]
    // Nobody waits for a source before its first marker, so its first bucket may come too late.
    if (second > 2) fed.expected.push(`${second - 1} crit`)
    if (second > 3) fed.expected.push(`${second - 2} ok`)
    fed.bucketMs = bucketMs
    source.flush(bucketMs, { metrics }).catch(() => {})
  })
  return () => feeding.unsubscribe()
}
