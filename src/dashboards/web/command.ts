/** Command: what a person asks of the console. The name that goes with it stays in this browser. */

export type Done<T = unknown> = { ok: true; data: T } | { ok: false; status: number; message: string }

const nameKey = 'tocsin:name'

export function ownName(): string {
  return localStorage.getItem(nameKey) ?? ''
}

export function keepName(name: string): void {
  localStorage.setItem(nameKey, name)
}

export async function command<T>(method: 'POST' | 'DELETE', address: string, body: object = {}): Promise<Done<T>> {
  const by = ownName()
  try {
    const response = await fetch(address, {
      method,
      headers: { 'content-type': 'application/json', 'x-tocsin-page': '1' },
      body: JSON.stringify({ ...body, ...(by && { by }) }),
    })
    const data = await response.json()
    if (response.ok) return { ok: true, data }
    return { ok: false, status: response.status, message: String(data.error ?? response.statusText) }
  } catch {
    return { ok: false, status: 0, message: 'the console does not answer' }
  }
}

export function alertAddress(fingerprint: string): string {
  return `/api/alerts/${encodeURIComponent(fingerprint)}`
}
