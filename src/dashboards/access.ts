/**
 * Access: who a request comes from, and whether that may read.
 *
 *     Authorization: Bearer <token>        programs; reads and commands
 *     Authorization: Basic any:<token>     curl and check plugins; only reads, because browsers send it unasked
 *     Cookie: tocsin_session=<id>          browsers, after the login page; commands need a proof (see guard.ts)
 *
 * With `dashboards.reading: tokens` everything is closed to strangers but what tells nothing of what is watched: the login
 * page, the browser part's own files, `/healthz` and `/readyz`, and `/metrics`.
 */
import type { Request, RequestHandler } from 'express'
import type { Clock } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import type { Stats } from '../runtime/stats.ts'
import { Attempts } from './attempts.ts'
import { BadRequest } from './request.ts'
import type { Role } from './roles.ts'
import { hashOf, isSameHash } from './secret.ts'
import { type Session, Sessions } from './sessions.ts'

export type Settings = Config['dashboards']

export interface Person {
  name: string
  role: Role
  via: 'bearer' | 'basic' | 'session'
}

interface Known {
  name: string
  role: Role
  tokenHash: Buffer
}

export const sessionCookie = 'tocsin_session'

export class Access {
  readonly sessions: Sessions
  readonly attempts: Attempts
  readonly #stats: Stats
  #settings: Settings
  #known: readonly Known[]

  constructor(settings: Settings, clock: Clock, stats: Stats) {
    this.sessions = new Sessions(clock, stats)
    this.attempts = new Attempts(clock)
    this.#stats = stats
    this.#settings = settings
    this.#known = knownOf(settings)
  }

  set settings(settings: Settings) {
    this.#settings = settings
    this.#known = knownOf(settings)
  }

  get settings(): Settings {
    return this.#settings
  }

  get hasTokens(): boolean {
    return this.#known.length > 0
  }

  /** Undefined when nobody is named; throws BadRequest 401 for a token that is not known. */
  personOf(request: Request): Person | undefined {
    const authorization = request.get('authorization')
    if (authorization === undefined) return this.#personOfSession(sessionIdOf(request))
    const given = tokenIn(authorization)
    if (!given) throw new BadRequest('expected "Authorization: Bearer <token>"', 401)
    const known = this.find(given.token)
    if (known) return { name: known.name, role: known.role, via: given.via }
    this.#stats.count('tokens_refused_total')
    throw new BadRequest('this token is not known', 401)
  }

  /** Whose token it is. Every known token is compared, each in a time that tells nothing. */
  find(token: string): Known | undefined {
    const hash = hashOf(token)
    return this.#known.filter(({ tokenHash }) => isSameHash(tokenHash, hash))[0]
  }

  /** Throws BadRequest 401 or 403 where tokens are needed to read and the request has none that may. */
  demandReader(request: Request): void {
    if (this.#settings.reading === 'anyone') return
    const person = this.personOf(request)
    if (!person) {
      throw new BadRequest('reading needs a token here: "Authorization: Bearer <token>", or log in at /login', 401)
    }
    if (person.role === 'events') throw new BadRequest(`${person.name} may post events and may not read`, 403)
  }

  /** Whether what was opened by a request may go on. */
  mayRead(request: Request): boolean {
    try {
      this.demandReader(request)
      return true
    } catch {
      return false
    }
  }

  #personOfSession(id: string | undefined): Person | undefined {
    const session = id === undefined ? undefined : this.sessions.use(id)
    const known = session && this.#known.find((one) => isOf(session, one))
    return known && { name: known.name, role: known.role, via: 'session' }
  }
}

/** Lets through what everybody may read, and readers; a browser is led to the login page. */
export function onlyReaders(access: Access): RequestHandler {
  return (request, response, next) => {
    const { method, path } = request
    const isRead = method === 'GET' || method === 'HEAD'
    if (!isRead || isOpen(path) || access.mayRead(request)) return next()
    if (request.get('authorization') === undefined && request.accepts(['json', 'html']) === 'html') {
      return response.redirect(303, `/login?next=${encodeURIComponent(request.originalUrl)}`)
    }
    response.set('www-authenticate', 'Bearer realm="tocsin"')
    access.demandReader(request)
    next()
  }
}

const openPaths: readonly string[] = ['/healthz', '/readyz', '/metrics', '/login', '/api/session', '/favicon.svg']

function isOpen(path: string): boolean {
  return openPaths.includes(path) || path.startsWith('/assets/')
}

function knownOf({ tokens = {} }: Settings): Known[] {
  return Object.entries(tokens).map(([name, { token, role }]) => ({ name, role, tokenHash: hashOf(token) }))
}

function isOf(session: Session, known: Known): boolean {
  return session.name === known.name && isSameHash(session.tokenHash, known.tokenHash)
}

function tokenIn(authorization: string): { token: string; via: 'bearer' | 'basic' } | undefined {
  const [, scheme, given] = /^(Bearer|Basic)\s+(\S+)$/i.exec(authorization) ?? []
  if (given === undefined) return undefined
  if (scheme?.toLowerCase() === 'bearer') return { token: given, via: 'bearer' }
  const pair = Buffer.from(given, 'base64').toString()
  return { token: pair.slice(pair.indexOf(':') + 1), via: 'basic' }
}

export function sessionIdOf(request: Request): string | undefined {
  const cookies = (request.get('cookie') ?? '').split(';').map((cookie) => cookie.trim())
  return cookies.find((cookie) => cookie.startsWith(`${sessionCookie}=`))?.slice(sessionCookie.length + 1)
}
