/** Dialog: a question over the page. Escape closes it, and the focus goes back to where it was. */
import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { type Done, keepName, ownName } from './command.ts'
import { logIn, useSession } from './session.ts'

interface DialogProps {
  title: string
  onClose: () => void
  children: ComponentChildren
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useLayoutEffect(() => {
    dialog.current?.showModal()
    dialog.current?.querySelector<HTMLElement>('form input')?.focus()
  }, [])
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby={id} onClose={onClose}>
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick={() => dialog.current?.close()}>
          ✕
        </button>
      </div>
      {children}
    </dialog>
  )
}

interface CommandFormProps {
  /** What the button says. */
  verb: string
  run: () => Promise<Done>
  onDone: () => void
  children: ComponentChildren
  isReady?: boolean
}

/** Fields, who one is, the button, and what the console answers where it refuses. */
export function CommandForm({ verb, run, onDone, children, isReady = true }: CommandFormProps) {
  const [refused, setRefused] = useState<{ status: number; message: string } | undefined>(undefined)
  const [isBusy, setBusy] = useState(false)
  const session = useSession()
  const submit = async (event: Event) => {
    event.preventDefault()
    const given = new FormData(event.currentTarget as HTMLFormElement)
    const [name, token] = [given.get('name'), given.get('token')]
    if (typeof name === 'string') keepName(name.trim())
    setBusy(true)
    const known = typeof token === 'string' ? await logIn(token) : undefined
    const done = known && !known.ok ? known : await run()
    setBusy(false)
    if (done.ok) onDone()
    else setRefused(done)
  }
  return (
    <form class="command" onSubmit={submit}>
      {children}
      {refused?.status === 401 ? (
        <Field key="token" label="Your token">
          <input key="token" name="token" type="password" autocomplete="off" />
        </Field>
      ) : session?.name !== undefined ? null : (
        <Field key="name" label="Your name">
          <input key="name" name="name" maxLength={80} defaultValue={ownName()} />
        </Field>
      )}
      {refused && (
        <p class="refused" role="alert">
          {refused.message}
        </p>
      )}
      <button type="submit" class="main" disabled={isBusy || !isReady}>
        {verb}
      </button>
    </form>
  )
}

export function Field({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child.
    <label class="field">
      <span>{label}</span>
      {children}
    </label>
  )
}

const lengths = ['30m', '1h', '2h', '8h', '1d', '7d']

export function Length({ value, onPick, none }: { value: string; onPick: (length: string) => void; none?: string }) {
  return (
    <Field label="For">
      <select value={value} onChange={({ currentTarget }) => onPick(currentTarget.value)}>
        {none !== undefined && <option value="">{none}</option>}
        {lengths.map((length) => (
          <option key={length} value={length}>
            {length}
          </option>
        ))}
      </select>
    </Field>
  )
}
