/** Acknowledge: one alert or many, taken in hand. */
import { useState } from 'preact/hooks'
import type { AlertView } from '../view.ts'
import { alertAddress, command, type Done } from './command.ts'
import { CommandForm, Dialog, Field, Length } from './dialog.tsx'
import { plural } from './format.ts'

export function AcknowledgeDialog({ alerts, onClose }: { alerts: readonly AlertView[]; onClose: () => void }) {
  const [note, setNote] = useState('')
  const [length, setLength] = useState('')
  const [sticky, setSticky] = useState(false)
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set())
  const chosen = alerts.filter(({ fingerprint }) => !left.has(fingerprint))
  const body = { note, sticky, ...(length && { for: length }) }
  const only = alerts.length === 1 ? alerts[0] : undefined
  const toggle = (key: string) =>
    setLeft(left.has(key) ? new Set([...left].filter((one) => one !== key)) : new Set([...left, key]))
  return (
    <Dialog title={only ? 'Acknowledge' : `Acknowledge ${plural(chosen.length, 'alert')}`} onClose={onClose}>
      <CommandForm verb="Acknowledge" run={() => all(chosen, body)} onDone={onClose} isReady={chosen.length > 0}>
        {only ? (
          <p class="about-alert">
            <b>{only.rule}</b> {only.groupKey === 'all' ? '' : only.groupKey}
          </p>
        ) : (
          <ul class="choose">
            {alerts.map(({ fingerprint, rule, groupKey, level }) => (
              <li key={fingerprint}>
                <label>
                  <input type="checkbox" checked={!left.has(fingerprint)} onChange={() => toggle(fingerprint)} />
                  <b class={`level-${level}`}>{level}</b> {rule} {groupKey}
                </label>
              </li>
            ))}
          </ul>
        )}
        <Field label="Note">
          <input maxLength={1000} value={note} onInput={({ currentTarget }) => setNote(currentTarget.value)} />
        </Field>
        <Length value={length} onPick={setLength} none="until it ends" />
        <label class="check">
          <input type="checkbox" checked={sticky} onChange={() => setSticky(!sticky)} />
          also when it gets worse
        </label>
      </CommandForm>
    </Dialog>
  )
}

/** One after another; the first refusal is told. What is over by now needs nothing more. */
async function all(alerts: readonly AlertView[], body: object): Promise<Done> {
  let done: Done = { ok: true, data: undefined }
  for (const { fingerprint } of alerts) {
    const one = await command('POST', `${alertAddress(fingerprint)}/acknowledge`, body)
    if (!one.ok && (one.status !== 409 || alerts.length === 1) && done.ok) done = one
    if (!one.ok && (one.status === 401 || one.status === 403)) break
  }
  return done
}
