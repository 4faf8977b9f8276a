/** Reads a stream of server-sent events, as a browser would. */
import { until } from './until.ts'

export interface EventStream {
  /** Every event so far, in order. */
  events: readonly { name: string; data: unknown }[]
  /** The data of the first event of that name that `accept` agrees with, waiting for it. */
  next<T>(name: string, accept?: (data: T) => boolean): Promise<T>
  close(): void
}

export async function openStream(url: string): Promise<EventStream> {
  const aborter = new AbortController()
  const response = await fetch(url, { signal: aborter.signal })
  if (!response.ok || !response.body) throw new Error(`${response.status} ${await response.text()}`)
  const events: { name: string; data: unknown }[] = []
  read(response.body, events).catch(() => {})
  return {
    events,
    next: async <T>(name: string, accept: (data: T) => boolean = () => true) => {
      const find = () => events.find((event) => event.name === name && accept(event.data as T))
      return (await until(find, { what: `event ${name}` })).data as T
    },
    close: () => aborter.abort(),
  }
}

async function read(body: ReadableStream<Uint8Array>, events: { name: string; data: unknown }[]): Promise<void> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() as string
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1]
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (name !== undefined && data !== undefined) events.push({ name, data: JSON.parse(data) })
    }
  }
}
