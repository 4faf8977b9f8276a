/**
 * Traffic: plays the users of the service. About 30 requests a second in the quiet of the night and 60 at the busiest
 * time of the day, with some noise, over router, verifier, static and proxy (traffic-shape.ts).
 *
 * It keeps going whatever is down: each request gives up after five seconds, each target has at most
 * `inFlightMaxPerTarget` requests under way, and what goes beyond is left out and counted.
 */
import { parseArgs } from 'node:util'
import { interval } from 'rxjs'
import { err, ok, type Result } from '../src/model/result.ts'
import { type Clock, systemClock } from '../src/runtime/clock.ts'
import { createLog, type Log, Situation } from '../src/runtime/log.ts'
import { reasonOf } from './dependency.ts'
import { endWithSupervisor, stopWith, tellSupervisor } from './process.ts'
import { addressOf, type ProcessName, readSettings } from './settings.ts'
import { type Call, pickCall, rateAt } from './traffic-shape.ts'

export const inFlightMaxPerTarget = 50
const requestTimeoutMs = 5000
const stepMs = 50

export interface TrafficOptions {
  portBase: number
  clock: Clock
  log: Log
  /** 1 is the usual; 2 is twice as much. */
  factor?: number
}

export interface Traffic {
  readonly counts: Readonly<Record<'sent' | 'answered' | 'failed' | 'leftOut', number>>
  stop(): Promise<void>
}

export function startTraffic({ portBase, clock, log, factor = 1 }: TrafficOptions): Traffic {
  const counts = { sent: 0, answered: 0, failed: 0, leftOut: 0 }
  const inFlight = new Map<ProcessName, number>()
  const situations = new Map<ProcessName, Situation>()
  const stopped = new AbortController()
  const running = new Set<Promise<void>>()
  let due = 0
  let noise = 1

  const send = async (call: Call): Promise<void> => {
    const { target } = call
    counts.sent++
    inFlight.set(target, (inFlight.get(target) ?? 0) + 1)
    const problem = await ask(call, portBase, stopped.signal)
    inFlight.set(target, (inFlight.get(target) ?? 1) - 1)
    if (stopped.signal.aborted) return
    counts[problem === undefined ? 'answered' : 'failed']++
    const situation = situations.get(target) ?? new Situation(log)
    situations.set(target, situation)
    if (problem === undefined) situation.good(`${target} answers again`)
    else situation.bad(`${target}: ${problem}; going on with the others`)
  }

  const step = () => {
    noise = Math.min(1.15, Math.max(0.85, noise + (Math.random() - 0.5) * 0.05))
    due += (rateAt(clock.now()) * noise * factor * stepMs) / 1000
    for (; due >= 1; due--) {
      const call = pickCall(Math.random(), clock.now())
      if ((inFlight.get(call.target) ?? 0) >= inFlightMaxPerTarget) {
        counts.leftOut++
        continue
      }
      const sent = send(call).finally(() => running.delete(sent))
      running.add(sent)
    }
  }

  const timer = interval(stepMs, clock).subscribe(step)
  return {
    counts,
    async stop() {
      timer.unsubscribe()
      stopped.abort()
      await Promise.all(running)
    },
  }
}

/** Any answer is an answer, a 503 too; returns what went wrong when there was none. */
async function ask(
  { target, method, path, body }: Call,
  portBase: number,
  stopped: AbortSignal,
): Promise<string | undefined> {
  try {
    const response = await fetch(addressOf(target, portBase) + path, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      signal: AbortSignal.any([stopped, AbortSignal.timeout(requestTimeoutMs)]),
    })
    await response.arrayBuffer()
    return undefined
  } catch (error) {
    return reasonOf(error as Error)
  }
}

const usage = `Usage: node service/traffic.ts [--rate FACTOR]

Plays the users of the example service until it is stopped.

  --rate FACTOR   1 is the usual 30 to 60 requests a second over the day; 0.5 is half of it (default 1)
  --help          this text
`

function main(): void {
  const log = createLog({ format: 'text' })
  const settings = readSettings(process.env)
  if (!settings.ok) stopWith(log, settings.error)
  const options = parseOptions(process.argv.slice(2))
  if (!options.ok) stopWith(log, options.error)
  if (options.value === 'help') {
    process.stdout.write(usage)
    return
  }
  const traffic = startTraffic({ ...settings.value, clock: systemClock, log, factor: options.value })
  endWithSupervisor(() => traffic.stop())
  tellSupervisor({ ready: true })
}

/** The factor, or `help` when that is asked for. */
export function parseOptions(args: string[]): Result<number | 'help', string> {
  try {
    const { values } = parseArgs({
      args,
      options: { rate: { type: 'string', default: '1' }, help: { type: 'boolean' } },
    })
    if (values.help) return ok('help')
    const factor = Number(values.rate)
    return factor > 0 && factor <= 1000 ? ok(factor) : err(`--rate: expected a number above 0, got "${values.rate}"`)
  } catch (error) {
    return err((error as Error).message)
  }
}

if (import.meta.main) main()
