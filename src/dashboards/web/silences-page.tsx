/** Silences: what is muted now or will be, by whom, why and until when; maintenance; and what has ended. */
import { useState } from 'preact/hooks'
import type { SilenceView } from '../view.ts'
import { command, type Done } from './command.ts'
import { useApi } from './fetch.ts'
import { plural } from './format.ts'
import { MaintenanceList } from './maintenance-list.tsx'
import { Since } from './relative.tsx'
import { SilenceDialog } from './silence-dialog.tsx'
import { useKnown } from './stream.ts'
import { ago, exactTime, useNow } from './time.ts'

const askedEveryMs = 2000

export function SilencesPage() {
  const nowMs = useNow()
  const { connection } = useKnown()
  const [count, setCount] = useState(0)
  const [isOpen, setOpen] = useState(false)
  const again = `${connection} ${count} ${Math.floor(nowMs / askedEveryMs)}`
  const answer = useApi<{ silences: readonly SilenceView[] }>('/api/silences', again)
  const all = answer.data?.silences ?? []
  const present = all.filter(({ state }) => state !== 'ended')
  const ended = all.filter(({ state }) => state === 'ended').slice(0, 30)
  const changed = () => setCount(count + 1)
  return (
    <>
      <div class="headline">
        <h1>Silences</h1>
        <span class="quiet-text">
          {present.length === 0 ? 'none in force' : `${present.length} in force or to come`}
        </span>
        <span class="actions">
          <button type="button" onClick={() => setOpen(true)}>
            New silence
          </button>
        </span>
      </div>
      {answer.state === 'failed' && <p class="empty">{answer.message}</p>}
      <ul class="silences">
        {present.map((silence) => (
          <Silence key={silence.id} silence={silence} nowMs={nowMs} onEnded={changed} />
        ))}
      </ul>
      {answer.data && present.length === 0 && <p class="empty">Nothing is silenced.</p>}
      <MaintenanceList nowMs={nowMs} again={again} />
      {ended.length > 0 && <Ended silences={ended} />}
      {isOpen && (
        <SilenceDialog
          patterns={{ rule: '', severity: '', group: '' }}
          onClose={() => {
            setOpen(false)
            changed()
          }}
        />
      )}
    </>
  )
}

function Silence({ silence, nowMs, onEnded }: { silence: SilenceView; nowMs: number; onEnded: () => void }) {
  const { id, by, reason, startsMs, endsMs, state, hides, quietMs, warnedMs } = silence
  const [refused, setRefused] = useState('')
  const address = `/api/silences/${encodeURIComponent(id)}`
  const run = async (asked: Promise<Done>) => {
    const done = await asked
    setRefused(done.ok ? '' : done.message)
    onEnded()
  }
  const extend = () => run(command('POST', `${address}/extend`, { for: '1h' }))
  const end = () => run(command('DELETE', address))
  return (
    <li>
      <span>
        <Patterns silence={silence} />
        <p class="reason">
          {reason} · {by} · {id}
        </p>
        {refused && (
          <p class="refused" role="alert">
            {refused}
          </p>
        )}
      </span>
      <span class="silence-when" title={`${exactTime(startsMs)} – ${exactTime(endsMs)}`}>
        {state === 'waiting' ? `begins in ${ago(startsMs - nowMs)}` : `${ago(endsMs - nowMs)} left`}
        {quietMs !== undefined && ', or when quiet'}
        {warnedMs !== undefined && hides > 0 && <span class="flag">ends soon</span>}
        <small>{state === 'active' && (hides === 0 ? 'hides nothing now' : `hides ${plural(hides, 'alert')}`)}</small>
      </span>
      <span class="actions">
        <button type="button" onClick={extend}>
          1 h longer
        </button>
        <button type="button" onClick={end}>
          End
        </button>
      </span>
    </li>
  )
}

function Ended({ silences }: { silences: readonly SilenceView[] }) {
  return (
    <section aria-labelledby="ended">
      <h2 id="ended">Ended</h2>
      <ul class="silences silences-ended">
        {silences.map((silence) => (
          <li key={silence.id}>
            <span>
              <Patterns silence={silence} />
            </span>
            <span class="silence-when">
              {silence.endedWhy}
              <small>
                <Since atMs={silence.endedMs ?? silence.endsMs} suffix=" ago" />
              </small>
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Patterns({ silence: { matchers } }: { silence: SilenceView }) {
  return (
    <>
      {Object.entries(matchers).map(([name, pattern]) => (
        <span class="group" key={name}>
          <i>{name}</i>
          {pattern}
        </span>
      ))}
    </>
  )
}
