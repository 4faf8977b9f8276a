/** Patterns: what a silence or maintenance means, as fields, with what that covers now and whether it is meant. */
import type { PreviewView } from '../view.ts'
import { Field } from './dialog.tsx'
import type { Answer } from './fetch.ts'
import { plural } from './format.ts'

type Chosen = Readonly<Record<string, string>>

export function Patterns({ chosen, onChange }: { chosen: Chosen; onChange: (chosen: Chosen) => void }) {
  return (
    <>
      {Object.entries(chosen).map(([name, pattern]) => (
        <Field key={name} label={name}>
          <input
            value={pattern}
            placeholder="any"
            onInput={({ currentTarget }) => onChange({ ...chosen, [name]: currentTarget.value })}
          />
        </Field>
      ))}
    </>
  )
}

/** Undefined where nothing was asked, because no pattern was given. */
export function Covers({ asked }: { asked: Answer<PreviewView> | undefined }) {
  if (asked?.state === 'failed') {
    return (
      <p class="refused" role="alert">
        {asked.message}
      </p>
    )
  }
  if (!asked?.data) {
    return (
      <p class="quiet-text">
        Patterns: * stands for any text, !router for everything else, /web\d+/ is a regular expression; an empty one
        means any.
      </p>
    )
  }
  const { total, alerts, lately, reach } = asked.data
  const names = alerts.slice(0, 5).map(({ rule, groupKey }) => `${rule} ${groupKey}`)
  return (
    <p class="hides" aria-live="polite">
      {reach && <b class="level-crit">This matches {reach}. </b>}
      {total === 0 ? 'It would hide nothing now' : `It would hide ${plural(total, 'alert')} now: ${names.join(', ')}`}
      {total > names.length && ' …'}
      {lately > 0 && `; ${lately} of what ended lately`}.
    </p>
  )
}

/** Only where the console asks. */
export function Confirm({
  isAsked,
  isConfirmed,
  onChange,
}: {
  isAsked: boolean
  isConfirmed: boolean
  onChange: (isConfirmed: boolean) => void
}) {
  if (!isAsked) return null
  return (
    <label class="check">
      <input type="checkbox" checked={isConfirmed} onChange={() => onChange(!isConfirmed)} />
      yes, I mean it
    </label>
  )
}
