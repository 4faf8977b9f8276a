/** Fetch: one answer of the API, asked again when its address or the connection changes. */
import { useEffect, useState } from 'preact/hooks'

export type Answer<T> =
  | { state: 'waiting'; data?: T }
  | { state: 'here'; data: T }
  | { state: 'failed'; status: number; message: string; data?: T }

/** `again` asks anew when it changes; until the new answer is there the former stays. */
export function useApi<T>(address: string | undefined, again: unknown): Answer<T> {
  const [answer, setAnswer] = useState<{ address: string | undefined; answer: Answer<T> }>({
    address,
    answer: { state: 'waiting' },
  })
  useEffect(() => {
    if (address === undefined) return
    const aborter = new AbortController()
    ask<T>(address, aborter.signal).then((next) => {
      if (!aborter.signal.aborted) setAnswer({ address, answer: next })
    })
    return () => aborter.abort()
  }, [address, again])
  return answer.address === address ? answer.answer : { state: 'waiting' }
}

async function ask<T>(address: string, signal: AbortSignal): Promise<Answer<T>> {
  try {
    const response = await fetch(address, { signal })
    const data = await response.json()
    if (response.ok) return { state: 'here', data }
    return { state: 'failed', status: response.status, message: String(data.error ?? response.statusText) }
  } catch {
    return { state: 'failed', status: 0, message: 'the console does not answer' }
  }
}
