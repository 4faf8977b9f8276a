/**
 * Verifier: answers whether an assertion holds. An assertion is `<base64url of {"email", "expires"}>`; whose word it is
 * rests on browserid's public key.
 */
import type { ProcessDefinition } from './app.ts'
import { DependencyError, remote } from './dependency.ts'
import { runProcess } from './process.ts'

export const verifier: ProcessDefinition = {
  name: 'verifier',
  build(routes, { breakage, clock, portBase }) {
    routes.post('/verify', (request, response) => {
      const { assertion, audience } = request.body ?? {}
      if (typeof assertion !== 'string' || typeof audience !== 'string') {
        response.status(400).json({ status: 'failure', reason: 'expected "assertion" and "audience"' })
        return
      }
      if (breakage.is('dependency')) throw new DependencyError('no public key')
      response.json({ ...verify(assertion, clock.now()), audience })
    })
    return [remote('browserid', portBase, breakage)]
  },
}

type Verdict = { status: 'okay'; email: string; expires: number } | { status: 'failure'; reason: string }

function verify(assertion: string, nowMs: number): Verdict {
  const { email, expires } = claimsOf(assertion)
  if (typeof email !== 'string' || typeof expires !== 'number')
    return { status: 'failure', reason: 'malformed assertion' }
  if (expires <= nowMs) return { status: 'failure', reason: 'assertion has expired' }
  return { status: 'okay', email, expires }
}

function claimsOf(assertion: string): { email?: unknown; expires?: unknown } {
  try {
    return Object(JSON.parse(Buffer.from(assertion, 'base64url').toString()))
  } catch {
    return {}
  }
}

if (import.meta.main) await runProcess(verifier)
