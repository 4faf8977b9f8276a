import { once } from 'node:events'
import net from 'node:net'
import { createTransport, type Transporter } from 'nodemailer'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Mail, type Mailbox, mailBytesMax, mailsMax, picturesMax, startMailbox } from '../../service/mailbox.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { request } from './support.ts'

const arrivalMs = 1_772_373_909_000
let mailbox: Mailbox
let sender: Transporter

beforeEach(async () => {
  mailbox = await startMailbox({ smtpPort: 0, httpPort: 0, clock: new ManualClock(arrivalMs), log: silentLog })
  sender = createTransport({
    host: '127.0.0.1',
    port: mailbox.smtpPort,
    pool: true,
    maxConnections: 1,
    maxMessages: Infinity,
  })
})

afterEach(async () => {
  sender.close()
  await mailbox.close()
})

const mails = async (): Promise<Mail[]> =>
  JSON.parse((await request(`http://127.0.0.1:${mailbox.httpPort}/mails`)).text)
const from = 'Tocsin <tocsin@example.org>'
const to = 'oncall@example.org'

test('what is sent by SMTP is read as JSON, newest first', async () => {
  await sender.sendMail({
    from,
    to,
    subject: 'CRIT verifier: 50 % fail – jetzt',
    text: 'since 14:05\n',
    html: '<b>since</b> 14:05',
    messageId: '<1@tocsin>',
  })
  await sender.sendMail({
    from,
    to,
    cc: 'b@example.org',
    subject: 'OK verifier',
    text: 'fixed',
    messageId: '<2@tocsin>',
    inReplyTo: '<1@tocsin>',
  })
  expect(await mails()).toEqual([
    {
      id: '2',
      at: arrivalMs,
      from,
      to: [to, 'b@example.org'],
      subject: 'OK verifier',
      text: 'fixed',
      html: '',
      messageId: '<2@tocsin>',
      inReplyTo: '<1@tocsin>',
    },
    {
      id: '1',
      at: arrivalMs,
      from,
      to: [to],
      subject: 'CRIT verifier: 50 % fail – jetzt',
      text: 'since 14:05',
      html: '<b>since</b> 14:05',
      messageId: '<1@tocsin>',
      inReplyTo: '',
    },
  ])
})

test(`the last ${mailsMax} mails are kept`, async () => {
  for (let i = 1; i <= mailsMax + 5; i++) await sender.sendMail({ from, to, subject: `mail ${i}` })
  const kept = await mails()
  expect(kept).toHaveLength(mailsMax)
  expect(kept[0]?.subject).toBe(`mail ${mailsMax + 5}`)
  expect(kept.at(-1)?.subject).toBe('mail 6')
})

test('a mail that is too large is refused, also when its size was not announced, and the next one is taken', async () => {
  const large = 'x'.repeat(mailBytesMax)
  await expect(sender.sendMail({ from, to, subject: 'announced', text: large })).rejects.toThrow(/552|size/i)
  expect(
    await speakSmtp([
      'HELO me',
      'MAIL FROM:<a@example.org>',
      `RCPT TO:<${to}>`,
      'DATA',
      `Subject: large\r\n\r\n${`${large.slice(0, 900)}\r\n`.repeat(1300)}.`,
    ]),
  ).toMatch(/^552 /)
  await sender.sendMail({ from, to, subject: 'small' })
  expect((await mails()).map(({ subject }) => subject)).toEqual(['small'])
})

test('bytes that are no mail are kept as they came', async () => {
  await speakSmtp(['HELO me', 'MAIL FROM:<>', `RCPT TO:<${to}>`, 'DATA', '\0\xff no header at all\r\n.'])
  expect(await mails()).toMatchObject([{ from: '', to: [to] }])
})

test('a mail’s HTML is shown without running what is in it', async () => {
  await sender.sendMail({ from, to, subject: 'page', html: '<script>alert(1)</script>' })
  const response = await fetch(`http://127.0.0.1:${mailbox.httpPort}/mails/1`)
  expect(response.headers.get('content-security-policy')).toContain('sandbox')
  expect(await response.text()).toContain('alert(1)')
  expect((await request(`http://127.0.0.1:${mailbox.httpPort}/mails/2`)).status).toBe(404)
})

test('a mail’s own picture is shown in its HTML, in the newest mails', async () => {
  const png = Buffer.from([0x89, 0x50, 0x4e, 0x47])
  const attachments = [{ filename: 'graph.png', content: png, contentType: 'image/png', cid: 'graph@example.org' }]
  const html = '<p>values</p><img src="cid:graph@example.org" alt="Graph">'
  for (let i = 0; i <= picturesMax; i++) await sender.sendMail({ from, to, subject: `${i}`, html, attachments })
  const kept = await mails()
  expect(kept[0]?.html).toBe(`<p>values</p><img src="data:image/png;base64,${png.toString('base64')}" alt="Graph">`)
  expect(kept[picturesMax]?.html).toBe('<p>values</p>')
})

test('a port that is taken is named', async () => {
  const options = { smtpPort: mailbox.smtpPort, httpPort: 0, clock: new ManualClock(), log: silentLog }
  await expect(startMailbox(options)).rejects.toThrow(`port ${mailbox.smtpPort} on 127.0.0.1 is taken`)
})

/** Says each line after the answer to the former; resolves with the last answer. */
async function speakSmtp(lines: readonly string[]): Promise<string> {
  const socket = net.connect(mailbox.smtpPort, '127.0.0.1').setEncoding('latin1')
  let [answer] = await once(socket, 'data')
  for (const line of lines) {
    socket.write(`${line}\r\n`, 'latin1')
    ;[answer] = await once(socket, 'data')
  }
  socket.end('QUIT\r\n')
  return answer
}
