/**
 * Router: the entry. Counts every known call and passes it on: reads to browserid, writes to dbwriter, certificates to
 * keysigner. What comes back is what the caller gets; a process that cannot be reached is 503, one that hangs 504.
 */
import type { Request, RequestHandler, Response } from 'express'
import type { ProcessDefinition } from './app.ts'
import { DependencyError, reasonOf, remote } from './dependency.ts'
import type { Breakage } from './fault.ts'
import { runProcess } from './process.ts'
import { addressOf, type ProcessName } from './settings.ts'

/** Shorter than callers wait, so that they hear of it. */
export const forwardTimeoutMs = 3000

/** Method and target of each call; a name that is not here is 404 and never becomes a metric. */
export const wsapiCalls: Readonly<Record<string, readonly ['get' | 'post', ProcessName]>> = {
  session_context: ['get', 'browserid'],
  address_info: ['get', 'browserid'],
  list_emails: ['get', 'browserid'],
  user_creation_status: ['get', 'browserid'],
  stage_user: ['post', 'dbwriter'],
  complete_user_creation: ['post', 'dbwriter'],
  authenticate_user: ['post', 'dbwriter'],
  logout: ['post', 'dbwriter'],
  cert_key: ['post', 'keysigner'],
}

export const router: ProcessDefinition = {
  name: 'router',
  build(routes, { metrics, portBase, breakage }) {
    for (const [call, [method, target]] of Object.entries(wsapiCalls)) {
      const count: RequestHandler = (_request, _response, next) => {
        metrics.wsapi(call)
        next()
      }
      routes[method](`/wsapi/${call}`, count, (request, response) =>
        forward(request, response, addressOf(target, portBase), breakage),
      )
    }
    return (['browserid', 'dbwriter', 'keysigner'] as const).map((name) => remote(name, portBase, breakage))
  },
}

async function forward(request: Request, response: Response, address: string, breakage: Breakage): Promise<void> {
  if (breakage.is('dependency')) throw new DependencyError('out of reach')
  const callerLeft = new AbortController()
  response.once('close', () => callerLeft.abort())
  const answer = await fetch(address + request.url, {
    method: request.method,
    headers: { 'content-type': 'application/json' },
    ...(request.method === 'POST' && { body: JSON.stringify(request.body ?? {}) }),
    signal: AbortSignal.any([callerLeft.signal, AbortSignal.timeout(forwardTimeoutMs)]),
  }).catch(unreachable)
  response.status(answer.status).type(answer.headers.get('content-type') ?? 'application/json')
  response.end(Buffer.from(await answer.arrayBuffer().catch(unreachable)))
}

function unreachable(error: Error): never {
  const reason = reasonOf(error)
  throw new DependencyError(reason, reason === 'timed out' ? 504 : 503)
}

if (import.meta.main) await runProcess(router)
