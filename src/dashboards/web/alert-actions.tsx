/** What can be done about an alert: acknowledge it or take that back, silence it, ask why. */
import { useState } from 'preact/hooks'
import type { AlertView } from '../view.ts'
import { AcknowledgeDialog } from './acknowledge-dialog.tsx'
import { alertAddress, command } from './command.ts'
import { SilenceDialog } from './silence-dialog.tsx'
import { WhyDialog } from './why-dialog.tsx'

export function AlertActions({ alert }: { alert: AlertView }) {
  const [open, setOpen] = useState<'acknowledge' | 'silence' | 'why' | undefined>(undefined)
  const [refused, setRefused] = useState('')
  const close = () => setOpen(undefined)
  const takeBack = async () => {
    const done = await command('DELETE', `${alertAddress(alert.fingerprint)}/acknowledge`)
    setRefused(done.ok ? '' : done.message)
  }
  return (
    <span class="actions">
      {alert.acknowledged ? (
        <button type="button" onClick={takeBack} title="Take the acknowledgement back: reminders go on">
          Take back
        </button>
      ) : (
        <button type="button" onClick={() => setOpen('acknowledge')}>
          Acknowledge
        </button>
      )}
      <button type="button" onClick={() => setOpen('silence')}>
        Silence
      </button>
      <button type="button" onClick={() => setOpen('why')}>
        Why
      </button>
      {refused && (
        <span class="flag" role="alert">
          {refused}
        </span>
      )}
      {open === 'acknowledge' && <AcknowledgeDialog alerts={[alert]} onClose={close} />}
      {open === 'silence' && <SilenceDialog patterns={patternsOf(alert)} onClose={close} />}
      {open === 'why' && <WhyDialog alert={alert} onClose={close} />}
    </span>
  )
}

export function patternsOf({ rule, group }: Pick<AlertView, 'rule' | 'group'>): Record<string, string> {
  return { rule, ...Object.fromEntries(group.map(({ name, value }) => [name, value])) }
}
