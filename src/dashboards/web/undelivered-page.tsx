/** Undelivered: notifications that nobody was told of, why, and what can be done about each. */
import { useState } from 'preact/hooks'
import type { DeadLetterView } from '../view.ts'
import { command } from './command.ts'
import { useApi } from './fetch.ts'
import { plural } from './format.ts'
import { Since } from './relative.tsx'
import { useKnown } from './stream.ts'
import { exactTime, useNow } from './time.ts'

const askedEveryMs = 2000

export function UndeliveredPage() {
  const nowMs = useNow()
  const { connection } = useKnown()
  const [count, setCount] = useState(0)
  const again = `${connection} ${count} ${Math.floor(nowMs / askedEveryMs)}`
  const answer = useApi<{ letters: readonly DeadLetterView[] }>('/api/dead-letters', again)
  const letters = answer.data?.letters ?? []
  return (
    <>
      <div class="headline">
        <h1>Undelivered</h1>
        <span class="quiet-text">{letters.length > 0 && plural(letters.length, 'notification')}</span>
      </div>
      {answer.state === 'failed' && <p class="empty">{answer.message}</p>}
      <ul class="silences">
        {letters.map((letter) => (
          <Letter key={letter.key} letter={letter} onDone={() => setCount(count + 1)} />
        ))}
      </ul>
      {answer.data && letters.length === 0 && <p class="empty">Everybody was told of everything.</p>}
    </>
  )
}

function Letter({ letter, onDone }: { letter: DeadLetterView; onDone: () => void }) {
  const { key, receiver, title, detail, atMs, attempt } = letter
  const [refused, setRefused] = useState('')
  const order = async (method: 'POST' | 'DELETE', address: string) => {
    const done = await command(method, address)
    setRefused(done.ok ? '' : done.message)
    onDone()
  }
  return (
    <li>
      <span>
        {title}
        <p class="reason">
          {receiver} · {plural(attempt, 'try', 'tries')} · {detail}
        </p>
        {refused && (
          <p class="refused" role="alert">
            {refused}
          </p>
        )}
      </span>
      <span class="silence-when" title={exactTime(atMs)}>
        <small>
          given up <Since atMs={atMs} suffix=" ago" />
        </small>
      </span>
      <span class="actions">
        <button type="button" onClick={() => order('POST', `/api/dead-letters/${key}/retry`)}>
          Send again
        </button>
        <button type="button" onClick={() => order('DELETE', `/api/dead-letters/${key}`)}>
          Dismiss
        </button>
      </span>
    </li>
  )
}
