/** One alert as a line of the home page. */
import type { AlertView } from '../view.ts'
import { Link, ruleHref } from './address.tsx'
import { AlertActions } from './alert-actions.tsx'
import { Level } from './level.tsx'
import { Lasted, Since } from './relative.tsx'
import { Runbook } from './runbook.tsx'
import { Sparkline } from './sparkline.tsx'
import { clockTime } from './time.ts'

export function AlertRow({ alert, value }: { alert: AlertView; value: string | undefined }) {
  const { rule, groupKey, level, say, reason, blind, nodata, hidden, runbook, tags } = alert
  const isUnseen = blind || nodata
  const isHandled = Boolean(alert.acknowledged ?? alert.silenced ?? alert.maintenance)
  return (
    <li
      class={`alert ${isUnseen ? 'alert-unseen' : `alert-${level}`}${hidden ? ' alert-hidden' : ''}${isHandled ? ' alert-handled' : ''}`}
    >
      <div class="alert-level">
        <Level state={level} />
      </div>
      <div class="alert-what">
        <Link href={ruleHref(rule, groupKey)} class="alert-rule">
          {rule}
        </Link>{' '}
        <Group alert={alert} />
        <Flags alert={alert} />
        {say && <p class="say">{say}</p>}
        <p class="reason">
          {reason}
          {runbook && (
            <>
              {' · '}
              <Runbook place={runbook}>runbook</Runbook>
            </>
          )}
          {Object.entries(tags).map(([name, text]) => (
            <span class="tag" key={name}>
              {name} {text}
            </span>
          ))}
        </p>
        <AlertActions alert={alert} />
      </div>
      <Sparkline values={alert.values} threshold={alert.threshold} />
      <div class="alert-value">
        <b>{isUnseen ? '–' : (value ?? alert.text)}</b>
        <span>
          for <Since atMs={alert.sinceMs} />
        </span>
      </div>
    </li>
  )
}

export function Group({ alert: { group, groupKey } }: { alert: Pick<AlertView, 'group' | 'groupKey'> }) {
  if (group.length === 0) return groupKey === 'all' ? null : <span class="group">{groupKey}</span>
  return (
    <>
      {group.map(({ name, value }) => (
        <span class="group" key={name}>
          <i>{name}</i>
          {value}
        </span>
      ))}
    </>
  )
}

function Flags({ alert }: { alert: AlertView }) {
  const { hidden, blind, nodata, partial, acknowledged, silenced, maintenance, flaps } = alert
  return (
    <>
      {acknowledged && (
        <span class="flag flag-handled">
          acknowledged by {acknowledged.by}
          {acknowledged.note && `: ${acknowledged.note}`}
        </span>
      )}
      {silenced && (
        <span class="flag flag-handled">
          silenced by {silenced.by} until {clockTime(silenced.untilMs)}
        </span>
      )}
      {maintenance && (
        <span class="flag flag-handled">
          in maintenance ({maintenance.by}) until {clockTime(maintenance.untilMs)}
        </span>
      )}
      {flaps && <span class="flag">flaps</span>}
      {blind && <span class="flag">blind: its sources are dead</span>}
      {nodata && <span class="flag">no data</span>}
      {hidden && <span class="flag">explained by another alert</span>}
      {partial && (
        <span class="flag">
          {partial.alive} of {partial.known} sources
        </span>
      )}
    </>
  )
}

export function EndedRow({ alert }: { alert: AlertView }) {
  const { rule, groupKey, state, worstLevel, sinceMs, endedMs = sinceMs } = alert
  return (
    <li>
      <Level state={state === 'forgotten' ? 'forgotten' : 'resolved'} />
      <span class="ended-what">
        <Link href={ruleHref(rule, groupKey)}>{rule}</Link> <Group alert={alert} />
      </span>
      <span class="ended-when">
        {worstLevel} for <Lasted fromMs={sinceMs} untilMs={endedMs} />, ended <Since atMs={endedMs} suffix=" ago" />
      </span>
    </li>
  )
}
