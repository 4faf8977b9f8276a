/** Session: who one is to the console. The token is given once, on the login page or in a dialog; the browser keeps a cookie. */
import { useEffect, useState } from 'preact/hooks'
import type { SessionView } from '../session-view.ts'
import type { Done } from './command.ts'

let session: SessionView | undefined
const watchers = new Set<() => void>()

/** Undefined until the console has answered. */
export function useSession(): SessionView | undefined {
  const [, again] = useState(0)
  useEffect(() => {
    const watcher = () => again((count) => count + 1)
    watchers.add(watcher)
    return () => void watchers.delete(watcher)
  }, [])
  return session
}

export async function learnSession(): Promise<SessionView | undefined> {
  const done = await ask('GET')
  return done.ok ? done.data : undefined
}

export function logIn(token: string): Promise<Done<SessionView>> {
  return ask('POST', { token })
}

export function logOut(): Promise<Done<SessionView>> {
  return ask('DELETE')
}

/** Leads to the login page where one must log in and is not; it leads back. */
export async function demandSession(): Promise<void> {
  const now = await learnSession()
  if (!now?.needsLogin || now.name !== undefined || location.pathname === '/login') return
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`)
}

/** The page to go to after the login page: one of the console's own. */
export function nextPage(given: string | null, origin: string): string {
  const page = URL.parse(given ?? '/', origin)
  return page?.origin === origin && page.pathname !== '/login' ? page.pathname + page.search : '/'
}

async function ask(method: 'GET' | 'POST' | 'DELETE', body?: object): Promise<Done<SessionView>> {
  try {
    const headers = { 'content-type': 'application/json', 'x-tocsin-page': '1' }
    const response = await fetch('/api/session', { method, headers, ...(body && { body: JSON.stringify(body) }) })
    const data = await response.json()
    if (!response.ok) return { ok: false, status: response.status, message: String(data.error ?? response.statusText) }
    session = data
    for (const watcher of watchers) watcher()
    return { ok: true, data }
  } catch {
    return { ok: false, status: 0, message: 'the console does not answer' }
  }
}
