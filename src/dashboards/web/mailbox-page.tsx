/** Mailbox: the demo's mails as they arrived. Their HTML is shown in a frame that may do nothing. */
import { useEffect, useState } from 'preact/hooks'
import type { MailView } from '../view.ts'
import { setQuery, useAddress } from './address.tsx'
import { useApi } from './fetch.ts'
import { Since } from './relative.tsx'
import { merged, useKnown, usePageEvent } from './stream.ts'
import { exactTime } from './time.ts'

export function MailboxPage() {
  const { connection } = useKnown()
  const answer = useApi<{ mails: MailView[]; problem?: string }>('/api/mailbox', connection)
  const [mails, setMails] = useState<ReadonlyMap<string, MailView>>(new Map())
  useEffect(() => {
    if (answer.state === 'here') setMails(new Map(answer.data.mails.map((mail) => [mail.id, mail])))
  }, [answer])
  usePageEvent('mails', (change) => setMails((before) => merged(before, change, ({ id }) => id)), [])
  const list = [...mails.values()].sort((a, b) => b.atMs - a.atMs)
  const chosen = useAddress().query.get('mail') ?? undefined
  const mail = list.find(({ id }) => id === chosen)
  const problem = answer.state === 'failed' ? answer.message : answer.data?.problem
  return (
    <>
      <div class="headline">
        <h1>Mailbox</h1>
        <span class="quiet-text">what the demo's receivers were sent</span>
      </div>
      {problem && <p class="empty">{problem}</p>}
      {list.length === 0 && !problem && <p class="empty">No mail has arrived yet.</p>}
      <div class={mail ? 'mailbox reading' : 'mailbox'}>
        <ul class="mails" aria-label="Mails">
          {list.map((one) => (
            <li key={one.id}>
              <button type="button" aria-pressed={one.id === chosen} onClick={() => setQuery({ mail: one.id })}>
                <b>{one.subject || '(no subject)'}</b>
                <small>
                  to {one.to} · <Since atMs={one.atMs} suffix=" ago" />
                </small>
              </button>
            </li>
          ))}
        </ul>
        {mail && <Mail mail={mail} />}
      </div>
    </>
  )
}

function Mail({ mail: { id, subject, from, to, atMs, text, hasHtml } }: { mail: MailView }) {
  const [isText, setText] = useState(false)
  return (
    <article class="mail" aria-label={subject}>
      <header>
        <button type="button" class="back" onClick={() => setQuery({ mail: undefined })}>
          ← all mails
        </button>
        <h2>{subject || '(no subject)'}</h2>
        <p class="quiet-text">
          {from} → {to}, {exactTime(atMs)}
        </p>
        {hasHtml && (
          <fieldset class="range" aria-label="Form">
            <button type="button" aria-pressed={!isText} onClick={() => setText(false)}>
              HTML
            </button>
            <button type="button" aria-pressed={isText} onClick={() => setText(true)}>
              Text
            </button>
          </fieldset>
        )}
      </header>
      {hasHtml && !isText ? (
        <iframe
          title={`Mail: ${subject}`}
          sandbox="allow-popups allow-popups-to-escape-sandbox"
          src={`/api/mailbox/${encodeURIComponent(id)}/html`}
        />
      ) : (
        <pre>{text}</pre>
      )}
    </article>
  )
}
