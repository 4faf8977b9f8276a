/** Maintenance windows: in force and to come, and where they come from. */
import { useState } from 'preact/hooks'
import type { MaintenanceView } from '../view.ts'
import { command } from './command.ts'
import { useApi } from './fetch.ts'
import { plural } from './format.ts'
import { MaintenanceDialog } from './maintenance-dialog.tsx'
import { ago, exactTime } from './time.ts'

export function MaintenanceList({ nowMs, again }: { nowMs: number; again: string }) {
  const [count, setCount] = useState(0)
  const [isOpen, setOpen] = useState(false)
  const answer = useApi<{ maintenance: readonly MaintenanceView[] }>('/api/maintenance', `${again} ${count}`)
  const present = (answer.data?.maintenance ?? []).filter(({ state }) => state !== 'ended')
  const changed = () => setCount(count + 1)
  return (
    <section aria-labelledby="maintenance">
      <div class="headline">
        <h2 id="maintenance">Maintenance</h2>
        <span class="actions">
          <button type="button" onClick={() => setOpen(true)}>
            New maintenance
          </button>
        </span>
      </div>
      <ul class="silences">
        {present.map((window) => (
          <Window key={window.id} window={window} nowMs={nowMs} onEnded={changed} />
        ))}
      </ul>
      {answer.data && present.length === 0 && <p class="empty">None is planned.</p>}
      {isOpen && (
        <MaintenanceDialog
          onClose={() => {
            setOpen(false)
            changed()
          }}
        />
      )}
    </section>
  )
}

function Window({ window, nowMs, onEnded }: { window: MaintenanceView; nowMs: number; onEnded: () => void }) {
  const { id, by, reason, matchers, startsMs, endsMs, state, hides, recurs, isPlanned } = window
  const [refused, setRefused] = useState('')
  const end = async () => {
    const done = await command('DELETE', `/api/maintenance/${encodeURIComponent(id)}`)
    setRefused(done.ok ? '' : done.message)
    onEnded()
  }
  return (
    <li>
      <span>
        {Object.entries(matchers).map(([name, pattern]) => (
          <span class="group" key={name}>
            <i>{name}</i>
            {pattern}
          </span>
        ))}
        <p class="reason">
          {reason} · {isPlanned ? `${id} in ${by}` : `${by} · ${id}`}
          {recurs && <small class="recurs">{recurs}</small>}
        </p>
        {refused && (
          <p class="refused" role="alert">
            {refused}
          </p>
        )}
      </span>
      <span class="silence-when" title={`${exactTime(startsMs)} – ${exactTime(endsMs)}`}>
        {state === 'waiting' ? `begins in ${ago(startsMs - nowMs)}` : `${ago(endsMs - nowMs)} left`}
        <small>{state === 'active' && (hides === 0 ? 'hides nothing now' : `hides ${plural(hides, 'alert')}`)}</small>
      </span>
      <span class="actions">
        {(state === 'active' || !isPlanned) && (
          <button type="button" onClick={end}>
            End
          </button>
        )}
      </span>
    </li>
  )
}
