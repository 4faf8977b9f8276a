/**
 * App: what all seven processes share around their own routes. In the order a request meets it:
 *
 *     POST /__break__      breaks or heals this process, from this machine only; works whatever is broken
 *     GET /__break__       tells what is broken and until when
 *     hang                 a hung process answers nothing from here on
 *     GET /__heartbeat__   200 ok or 500 bad; ?deep asks the dependencies too and says which are bad
 *     measure              response_time and response.<status>, one log line (heartbeats are not requests of users)
 *     overload             503 when too many requests are in flight
 *     slow, 5xx            what is broken on purpose
 *     the routes           of the process
 */
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Router } from 'express'
import { type Clock, formatIso, sleep } from '../src/runtime/clock.ts'
import type { Log } from '../src/runtime/log.ts'
import { askAll, type Dependency, DependencyError } from './dependency.ts'
import { Breakage, type Fault, parseFault } from './fault.ts'
import type { LineFile } from './line-file.ts'
import type { Metrics } from './metrics.ts'
import type { ProcessName } from './settings.ts'

export const inFlightMax = 200

/** What a process has at hand to build its routes from. */
export interface ProcessContext {
  name: ProcessName
  portBase: number
  clock: Clock
  breakage: Breakage
  metrics: Metrics
}

export interface ProcessDefinition {
  name: ProcessName
  /** Puts the routes on the router and returns what they depend on. */
  build(router: Router, context: ProcessContext): readonly Dependency[]
}

export interface AppOptions {
  portBase: number
  clock: Clock
  metrics: Metrics
  log: Log
  requestLog: LineFile
  /** Asked to kill this process for that long; the answer has been sent by then. */
  kill: (forMs: number) => void
  inFlightMax?: number
  askTimeoutMs?: number
}

export function createApp(definition: ProcessDefinition, options: AppOptions): Express {
  const { portBase, clock, metrics } = options
  const breakage = new Breakage(clock)
  const router = express.Router()
  const dependencies = definition.build(router, { name: definition.name, portBase, clock, breakage, metrics })
  const load = { inFlight: 0, max: options.inFlightMax ?? inFlightMax }
  const app = express()
  app.disable('x-powered-by')
  app.set('etag', definition.name === 'static' ? 'weak' : false)
  app.use('/__break__', fromThisMachine)
  app.get('/__break__', (_request, response) => void response.json(stateOf(breakage)))
  app.post('/__break__', express.json(), control(breakage, options))
  app.use(hang(breakage))
  app.get('/__heartbeat__', heartbeat(dependencies, load, options.askTimeoutMs))
  app.use(measure(options), overload(load), slow(breakage, clock), fail(breakage))
  app.use(express.json({ limit: '16kb' }), router, notFound, onError(options.log))
  return app
}

interface Load {
  inFlight: number
  max: number
}

const fromThisMachine: RequestHandler = (request, response, next) => {
  const address = request.socket.remoteAddress ?? ''
  if (/^(::ffff:)?127\.|^::1$/.test(address)) next()
  else response.status(403).json({ error: 'only from this machine' })
}

function control(breakage: Breakage, { kill, log }: AppOptions): RequestHandler {
  return (request, response) => {
    const parsed = parseFault(request.body)
    if (!parsed.ok) {
      response.status(400).json({ error: parsed.error })
      return
    }
    const fault = parsed.value
    if (fault === 'heal') {
      if (breakage.fault) log.info(`healed of ${breakage.fault.kind}`)
      breakage.heal()
      response.json(stateOf(breakage))
      return
    }
    log.info(describeFault(fault))
    if (fault.kind === 'kill') response.on('finish', () => kill(fault.forMs))
    else breakage.begin(fault)
    response.json(fault.kind === 'kill' ? { broken: true, ...fault } : stateOf(breakage))
  }
}

const stateOf = ({ fault, endsMs }: Breakage) => ({ broken: fault !== undefined, ...fault, endsMs })

function describeFault({ kind, share, ms, forMs }: Fault): string {
  const detail = kind === '5xx' ? ` (${share * 100} % of requests)` : kind === 'slow' ? ` (${ms} ms more)` : ''
  return `broken on purpose: ${kind}${detail} for ${forMs / 1000} s`
}

function hang(breakage: Breakage): RequestHandler {
  return (_request, response, next) => {
    if (!breakage.is('hang')) return next()
    // Those who have hung up meanwhile are gone; the others get their answer late, as from a process that wakes up.
    breakage.healed().then(() => {
      if (!response.closed) next()
    })
  }
}

function heartbeat(dependencies: readonly Dependency[], load: Load, askTimeoutMs?: number): RequestHandler {
  return async (request, response) => {
    const problems = load.inFlight >= load.max ? ['overloaded'] : []
    if ('deep' in request.query) problems.push(...(await askAll(dependencies, askTimeoutMs)))
    response.type('text/plain').set('cache-control', 'no-store')
    if (problems.length === 0) response.send('ok')
    else response.status(500).send('deep' in request.query ? `bad: ${problems.join(', ')}` : 'bad')
  }
}

function measure({ clock, metrics, requestLog }: AppOptions): RequestHandler {
  return (request, response, next) => {
    const startedMs = performance.now()
    response.on('finish', () => {
      const durationMs = performance.now() - startedMs
      const { statusCode: status } = response
      metrics.response(status, durationMs)
      const ms = Math.round(durationMs * 10) / 10
      const line = {
        time: formatIso(clock.now()),
        method: request.method,
        path: pathOf(request.originalUrl),
        status,
        ms,
      }
      requestLog.write(JSON.stringify(line))
    })
    next()
  }
}

const pathOf = (url: string): string => url.replace(/\?.*/s, '').slice(0, 200)

function overload(load: Load): RequestHandler {
  return (_request, response, next) => {
    if (load.inFlight >= load.max) {
      response.status(503).set('retry-after', '1').json({ error: 'overloaded' })
      return
    }
    load.inFlight++
    response.on('close', () => load.inFlight--)
    next()
  }
}

function slow(breakage: Breakage, clock: Clock): RequestHandler {
  return async (_request, _response, next) => {
    if (breakage.fault?.kind === 'slow') await sleep(breakage.fault.ms, clock)
    next()
  }
}

function fail(breakage: Breakage): RequestHandler {
  return (_request, response, next) => {
    if (breakage.failsNext()) response.status(503).json({ error: 'service unavailable' })
    else next()
  }
}

const notFound: RequestHandler = (_request, response) => {
  response.status(404).json({ error: 'not found' })
}

function onError(log: Log): ErrorRequestHandler {
  return (error: Error & { status?: number }, _request, response, _next) => {
    const status = error.status ?? 500
    if (status === 500) log.error(error.stack ?? error.message)
    if (response.headersSent) response.destroy()
    else
      response.status(status).json({ error: error instanceof DependencyError ? 'service unavailable' : error.message })
  }
}
