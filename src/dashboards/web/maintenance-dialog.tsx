/** Maintenance: what is out of service, from now on, at one time or again and again; with what and when first. */
import { useState } from 'preact/hooks'
import type { PreviewView } from '../view.ts'
import { command } from './command.ts'
import { CommandForm, Dialog, Field } from './dialog.tsx'
import { useApi } from './fetch.ts'
import { Confirm, Covers, Patterns } from './patterns.tsx'
import { asked } from './silence-dialog.tsx'
import { exactTime } from './time.ts'

type When = 'now' | 'once' | 'recurring'
type Times = Readonly<Record<'from' | 'every' | 'at' | 'for' | 'zone', string>>

const examples = { from: '2026-03-01 02:00', every: 'sunday', at: '02:00', for: '2h', zone: '' } as const
const askedFor: Readonly<Record<When, readonly (keyof Times)[]>> = {
  now: ['for'],
  once: ['from', 'for', 'zone'],
  recurring: ['every', 'at', 'for', 'zone'],
}

export function MaintenanceDialog({ onClose }: { onClose: () => void }) {
  const [chosen, setChosen] = useState<Readonly<Record<string, string>>>({ rule: '', severity: '', group: '' })
  const [when, setWhen] = useState<When>('now')
  const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone
  const [times, setTimes] = useState<Times>({ from: '', every: '', at: '', for: '2h', zone: ownZone })
  const [reason, setReason] = useState('')
  const [confirm, setConfirm] = useState(false)
  const [doubt, setDoubt] = useState('')
  const matchers = Object.fromEntries(Object.entries(chosen).filter(([, pattern]) => pattern.trim() !== ''))
  const said = Object.fromEntries(askedFor[when].map((name) => [name, times[name].trim()]))
  const isTimed = Object.values(said).every((text) => text !== '')
  const query = new URLSearchParams(Object.entries(matchers).map(([name, pattern]) => ['match', `${name}=${pattern}`]))
  const isAsked = query.size > 0
  if (isTimed && when !== 'now') for (const [name, text] of Object.entries(said)) query.append(name, text)
  const preview = useApi<PreviewView>(isAsked ? `/api/maintenance/preview?${query}` : undefined, 0)
  const body = { matchers, reason, ...said, ...(confirm && { confirm }) }
  const run = async () => asked(await command('POST', '/api/maintenance', body), setDoubt)
  return (
    <Dialog title="Maintenance" onClose={onClose}>
      <CommandForm verb="Begin or plan" run={run} onDone={onClose} isReady={isAsked && isTimed}>
        <Patterns chosen={chosen} onChange={setChosen} />
        <Field label="When">
          <select value={when} onChange={({ currentTarget }) => setWhen(currentTarget.value as When)}>
            <option value="now">from now on</option>
            <option value="once">once, later</option>
            <option value="recurring">again and again</option>
          </select>
        </Field>
        {askedFor[when].map((name) => (
          <Field key={name} label={name}>
            <input
              required
              value={times[name]}
              placeholder={examples[name]}
              onInput={({ currentTarget }) => setTimes({ ...times, [name]: currentTarget.value })}
            />
          </Field>
        ))}
        <Covers asked={isAsked ? preview : undefined} />
        <Occurrences preview={preview.data} />
        <Field label="Reason">
          <input
            required
            maxLength={1000}
            value={reason}
            onInput={({ currentTarget }) => setReason(currentTarget.value)}
          />
        </Field>
        <Confirm
          isAsked={doubt !== '' || preview.data?.reach !== undefined}
          isConfirmed={confirm}
          onChange={setConfirm}
        />
      </CommandForm>
    </Dialog>
  )
}

/** In the reader's own zone, so that a wrong one is seen. */
function Occurrences({ preview }: { preview: PreviewView | undefined }) {
  const times = preview?.occurrences ?? []
  if (times.length === 0) return null
  return (
    <ol class="occurrences">
      {times.slice(0, 3).map(({ startsMs, endsMs }) => (
        <li key={startsMs}>
          {exactTime(startsMs)} – {exactTime(endsMs)}
        </li>
      ))}
    </ol>
  )
}
