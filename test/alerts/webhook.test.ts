import { createHmac } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import type { Receiver } from '../../src/alerts/receivers/receiver.ts'
import { openWebhook, type WebhookBody, webhookBody } from '../../src/alerts/receivers/webhook.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type HookServer, startHook } from '../support/hook.ts'
import { notificationOf } from '../support/notifications.ts'
import { freePort } from '../support/ports.ts'
import { transition } from '../support/transitions.ts'

const running: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
})

async function server(): Promise<HookServer> {
  const hook = await startHook()
  running.push(hook)
  return hook
}

function receiver(url: string, secret?: string): Receiver {
  const options = { clock: systemClock, consoleUrl: 'http://console', connectionsMax: 2 }
  const opened = openWebhook({ url, timeout: 10_000, ...(secret !== undefined && { secret }) }, options)
  running.push(opened)
  return opened
}

const atMs = Date.UTC(2026, 2, 1, 13, 5, 10)
const given = { sinceMs: atMs - 4000, runbook: 'https://wiki.example.org/5xx', tags: { team: 'identity' } }
const page = notificationOf([transition('crit', atMs, given)], {
  hops: { packetMs: atMs - 612, flushMs: atMs + 2, ruleMs: atMs + 9 },
})
const forever = new AbortController().signal

describe('what is posted', () => {
  test('has a documented shape', async () => {
    const body = webhookBody(page, 'https://tocsin.example.org', atMs + 318)
    await expect(`${JSON.stringify(body, null, 2)}\n`).toMatchFileSnapshot('golden/webhook.json')
  })

  test('is JSON with the idempotency key in its header, the same at every attempt', async () => {
    const hook = await server()
    const ops = receiver(hook.url)
    await ops.send(page, forever)
    await ops.send({ ...page, attempt: 1 }, forever)
    const keys = hook.posts.map(({ headers }) => [headers['idempotency-key'], headers['x-tocsin-delivery']])
    expect(keys).toEqual([
      [page.key, page.key],
      [page.key, page.key],
    ])
    expect(hook.posts[0]?.headers['content-type']).toBe('application/json')
    expect((JSON.parse(String(hook.posts[0]?.body)) as WebhookBody).key).toBe(page.key)
  })

  test('is signed over timestamp and body, as they came', async () => {
    const hook = await server()
    await receiver(hook.url, 'tower bell').send(page, forever)
    const { headers, body } = hook.posts[0] as HookServer['posts'][number]
    const timestamp = String(headers['x-tocsin-timestamp'])
    const expected = createHmac('sha256', 'tower bell').update(`${timestamp}.`).update(body).digest('hex')
    expect(headers['x-tocsin-signature']).toBe(`sha256=${expected}`)
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60)
  })

  test('without a secret it is not signed', async () => {
    const hook = await server()
    await receiver(hook.url).send(page, forever)
    expect(hook.posts[0]?.headers).not.toHaveProperty('x-tocsin-signature')
  })
})

describe('what is answered', () => {
  const answered = async (status: number, headers: Record<string, string> = {}, text = 'its own words') => {
    const hook = await server()
    hook.answer = (_posted, response) => response.writeHead(status, headers).end(text)
    return { hook, delivery: await receiver(hook.url).send(page, forever) }
  }

  test.each([200, 201, 202])('%i is delivered', async (status) => {
    expect((await answered(status)).delivery).toEqual({ outcome: 'delivered', detail: `HTTP ${status}: its own words` })
  })

  test.each([400, 401, 404, 410, 422])('%i is a refusal', async (status) => {
    expect((await answered(status)).delivery).toEqual({ outcome: 'refused', detail: `HTTP ${status}: its own words` })
  })

  test.each([408, 429, 500, 502, 503, 504])('%i is tried again', async (status) => {
    expect((await answered(status)).delivery).toMatchObject({ outcome: 'failed', unreachable: false })
  })

  test('Retry-After is honoured', async () => {
    expect((await answered(429, { 'retry-after': '17' })).delivery).toMatchObject({
      outcome: 'failed',
      retryAfterMs: 17_000,
    })
  })

  test('a redirect is not followed: a refusal', async () => {
    const elsewhere = await server()
    const { delivery } = await answered(302, { location: elsewhere.url })
    expect(delivery.outcome).toBe('refused')
    expect(elsewhere.posts).toHaveLength(0)
  })

  test('a long answer is shortened', async () => {
    const { delivery } = await answered(500, {}, 'x'.repeat(1_000_000))
    expect(delivery.detail.length).toBeLessThanOrEqual(300)
  })
})

describe('what the network does', () => {
  test('nobody listens: failed and unreachable', async () => {
    const ops = receiver(`http://127.0.0.1:${await freePort()}/hook`)
    expect(await ops.send(page, forever)).toMatchObject({ outcome: 'failed', unreachable: true })
  })

  test('no answer: given up when the try’s time is over', async () => {
    const hook = await server()
    hook.answer = () => {}
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 50)
    expect(await receiver(hook.url).send(page, abort.signal)).toEqual({
      outcome: 'failed',
      detail: 'no answer in time',
      unreachable: true,
    })
  })

  test('the connection breaks after the request: failed', async () => {
    const hook = await server()
    hook.answer = (_posted, response) => response.destroy()
    expect(await receiver(hook.url).send(page, forever)).toMatchObject({ outcome: 'failed', unreachable: true })
  })

  test('connections are kept; one that the server has ended meanwhile costs no attempt', async () => {
    const hook = await server()
    const ops = receiver(hook.url)
    await ops.send(page, forever)
    await ops.send(page, forever)
    expect(hook.connections).toBe(1)
    hook.dropConnections()
    expect(await ops.send(page, forever)).toMatchObject({ outcome: 'delivered' })
  })
})
