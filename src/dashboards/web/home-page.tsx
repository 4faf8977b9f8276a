/** Home: what fires, what ended lately, and whether silence may be believed. */
import { useState } from 'preact/hooks'
import type { AlertView, HeartbeatView, OutlookView } from '../view.ts'
import { AcknowledgeDialog } from './acknowledge-dialog.tsx'
import { AlertRow, EndedRow } from './alert-row.tsx'
import { plural } from './format.ts'
import { PipelineStrip } from './pipeline.tsx'
import { type Known, useKnown } from './stream.ts'
import { clockTime } from './time.ts'

export function HomePage() {
  const known = useKnown()
  const { heartbeat } = known
  const alerts = [...known.alerts.values()]
  const firing = alerts.filter(({ state }) => state === 'firing').sort(gravestFirst)
  const ended = alerts.filter(({ state }) => state !== 'firing').sort((a, b) => (b.endedMs ?? 0) - (a.endedMs ?? 0))
  if (!known.hello || !heartbeat) return <Waiting />
  return (
    <>
      {firing.length === 0 ? (
        <Calm known={known} heartbeat={heartbeat} />
      ) : (
        <Firing alerts={firing} heartbeat={heartbeat} known={known} />
      )}
      {ended.length > 0 && <Ended alerts={ended} />}
      <PipelineStrip known={known} />
    </>
  )
}

function Waiting() {
  return (
    <section class="calm unseen" aria-label="State">
      <h1>Connecting …</h1>
      <p>Nothing is known yet.</p>
    </section>
  )
}

function Firing({ alerts, heartbeat, known }: { alerts: AlertView[]; heartbeat: HeartbeatView; known: Known }) {
  const { crit, warn, hidden } = heartbeat.firing
  const left = crit + warn + hidden - alerts.length
  return (
    <section aria-labelledby="firing">
      <div class="headline">
        <h1 id="firing">
          {crit > 0 && <span class="level-crit">{crit} critical</span>}
          {crit > 0 && warn > 0 && <span class="and"> · </span>}
          {warn > 0 && <span class="level-warn">{plural(warn, 'warning')}</span>}
          {crit + warn === 0 && `${hidden} hidden`}
        </h1>
        <Unseen outlook={heartbeat.outlook} />
        <AcknowledgeMany alerts={alerts} />
      </div>
      <ul class="alerts">
        {alerts.map((alert) => (
          <AlertRow key={alert.id} alert={alert} value={known.values[alert.fingerprint]} />
        ))}
      </ul>
      {left > 0 && <p class="quiet-text">{left} more fire and are not listed; see the rules.</p>}
    </section>
  )
}

/** All that nobody has in hand, at once. */
function AcknowledgeMany({ alerts }: { alerts: readonly AlertView[] }) {
  const [open, setOpen] = useState<readonly AlertView[] | undefined>(undefined)
  const unhandled = alerts.filter(
    ({ hidden, acknowledged, silenced, maintenance }) => !hidden && !acknowledged && !silenced && !maintenance,
  )
  if (unhandled.length < 2 && !open) return null
  return (
    <span class="actions">
      <button type="button" onClick={() => setOpen(unhandled)}>
        Acknowledge {unhandled.length} …
      </button>
      {open && <AcknowledgeDialog alerts={open} onClose={() => setOpen(undefined)} />}
    </span>
  )
}

/** The big calm state: only when everything that should be seen is seen. */
function Calm({ known, heartbeat }: { known: Known; heartbeat: HeartbeatView }) {
  const { sight, engineBucketMs } = heartbeat.outlook
  const groups = [...known.rules.values()].reduce((sum, { groupCount }) => sum + groupCount, 0)
  const headline = { clear: 'All quiet', partial: 'Quiet, as far as can be seen', none: 'Cannot tell' }[sight]
  return (
    <section class={sight === 'clear' ? 'calm' : 'calm unseen'} aria-labelledby="calm" data-sight={sight}>
      <CalmMark sight={sight} />
      <h1 id="calm">{headline}</h1>
      {sight === 'none' ? (
        <p>Nothing fires, but nothing can be known: silence here does not mean health.</p>
      ) : (
        <p>
          {plural(known.rules.size, 'rule')} {known.rules.size === 1 ? 'watches' : 'watch'} {plural(groups, 'group')}
          {engineBucketMs !== undefined && (
            <>
              ; last looked at <span class="number">{clockTime(engineBucketMs)}</span>
            </>
          )}
        </p>
      )}
      <Unseen outlook={heartbeat.outlook} />
    </section>
  )
}

function Unseen({ outlook }: { outlook: OutlookView }) {
  if (outlook.reasons.length === 0) return null
  return (
    <ul class="unseen-list" aria-label="What cannot be seen">
      {outlook.reasons.slice(0, 8).map((reason) => (
        <li key={reason}>{reason}</li>
      ))}
      {outlook.reasons.length > 8 && <li>and {outlook.reasons.length - 8} more</li>}
    </ul>
  )
}

function CalmMark({ sight }: { sight: OutlookView['sight'] }) {
  return (
    <svg class="calm-mark" viewBox="0 0 48 48" aria-hidden="true">
      <circle
        cx="24"
        cy="24"
        r="21"
        fill="none"
        stroke="currentColor"
        stroke-width="2"
        {...(sight !== 'clear' && { 'stroke-dasharray': '3 5' })}
      />
      {sight === 'clear' ? (
        <path d="M15 24.5l6.5 6.5L33.5 18" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round" />
      ) : (
        <path d="M15 24h18" stroke="currentColor" stroke-width="3" stroke-linecap="round" stroke-dasharray="1 7.5" />
      )}
    </svg>
  )
}

function Ended({ alerts }: { alerts: AlertView[] }) {
  return (
    <section aria-labelledby="ended">
      <h2 id="ended">Ended lately</h2>
      <ul class="ended">
        {alerts.slice(0, 30).map((alert) => (
          <EndedRow key={alert.id} alert={alert} />
        ))}
      </ul>
    </section>
  )
}

function gravestFirst(a: AlertView, b: AlertView): number {
  const rank = ({ hidden, level }: AlertView) => (hidden ? 2 : 0) + (level === 'crit' ? 0 : 1)
  return rank(a) - rank(b) || b.sinceMs - a.sinceMs || (a.id < b.id ? -1 : 1)
}
