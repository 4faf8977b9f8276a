/**
 * Guard: who may command, and under which name.
 *
 * With `dashboards.tokens` a command needs a bearer token of role responder or admin, and is done in the token's name. A
 * token of role events, for a build server, may post events and nothing else.
 * Without tokens only callers on this machine may command; they say who they are, or are called "console".
 *
 * A browser is never made to command by another site: the body must be JSON (no form can send that unasked), a page that
 * asks must be the console's own, and without tokens the console must have been asked under a name of this machine.
 */
import type { Request } from 'express'
import type { Config } from '../runtime/config.ts'
import { BadRequest } from './request.ts'
import { isSameSecret } from './secret.ts'

export type Tokens = Config['dashboards']['tokens']
type Role = NonNullable<Tokens>[string]['role']

const words: Readonly<Record<Role, string>> = {
  viewer: 'is a viewer',
  events: 'may post events',
  responder: 'is a responder',
  admin: 'is an admin',
}
const ranks: Readonly<Record<Role, number>> = { viewer: 0, events: 1, responder: 2, admin: 3 }

/** The name in which the request may command; throws BadRequest (401, 403, 415) when it may not. */
export function commander(request: Request, tokens: Tokens, given: unknown, least: Role = 'responder'): string {
  demandOwnPage(request)
  if (request.method !== 'DELETE') demandJson(request)
  if (tokens && Object.keys(tokens).length > 0) return named(request, tokens, least)
  const from = request.socket.remoteAddress ?? ''
  if (!isLoopback(from)) {
    throw new BadRequest('commands are taken from this machine only; configure dashboards.tokens for others', 403)
  }
  if (!isLocalName(hostOf(request))) {
    throw new BadRequest('without dashboards.tokens, commands must be sent to a name of this machine', 403)
  }
  return typeof given === 'string' && given.trim() !== '' ? given.trim().slice(0, 80) : 'console'
}

function named(request: Request, tokens: NonNullable<Tokens>, least: Role): string {
  const [, bearer] = /^Bearer\s+(\S+)$/i.exec(request.get('authorization') ?? '') ?? []
  if (bearer === undefined) throw new BadRequest('expected "Authorization: Bearer <token>"', 401)
  const found = Object.entries(tokens).filter(([, { token }]) => isSameSecret(token, bearer))[0]
  if (!found) throw new BadRequest('this token is not known', 401)
  const [name, { role }] = found
  if (ranks[role] < ranks[least]) {
    const what = least === 'events' ? 'post events' : 'command'
    throw new BadRequest(`${name} ${words[role]} and may not ${what}`, 403)
  }
  return name
}

function demandOwnPage(request: Request): void {
  const site = request.get('sec-fetch-site')
  const origin = request.get('origin')
  const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none'
  if (isForeign || (origin !== undefined && hostIn(origin) !== request.get('host')?.toLowerCase())) {
    throw new BadRequest('a page of another site may not command', 403)
  }
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
