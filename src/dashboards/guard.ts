/**
 * Guard: who may command, and under which name.
 *
 * With `dashboards.tokens` a command needs a bearer token or a session of a role that may do it (roles.ts), and is done in
 * that name. Without tokens only callers on this machine may command; they say who they are, or are called "console".
 *
 * A browser is never made to command by another site: the body must be JSON (no form can send that unasked), a page that
 * asks must be the console's own, and without tokens the console must have been asked under a name of this machine. A
 * cookie, which browsers send by themselves, commands only with a proof: the browser names the console's own page as the
 * origin, and the page has set a header that no other site may set.
 */
import type { Request } from 'express'
import type { Access } from './access.ts'
import { BadRequest } from './request.ts'
import { type Deed, leastRole, may, type Role } from './roles.ts'

export interface Commander {
  name: string
  /** Undefined where there are no tokens: then whoever may command may do everything. */
  role: Role | undefined
}

const words: Readonly<Record<Role, string>> = {
  viewer: 'is a viewer',
  events: 'may post events',
  responder: 'is a responder',
  admin: 'is an admin',
}

/** In whose name the request commands; throws BadRequest (401, 403, 415) when it may not. */
export function commander(request: Request, access: Access, given: unknown, deed: Deed): Commander {
  demandOwnPage(request)
  if (request.method !== 'DELETE') demandJson(request)
  if (access.hasTokens) return known(request, access, deed)
  const from = request.socket.remoteAddress ?? ''
  if (!isLoopback(from)) {
    throw new BadRequest('commands are taken from this machine only; configure dashboards.tokens for others', 403)
  }
  if (!isLocalName(hostOf(request))) {
    throw new BadRequest('without dashboards.tokens, commands must be sent to a name of this machine', 403)
  }
  const name = typeof given === 'string' && given.trim() !== '' ? given.trim().slice(0, 80) : 'console'
  return { name, role: undefined }
}

/** Throws BadRequest 403 where a thing is somebody else's and the commander may not change it. */
export function demandOwn({ name, role }: Commander, owner: string): void {
  if (owner === name || role === undefined || may(role, 'change what somebody else set')) return
  const least = leastRole('change what somebody else set')
  throw new BadRequest(`it was set by ${owner}; changing what somebody else set needs role ${least}`, 403)
}

function known(request: Request, access: Access, deed: Deed): Commander {
  const person = access.personOf(request)
  if (!person) throw new BadRequest('expected "Authorization: Bearer <token>", or a session of the login page', 401)
  if (person.via === 'session') demandProof(request)
  if (person.via === 'basic') {
    throw new BadRequest('with Basic authentication one only reads; send the token as "Authorization: Bearer"', 403)
  }
  const { name, role } = person
  if (may(role, deed)) return { name, role }
  throw new BadRequest(`${name} ${words[role]} and may not ${deed}; that needs role ${leastRole(deed)}`, 403)
}

export function demandOwnPage(request: Request): void {
  const site = request.get('sec-fetch-site')
  const origin = request.get('origin')
  const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none'
  if (isForeign || (origin !== undefined && !isOwnOrigin(request, origin))) {
    throw new BadRequest('a page of another site may not command', 403)
  }
}

/** What only the console's own page can have sent. */
export function demandProof(request: Request): void {
  demandOwnPage(request)
  const isSaid = request.get('origin') !== undefined || request.get('sec-fetch-site') === 'same-origin'
  if (isSaid && request.get('x-tocsin-page') !== undefined) return
  throw new BadRequest(
    'a session commands from the console’s own page only; programs send "Authorization: Bearer"',
    403,
  )
}

function isOwnOrigin(request: Request, origin: string): boolean {
  return hostIn(origin) === request.get('host')?.toLowerCase()
}

function demandJson(request: Request): void {
  if (!request.is('application/json')) throw new BadRequest('expected content-type: application/json', 415)
}

function hostIn(origin: string): string | undefined {
  try {
    return new URL(origin).host.toLowerCase()
  } catch {
    return undefined
  }
}

function hostOf(request: Request): string {
  return (request.get('host') ?? '').replace(/:\d+$/, '').toLowerCase()
}

function isLocalName(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name)
}

export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}
