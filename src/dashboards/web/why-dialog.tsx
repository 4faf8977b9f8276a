/** Why: what was decided about an alert and what became of it, the newest first; and a place for notes. */
import { useState } from 'preact/hooks'
import type { AlertDetailView, AlertView } from '../view.ts'
import { alertAddress, command } from './command.ts'
import { CommandForm, Dialog, Field } from './dialog.tsx'
import { useApi } from './fetch.ts'
import { exactTime, shortTime, useNow } from './time.ts'

interface Line {
  atMs: number
  who: string
  text: string
}

export function WhyDialog({ alert, onClose }: { alert: AlertView; onClose: () => void }) {
  const nowMs = useNow()
  const [count, setCount] = useState(0)
  const [note, setNote] = useState('')
  const address = alertAddress(alert.fingerprint)
  const answer = useApi<AlertDetailView>(address, `${count} ${Math.floor(nowMs / 3000)}`)
  const lines = answer.data ? linesOf(answer.data) : []
  const noted = () => {
    setNote('')
    setCount(count + 1)
  }
  return (
    <Dialog title={`${alert.rule} ${alert.groupKey === 'all' ? '' : alert.groupKey}`} onClose={onClose}>
      <ol class="history why">
        {lines.map(({ atMs, who, text }, i) => (
          <li key={`${atMs} ${i}`}>
            <time title={exactTime(atMs)}>{shortTime(atMs, nowMs)}</time>
            <b>{who}</b>
            <span>{text}</span>
          </li>
        ))}
      </ol>
      {answer.state === 'failed' && <p class="empty">{answer.message}</p>}
      {answer.state === 'here' && lines.length === 0 && <p class="empty">Nothing in the time that is kept.</p>}
      {answer.data && <Quiet detail={answer.data} />}
      <CommandForm
        verb="Add note"
        run={() => command('POST', `${address}/note`, { text: note })}
        onDone={noted}
        isReady={note.trim() !== ''}
      >
        <Field label="Note">
          <input maxLength={1000} value={note} onInput={({ currentTarget }) => setNote(currentTarget.value)} />
        </Field>
      </CommandForm>
    </Dialog>
  )
}

/** Why it is quiet now, and who knows what the engine saw. */
function Quiet({ detail: { quietWhy, rulesWhy } }: { detail: AlertDetailView }) {
  return (
    <>
      {quietWhy.map((why) => (
        <p class="hides" key={why}>
          Quiet now: {why}.
        </p>
      ))}
      <p class="rules-why">
        What the engine saw: <code>{rulesWhy}</code>
      </p>
    </>
  )
}

function linesOf({ decisions, receipts, notes }: AlertDetailView): Line[] {
  const decided = decisions.map(({ atMs, change, notify, reason, receivers }) => ({
    atMs,
    who: change === 'command' ? 'by hand' : notify ? 'told' : 'not told',
    text: notify ? `${reason}: ${receivers.join(', ')}` : reason,
  }))
  const sent = receipts.map(({ atMs, receiver, outcome, detail, fallback }) => ({
    ...{ atMs, who: fallback ? 'passed on' : outcome },
    text:
      outcome === 'delivered' ? receiver : `${receiver}: ${detail}${fallback ? `; ${fallback} is told instead` : ''}`,
  }))
  const said = notes.map(({ atMs, by, text }) => ({ atMs, who: by, text }))
  return [...said, ...sent, ...decided].sort((a, b) => b.atMs - a.atMs)
}
