/** App: what surrounds the routes: security headers, pages, and answers to bad requests, which are counted. */
import path from 'node:path'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import type { Log } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { type Access, onlyReaders } from './access.ts'
import type { ConsoleState } from './console-state.ts'
import type { CommandOptions } from './desk.ts'
import { documentRoutes } from './document-routes.ts'
import { type EventOptions, eventRoutes } from './event-routes.ts'
import type { Live } from './live.ts'
import { BadRequest } from './request.ts'
import { apiRoutes, machineRoutes } from './routes.ts'
import { sessionRoutes } from './session-routes.ts'

const pageSecurity = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface AppOptions {
  state: ConsoleState
  live: Live
  stats: Stats
  log: Log
  /** The built browser part; undefined when it has not been built. */
  web: string | undefined
  /** The configuration's file; the documents beside it are served. */
  configFile: string
  access: Access
  commands: CommandOptions
  events: EventOptions
}

export function createApp({ state, live, stats, log, web, configFile, access, commands, events }: AppOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  // What the proxy in front says of https and of the caller is believed only where there is one.
  app.set('trust proxy', (_address: string, hop: number) => hop === 0 && access.settings.behindProxy)
  app.use((_request, response, next) => {
    stats.count('http_requests_total')
    response.set({
      'content-security-policy': pageSecurity,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    })
    next()
  })
  app.use(express.json({ limit: '64kb' }))
  app.use(onlyReading)
  app.use(onlyReaders(access))
  app.use(machineRoutes(state))
  const eventsHere = eventRoutes(state, events)
  app.use(eventsHere)
  app.use('/api', eventsHere)
  app.use('/api', noStore, sessionRoutes(access, stats, log), apiRoutes(state, live, stats, commands), () => {
    throw new BadRequest('there is no such address in the API', 404)
  })
  app.use(documentRoutes(configFile))
  servePages(app, web)
  app.use(answerErrors(stats, log))
  return app
}

/** Everything but a person's commands only reads. */
const onlyReading: RequestHandler = ({ method, path }, response, next) => {
  if (method === 'GET' || method === 'HEAD' || isCommand(method, path)) return next()
  response.set('allow', 'GET, HEAD')
  throw new BadRequest(`${method}: expected GET`, 405)
}

const commandPaths: Readonly<Record<string, readonly RegExp[]>> = {
  POST: [
    /^(\/api)?\/events$/,
    /^\/api\/(silences|maintenance|session)$/,
    /^\/api\/silences\/[^/]+\/extend$/,
    /^\/api\/alerts\/[^/]+\/(acknowledge|note)$/,
    /^\/api\/dead-letters\/[^/]+\/retry$/,
  ],
  DELETE: [
    /^\/api\/session$/,
    /^\/api\/(silences|maintenance)\/(?!preview$)[^/]+$/,
    /^\/api\/alerts\/[^/]+\/acknowledge$/,
    /^\/api\/dead-letters\/[^/]+$/,
  ],
}

function isCommand(method: string, path: string): boolean {
  return (commandPaths[method] ?? []).some((pattern) => pattern.test(path))
}

const noStore: RequestHandler = (_request, response, next) => {
  response.set('cache-control', 'no-store')
  next()
}

const pages = [
  '/',
  '/login',
  '/silences',
  '/undelivered',
  '/rules',
  '/rules/:name',
  '/dashboards',
  '/dashboards/:name',
  '/mailbox',
]

function servePages(app: Express, web: string | undefined): void {
  if (web === undefined) {
    app.get(pages, (_request, response) => {
      response.status(503).type('text/plain')
      response.send('The console has not been built yet: run "npm run prepare". The API under /api works.\n')
    })
    return
  }
  app.use('/assets', express.static(path.join(web, 'assets'), { immutable: true, maxAge: '1y', index: false }))
  app.use(express.static(web, { index: false, maxAge: '1h' }))
  app.get(pages, (_request, response) => {
    response.sendFile('index.html', { root: web, cacheControl: false, headers: { 'cache-control': 'no-cache' } })
  })
}

function answerErrors(stats: Stats, log: Log): ErrorRequestHandler[] {
  const notFound: RequestHandler = ({ path }) => {
    throw new BadRequest(`there is nothing at ${path.slice(0, 200)}`, 404)
  }
  const answer: ErrorRequestHandler = (
    error: Error & { status?: number; expose?: boolean },
    _request,
    response,
    next,
  ) => {
    const status = error.status ?? 500
    const isTheirs = status < 500 || error instanceof BadRequest
    stats.count(isTheirs ? 'http_bad_requests_total' : 'http_errors_total')
    if (!isTheirs) log.error(`a request failed: ${error.stack ?? error.message}`)
    if (response.headersSent) return next(error)
    response
      .status(status)
      .json({ error: isTheirs ? plain(error, status) : 'something went wrong here; it is in the log' })
  }
  return [notFound as never, answer]
}

/** Our own words for what express and its body parser refuse. */
function plain(error: Error & { status?: number }, status: number): string {
  if (error instanceof BadRequest) return error.message
  if (status === 413) return 'the body is too long; at most 64 kB'
  return status === 400 ? 'the request cannot be read' : 'the request was refused'
}
