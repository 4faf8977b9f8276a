/** Silence: what is to be muted, for how long and why, with what that would hide now. */
import { useState } from 'preact/hooks'
import type { PreviewView } from '../view.ts'
import { command, type Done } from './command.ts'
import { CommandForm, Dialog, Field, Length } from './dialog.tsx'
import { useApi } from './fetch.ts'
import { Confirm, Covers, Patterns } from './patterns.tsx'

export function SilenceDialog({
  patterns,
  onClose,
}: {
  patterns: Readonly<Record<string, string>>
  onClose: () => void
}) {
  const [chosen, setChosen] = useState(patterns)
  const [reason, setReason] = useState('')
  const [length, setLength] = useState('1h')
  const [endWhenQuiet, setQuiet] = useState(false)
  const [confirm, setConfirm] = useState(false)
  const [doubt, setDoubt] = useState('')
  const matchers = Object.fromEntries(Object.entries(chosen).filter(([, pattern]) => pattern.trim() !== ''))
  const query = new URLSearchParams(Object.entries(matchers).map(([name, pattern]) => ['match', `${name}=${pattern}`]))
  const preview = useApi<PreviewView>(query.size > 0 ? `/api/silences/preview?${query}` : undefined, 0)
  const body = { matchers, reason, for: length, endWhenQuiet, ...(confirm && { confirm }) }
  const run = async () => asked(await command('POST', '/api/silences', body), setDoubt)
  return (
    <Dialog title="Silence" onClose={onClose}>
      <CommandForm verb="Silence" run={run} onDone={onClose} isReady={query.size > 0}>
        <Patterns chosen={chosen} onChange={setChosen} />
        <Covers asked={query.size > 0 ? preview : undefined} />
        <Field label="Reason">
          <input
            required
            maxLength={1000}
            value={reason}
            onInput={({ currentTarget }) => setReason(currentTarget.value)}
          />
        </Field>
        <Length value={length} onPick={setLength} />
        <label class="check">
          <input type="checkbox" checked={endWhenQuiet} onChange={() => setQuiet(!endWhenQuiet)} />
          end when what it hides has been quiet for 5 m
        </label>
        <Confirm
          isAsked={doubt !== '' || preview.data?.reach !== undefined}
          isConfirmed={confirm}
          onChange={setConfirm}
        />
      </CommandForm>
    </Dialog>
  )
}

/** What has to be confirmed comes back as a doubt. */
export function asked(done: Done, setDoubt: (doubt: string) => void): Done {
  if (done.ok || done.status !== 409) return done
  const message = done.message.replace(/; send .*/, '')
  setDoubt(message)
  return { ...done, message }
}
