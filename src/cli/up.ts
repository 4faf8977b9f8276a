/**
 * Up: starts parts on one bus, reloads them together, stops them in reverse.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { interval } from 'rxjs'
import type { Bus } from '../bus/bus.ts'
import type { Part } from '../bus/part.ts'
import { reportStatus } from '../bus/status.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { type Config, loadConfig } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import { formatProblem } from '../runtime/problem.ts'
import { Stats } from '../runtime/stats.ts'
import { type PartName, parts } from './parts.ts'

export interface Running {
  /** Reads the configuration again and gives it to every part; what is wrong changes nothing and is logged. */
  reload(): Promise<void>
  stop(): Promise<void>
}

export interface Edges {
  clock: Clock
  log: Log
  environment: Readonly<Record<string, string | undefined>>
}

/** How long one part may take to stop before the others go on without it. */
const stopMsMax = 10_000

/** Starts the named parts in order; when one cannot start, those already running are stopped and the error is thrown. */
export async function runParts(names: readonly PartName[], config: Config, edges: Edges): Promise<Running> {
  const { clock, log } = edges
  const host = cleanName(os.hostname())
  const instance = `${host}-${clock.now().toString(36)}-${process.pid.toString(36)}`
  writableDirectory(config.data)
  const busStats = new Stats()
  const bus = await openBus(config, { clock, log: log.child('bus'), instance, stats: busStats })
  const shared = { bus, clock, instance, host, environment: edges.environment }
  const busReport = reportStatus('bus', { ...shared, log }, busStats, () => {
    const { problem } = bus
    return { ready: problem === undefined, ...(problem !== undefined && { problem }) }
  })
  const running: { name: PartName; part: Part }[] = []
  const stop = async () => {
    for (const { name, part } of running.splice(0).reverse()) {
      await stopWithin(stopMsMax, name, part, edges)
    }
    busReport.unsubscribe()
    await bus.close()
  }
  try {
    for (const name of names) {
      const start = await parts[name]()
      running.push({ name, part: await start(config, { ...shared, log: log.child(name) }) })
    }
  } catch (error) {
    await stop()
    throw error
  }
  const reloader = new Reloader(config, running, edges)
  return {
    reload: () => reloader.reload(),
    stop: async () => {
      await reloader.stop()
      await stop()
    },
  }
}

/** Stops one part; after `limitMs` the others stop without it. */
async function stopWithin(limitMs: number, name: PartName, part: Part, { clock, log }: Edges): Promise<void> {
  const ended = new AbortController()
  const late = sleep(limitMs, clock, ended.signal).then(() => {
    if (!ended.signal.aborted) log.error(`${name} did not stop within ${limitMs / 1000} s`)
  })
  const stopped = part.stop().catch((error: Error) => log.error(`${name} did not stop cleanly: ${error.message}`))
  await Promise.race([stopped, late])
  ended.abort()
}

async function openBus(config: Config, from: { clock: Clock; log: Log; instance: string; stats: Stats }): Promise<Bus> {
  const { url, exchange, retention } = config.bus
  const options = { ...from, retentionMs: retention }
  if (url === 'memory')
    return (await import('../bus/memory.ts')).openMemoryBus({ ...options, dir: path.join(config.data, 'log') })
  return (await import('../bus/rabbitmq.ts')).openRabbitBus({ ...options, url, exchange })
}

function writableDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, { recursive: true })
    const probe = path.join(directory, `.writable-${process.pid}`)
    fs.writeFileSync(probe, 'x')
    fs.rmSync(probe)
  } catch (error) {
    throw new Error(`the data directory ${directory} cannot be written: ${(error as Error).message}`)
  }
}

/** A host name as part of routing keys and source ids, which have no dots. */
function cleanName(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]+/g, '-')
}

/** Notices changed files and hands over a changed configuration, as a whole or not at all. */
class Reloader {
  #config: Config
  readonly #running: readonly { name: PartName; part: Part }[]
  readonly #edges: Edges
  #seen: string
  #busy: Promise<void> = Promise.resolve()
  readonly #watch: { unsubscribe(): void }

  constructor(config: Config, running: readonly { name: PartName; part: Part }[], edges: Edges) {
    this.#config = config
    this.#running = running
    this.#edges = edges
    this.#seen = signature(config)
    this.#watch = interval(1000, edges.clock).subscribe(() => {
      if (signature(this.#config) !== this.#seen) this.reload()
    })
  }

  reload(): Promise<void> {
    this.#seen = signature(this.#config)
    this.#busy = this.#busy.then(() => this.#reload())
    return this.#busy
  }

  async stop(): Promise<void> {
    this.#watch.unsubscribe()
    await this.#busy
  }

  async #reload(): Promise<void> {
    const { log, environment } = this.#edges
    const loaded = loadConfig(this.#config.file, environment, true)
    if (!loaded.ok) {
      log.error(
        `the changed configuration is wrong; the former one keeps running\n${loaded.error.map(formatProblem).join('\n')}`,
      )
      return
    }
    for (const key of needsRestart(this.#config, loaded.value))
      log.warn(`${key} changed; that takes effect at the next start`)
    this.#config = loaded.value
    this.#seen = signature(loaded.value)
    for (const { name, part } of this.#running) {
      await part
        .reload?.(loaded.value)
        .catch((error: Error) => log.error(`${name} keeps its former configuration: ${error.message}`))
    }
    log.info('reloaded')
  }
}

/** What cannot change while running. */
function needsRestart(before: Config, after: Config): string[] {
  const fixed = (config: Config) => ({
    bus: config.bus,
    data: config.data,
    ingest: config.ingest,
    graphite: config.graphite,
    'dashboards.listen': config.dashboards.listen,
  })
  const [old, now] = [fixed(before), fixed(after)]
  return Object.keys(old).filter(
    (key) => JSON.stringify(old[key as keyof typeof old]) !== JSON.stringify(now[key as keyof typeof now]),
  )
}

/** Changes when one of the files that the configuration names was changed, added or removed. */
function signature(config: Config): string {
  const roots = [config.file, ...config.rules, ...config.checks, ...config.dashboards.files]
  if (config.cloudwatch2graphite) roots.push(config.cloudwatch2graphite.metrics)
  return roots.flatMap(filesUnder).join('\n')
}

function filesUnder(root: string): string[] {
  try {
    const stat = fs.statSync(root)
    if (!stat.isDirectory()) return [`${root} ${stat.ino} ${stat.size} ${stat.mtimeMs}`]
    const names = fs.readdirSync(root).filter((name) => /\.ya?ml$/.test(name))
    return names.sort().flatMap((name) => filesUnder(path.join(root, name)))
  } catch {
    return [`${root} absent`]
  }
}
