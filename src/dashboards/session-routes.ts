/**
 * Session routes: logging in and out with a browser. The cookie that comes of it is not readable by scripts, is sent by the
 * console's own pages only, and over https only where the console is reached so.
 */
import { type CookieOptions, type Request, Router } from 'express'
import type { Log } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { type Access, sessionCookie, sessionIdOf } from './access.ts'
import { demandOwnPage, demandProof } from './guard.ts'
import { BadRequest } from './request.ts'
import type { SessionView } from './session-view.ts'
import { ageMsMax } from './sessions.ts'

export function sessionRoutes(access: Access, stats: Stats, log: Log): Router {
  const router = Router()
  router.get('/session', (request, response) => {
    response.json(sessionView(access, request))
  })
  router.post('/session', (request, response) => {
    demandOwnPage(request)
    if (!request.is('application/json')) throw new BadRequest('expected content-type: application/json', 415)
    const from = request.ip ?? ''
    const name = logIn(access, request, stats)
    const former = sessionIdOf(request)
    if (former !== undefined) access.sessions.close(former)
    const id = access.sessions.open(name.name, name.tokenHash)
    stats.count('logins_total')
    log.info(`${name.name} (${name.role}) logged in from ${from}`)
    response.cookie(sessionCookie, id, { ...cookieOf(request), maxAge: ageMsMax })
    response.status(201).json({ ...rulesOf(access), name: name.name, role: name.role } satisfies SessionView)
  })
  router.delete('/session', (request, response) => {
    demandProof(request)
    const id = sessionIdOf(request)
    if (id !== undefined) access.sessions.close(id)
    response.clearCookie(sessionCookie, cookieOf(request))
    response.json(rulesOf(access))
  })
  return router
}

function logIn(access: Access, request: Request, stats: Stats) {
  if (!access.hasTokens) {
    throw new BadRequest('no tokens are configured here (dashboards.tokens), so nobody can log in', 409)
  }
  const from = request.ip ?? ''
  if (!access.attempts.mayTry(from)) {
    stats.count('logins_limited_total')
    throw new BadRequest('too many wrong tokens from your address; try again in a minute', 429)
  }
  const { token } = (request.body ?? {}) as { token?: unknown }
  const known = typeof token === 'string' ? access.find(token.trim()) : undefined
  if (known?.role === 'events') throw new BadRequest(`${known.name} may post events and may not log in`, 403)
  if (known) return known
  access.attempts.fail(from)
  stats.count('logins_failed_total')
  throw new BadRequest('this token is not known', 401)
}

function sessionView(access: Access, request: Request): SessionView {
  const person = access.personOf(request)
  return { ...rulesOf(access), ...(person && { name: person.name, role: person.role }) }
}

function rulesOf(access: Access): SessionView {
  return { hasTokens: access.hasTokens, needsLogin: access.settings.reading === 'tokens' }
}

function cookieOf(request: Request): CookieOptions {
  return { httpOnly: true, sameSite: 'strict', secure: request.secure, path: '/' }
}
