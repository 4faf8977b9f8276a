/** Silence: what is to be muted, for how long and why, with what that would hide now. */
import { useState } from 'preact/hooks'
import type { AlertView } from '../view.ts'
import { command } from './command.ts'
import { CommandForm, Dialog, Field, Length } from './dialog.tsx'
import { useApi } from './fetch.ts'
import { plural } from './format.ts'

interface Preview {
  total: number
  isEverything: boolean
  alerts: readonly AlertView[]
}

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
  const matchers = Object.fromEntries(Object.entries(chosen).filter(([, pattern]) => pattern.trim() !== ''))
  const query = new URLSearchParams(Object.entries(matchers).map(([name, pattern]) => ['match', `${name}=${pattern}`]))
  const preview = useApi<Preview>(query.size > 0 ? `/api/silences/preview?${query}` : undefined, 0)
  const body = { matchers, reason, for: length, endWhenQuiet, ...(confirm && { confirm }) }
  const isGrave = preview.data?.isEverything ?? false
  return (
    <Dialog title="Silence" onClose={onClose}>
      <CommandForm
        verb="Silence"
        run={() => command('POST', '/api/silences', body)}
        onDone={onClose}
        isReady={query.size > 0}
      >
        {Object.entries(chosen).map(([name, pattern]) => (
          <Field key={name} label={name}>
            <input
              value={pattern}
              placeholder="any"
              onInput={({ currentTarget }) => setChosen({ ...chosen, [name]: currentTarget.value })}
            />
          </Field>
        ))}
        <Hides preview={query.size > 0 ? preview.data : undefined} />
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
        {isGrave && (
          <label class="check">
            <input type="checkbox" checked={confirm} onChange={() => setConfirm(!confirm)} />
            yes, every alert
          </label>
        )}
      </CommandForm>
    </Dialog>
  )
}

function Hides({ preview }: { preview: Preview | undefined }) {
  if (!preview) return <p class="quiet-text">Patterns: * stands for any text; an empty one means any.</p>
  const { total, alerts, isEverything } = preview
  const names = alerts.slice(0, 5).map(({ rule, groupKey }) => `${rule} ${groupKey}`)
  return (
    <p class="hides" aria-live="polite">
      {isEverything && <b class="level-crit">This matches every alert. </b>}
      {total === 0 ? 'It would hide nothing now.' : `It would hide ${plural(total, 'alert')} now: ${names.join(', ')}`}
      {total > names.length && ' …'}
    </p>
  )
}
