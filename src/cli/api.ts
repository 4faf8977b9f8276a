/** API: asks the console for a person at a terminal. What goes wrong comes back as the outcome of the command. */
import { err, ok, type Result } from '../model/result.ts'
import type { Outcome } from './print.ts'

export interface Console {
  url: string
  token?: string | undefined
  /** Who asks, where the console has no tokens. */
  by?: string | undefined
}

const patienceMs = 10_000

/** The answer's JSON; an error with exit status 1 where the console refuses, 2 where it cannot be asked. */
export async function ask<T>(
  { url, token, by }: Console,
  method: 'GET' | 'POST' | 'DELETE',
  address: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<Result<T, Outcome>> {
  let response: Response
  let answer: unknown
  try {
    response = await fetch(`${url}${address}`, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify({ ...body, ...(by !== undefined && { by }) }) }),
      signal: AbortSignal.timeout(patienceMs),
    })
    answer = await response.json()
  } catch (error) {
    const reason = ((error as Error).cause as Error | undefined)?.message ?? (error as Error).message
    const help = 'is "tocsin up" running? --console URL asks another'
    return err({ exitCode: 2, error: `tocsin: cannot ask the console at ${url}: ${reason}\n    ${help}` })
  }
  if (response.ok) return ok(answer as T)
  const why = (answer as { error?: string } | null)?.error ?? `answered ${response.status}`
  return err({ exitCode: exitCodeOf(response.status), error: `tocsin: ${why}${helpFor(response.status, token)}` })
}

/** What was asked may be mended and asked again; or nothing could be done at all. */
function exitCodeOf(status: number): 1 | 2 {
  return status === 400 || status === 404 || status === 409 ? 1 : 2
}

function helpFor(status: number, token: string | undefined): string {
  if (status === 401 && token === undefined) return '\n    put your token into TOCSIN_TOKEN'
  if (status === 401)
    return '\n    it was taken from TOCSIN_TOKEN; whoever keeps dashboards.tokens knows the present one'
  return status === 409 ? '\n    --yes, where it can be confirmed' : ''
}
