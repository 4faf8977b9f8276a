/**
 * Dependencies: what a process needs to do its work. Either another process, asked over HTTP, or a store that stands for
 * a database or a key store: it takes a few milliseconds and is always there unless it is broken on purpose.
 */
import { sleep, systemClock } from '../src/runtime/clock.ts'
import type { Breakage } from './fault.ts'
import type { Metrics } from './metrics.ts'
import { addressOf, type ProcessName } from './settings.ts'

export const askTimeoutMs = 5000

export interface Dependency {
  name: string
  /** Resolves when it is well; rejects with the reason when it is not. */
  ask(signal: AbortSignal): Promise<void>
}

/** A call that could not be served because of what it depends on. */
export class DependencyError extends Error {
  readonly status: number

  constructor(message: string, status = 503) {
    super(message)
    this.status = status
  }
}

/** Another process of the service. */
export function remote(name: ProcessName, portBase: number, breakage: Breakage): Dependency {
  return {
    name,
    async ask(signal) {
      if (breakage.is('dependency')) throw new DependencyError('out of reach')
      const response = await fetch(`${addressOf(name, portBase)}/__heartbeat__`, { signal })
      await response.body?.cancel()
      if (!response.ok) throw new DependencyError(`HTTP ${response.status}`)
    },
  }
}

/** A database, a key store, a disk. */
export interface Store extends Dependency {
  /** One query; counted and timed. Rejects with a DependencyError when the store is down. */
  query(): Promise<void>
}

export function store(name: string, typicalMs: number, breakage: Breakage, metrics?: Metrics): Store {
  const query = async () => {
    const startedMs = performance.now()
    await sleep(typicalMs * (0.5 + Math.random()), systemClock)
    if (breakage.is('dependency')) {
      metrics?.failedQuery()
      throw new DependencyError(`${name} does not answer`)
    }
    metrics?.query(performance.now() - startedMs)
  }
  return { name, query, ask: query }
}

/** Asks all at once, each with its own five seconds; returns the sick ones as `name (reason)`. */
export async function askAll(dependencies: readonly Dependency[], timeoutMs = askTimeoutMs): Promise<string[]> {
  const asked = dependencies.map(async ({ name, ask }) => {
    const problem = await withTimeout(ask, timeoutMs)
    return problem === undefined ? [] : [`${name} (${problem})`]
  })
  return (await Promise.all(asked)).flat()
}

async function withTimeout(ask: Dependency['ask'], timeoutMs: number): Promise<string | undefined> {
  const signal = AbortSignal.timeout(timeoutMs)
  const late = new Promise<string>((resolve) => {
    signal.addEventListener('abort', () => resolve(`no answer within ${timeoutMs / 1000}s`), { once: true })
  })
  const answered = ask(signal).then(
    () => undefined,
    (error: Error) => (signal.aborted ? `no answer within ${timeoutMs / 1000}s` : reasonOf(error)),
  )
  return Promise.race([answered, late])
}

/** `connection refused` and the like for what fetch throws. */
export function reasonOf(error: Error): string {
  const code = (error.cause as { code?: string } | undefined)?.code
  if (code === 'ECONNREFUSED') return 'connection refused'
  if (error.name === 'TimeoutError') return 'timed out'
  return code ?? error.message
}
