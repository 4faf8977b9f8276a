import { afterEach, describe, expect, test } from 'vitest'
import { type SmtpServer, startSmtp } from '../support/smtp.ts'
import { transition } from '../support/transitions.ts'
import { type Road, startRoad } from './road.ts'

const running: { stop?(): Promise<void>; close?(): Promise<void> }[] = []

afterEach(async () => {
  for (const each of running.splice(0).reverse()) await (each.stop?.() ?? each.close?.())
})

async function withMail(more = ''): Promise<{ smtp: SmtpServer; road: Road }> {
  const smtp = await startSmtp()
  running.push(smtp)
  const road = await startRoad(`receivers: {oncall: {email: {to: oncall@example.org, smtp: "${smtp.url}"}}}\n${more}`)
  running.push(road)
  return { smtp, road }
}

describe('from a transition to a mail', () => {
  test('a crit transition is mailed, its end as a reply in the same thread', async () => {
    const { smtp, road } = await withMail()
    const nowMs = 1_760_000_000_000
    await road.tick(nowMs)
    await road.say(transition('crit', nowMs), { packetMs: nowMs - 700, flushMs: nowMs + 10, ruleMs: nowMs + 12 })
    const [page] = await smtp.received(1)
    expect(page?.mail.subject).toBe('CRIT verifier: 6.3% of requests to verifier fail · http_5xx_spike')
    await road.say(transition('ok', nowMs + 60_000))
    const [, end] = await smtp.received(2)
    expect(end?.mail.subject).toMatch(/^OK verifier after 1m: /)
    expect(end?.mail.inReplyTo).toBe(page?.mail.messageId)
  })
})
