import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { mailsMax } from '../../src/dashboards/mailbox.ts'
import type { ChangeView, MailView } from '../../src/dashboards/view.ts'
import { type Feed, openFeed } from '../support/console-feed.ts'
import { openStream } from '../support/event-stream.ts'
import { until } from '../support/until.ts'

let sink: http.Server
let answer = '[]'
let feed: Feed
beforeEach(async () => {
  answer = '[]'
  sink = http.createServer((_request, response) => response.end(answer)).listen(0, '127.0.0.1')
  await once(sink, 'listening')
  feed = await openFeed({ dashboards: `  mailbox: http://127.0.0.1:${(sink.address() as AddressInfo).port}/mails` })
})
afterEach(async () => {
  await feed.stop()
  sink.close()
})

interface Mails {
  mails: MailView[]
  problem?: string
}
const ask = async () => (await feed.get<Mails>('/api/mailbox')).body
const mail = { at: 1000, from: 'tocsin@example.org', to: ['a@example.org', 'b@example.org'], subject: 'S', text: 'T' }

test('mails are listed newest first, and their HTML is served where it can do nothing', async () => {
  answer = JSON.stringify([
    mail,
    { ...mail, at: '2026-03-01T13:05:09Z', subject: 'New', html: '<b onclick="x()">hi</b>' },
  ])
  const { mails } = await ask()
  expect(mails).toMatchObject([
    { subject: 'New', atMs: 1772370309000, hasHtml: true },
    { subject: 'S', to: 'a@example.org, b@example.org', text: 'T', hasHtml: false },
  ])
  const html = await feed.get(`/api/mailbox/${mails[0]?.id}/html`)
  expect(html.text).toBe('<base target="_blank"><b onclick="x()">hi</b>')
  expect(html.headers.get('content-security-policy')).toMatch(
    /^default-src 'none';.*; sandbox allow-popups allow-popups-to-escape-sandbox;/,
  )
  expect((await feed.get(`/api/mailbox/${mails[1]?.id}/html`)).status).toBe(404)
})

test('a mail is heard on the stream as it arrives', async () => {
  const stream = await openStream(`${feed.url}/api/stream`)
  await stream.next('hello')
  answer = JSON.stringify([mail])
  await stream.next<ChangeView<MailView>>('mails', ({ set }) => set[0]?.subject === 'S')
  stream.close()
})

test('a sink that is away or answers nonsense leaves what was known, and says why', async () => {
  answer = JSON.stringify([mail])
  expect((await ask()).mails).toHaveLength(1)
  answer = '{"no": "list"}'
  expect(await ask()).toMatchObject({
    mails: [{ subject: 'S' }],
    problem: 'the mailbox cannot be read: it is not a list of mails',
  })
  sink.closeAllConnections()
  sink.close()
  await until(async () => (await ask()).problem?.includes('ECONNREFUSED'))
  expect((await ask()).mails).toHaveLength(1)
})

test(`at most ${mailsMax} mails are kept, the newest`, async () => {
  answer = JSON.stringify(Array.from({ length: mailsMax + 5 }, (_, at) => ({ ...mail, at })))
  const { mails } = await ask()
  expect(mails).toHaveLength(mailsMax)
  expect(mails[0]?.atMs).toBe(mailsMax + 4)
})
