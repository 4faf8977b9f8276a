/** One rule: what it says, what it sees now, its graph, what happened and who was told. */
import { useEffect, useState } from 'preact/hooks'
import type { AlertView, EventView, GroupView, RuleDetailView, RuleGraphView, RuleView } from '../view.ts'
import { setQuery, useAddress } from './address.tsx'
import { AlertActions } from './alert-actions.tsx'
import { useApi } from './fetch.ts'
import { formatNumber, unitOf } from './format.ts'
import { Graph } from './graph.tsx'
import { emptyGraph, type GraphData, type Part, withPart } from './graph-data.ts'
import { Level } from './level.tsx'
import { type Range, RangePicker, useRange } from './range.tsx'
import { Since } from './relative.tsx'
import { ReceiptList, TransitionList } from './rule-history.tsx'
import { Runbook } from './runbook.tsx'
import { useEvents, useKnown, usePageEvent } from './stream.ts'
import { serverNow } from './time.ts'

type Told = Omit<RuleDetailView, 'groups' | 'lastBucketMs' | 'rule'>
interface Groups {
  groups: readonly GroupView[]
  lastBucketMs: number
  rule: RuleView
}

export function RulePage({ name }: { name: string }) {
  const [told, setTold] = useState<Told | null | undefined>(undefined)
  const [now, setNow] = useState<Groups | null>(null)
  usePageEvent('rule', (event) => setTold(event as Told | null), [name])
  usePageEvent('groups', (event) => setNow(event as Groups | null), [name])
  const range = useRange()
  const wanted = useAddress().query.get('group') ?? undefined
  if (told === undefined) return <p class="empty">Looking for {name} …</p>
  if (told === null || !now) return <Missing name={name} />
  return (
    <>
      <div class="headline">
        <h1 class="rule-title">{name}</h1>
        <Level state={now.rule.state} />
        <span class="quiet-text">
          {now.lastBucketMs > 0 ? (
            <>
              evaluated <Since atMs={now.lastBucketMs} suffix=" ago" />
            </>
          ) : (
            'never evaluated'
          )}
        </span>
        <RangePicker range={range} />
      </div>
      {now.rule.problem && (
        <div class="problems" role="status">
          <b>This rule has stopped.</b>
          <pre>{now.rule.problem}</pre>
        </div>
      )}
      <Sentences told={told} file={now.rule.file} />
      <RuleGraph name={name} range={range} wanted={wanted} now={now} />
      <GroupTable rule={name} groups={now.groups} total={now.rule.groupCount} wanted={wanted} />
      <div class="columns">
        <TransitionList transitions={told.transitions} wanted={wanted} />
        <ReceiptList receipts={told.receipts} wanted={wanted} />
      </div>
    </>
  )
}

function Missing({ name }: { name: string }) {
  return (
    <p class="empty">
      No rule called <b>{name}</b> is running, and none has said anything lately.
    </p>
  )
}

function Sentences({ told: { levels, say, runbook }, file }: { told: Told; file: string }) {
  return (
    <dl class="sentences">
      {levels.warn && <Sentence word="warn" text={levels.warn} />}
      {levels.crit && <Sentence word="crit" text={levels.crit} />}
      {say && <Sentence word="say" text={say} />}
      {runbook && (
        <div>
          <dt>runbook</dt>
          <dd>
            <Runbook place={runbook} />
          </dd>
        </div>
      )}
      {file && <Sentence word="file" text={file.split('/').slice(-2).join('/')} />}
    </dl>
  )
}

function Sentence({ word, text }: { word: string; text: string }) {
  return (
    <div>
      <dt class={`level-${word}`}>{word}</dt>
      <dd>{text}</dd>
    </div>
  )
}

interface RuleGraphProps {
  name: string
  range: Range
  wanted: string | undefined
  now: Groups
}

function RuleGraph({ name, range, wanted, now }: RuleGraphProps) {
  const { connection } = useKnown()
  const stepMs = range.rangeMs <= 900_000 ? 1000 : 10_000
  const every = Math.ceil(now.rule.stepMs / stepMs)
  const [data, setData] = useState<GraphData>(() => emptyGraph(serverNow() - range.rangeMs, range.rangeMs, stepMs))
  const group = wanted === undefined ? '' : `&group=${encodeURIComponent(wanted)}`
  const address = `/api/rules/${encodeURIComponent(name)}?from=-${range.name}${group}`
  const answer = useApi<{ graph: RuleGraphView; events: EventView[] }>(address, connection)
  const events = useEvents(answer.data?.events)
  useEffect(() => {
    if (answer.state !== 'here') return
    const { startMs, stepMs, lines } = answer.data.graph
    const part = { startMs, stepMs, lines: lines.map(({ key, values }) => ({ key, label: key, every, values })) }
    setData(withPart(emptyGraph(startMs, range.rangeMs, stepMs), part))
  }, [answer])
  useEffect(() => setData((before) => withPart(before, newestPart(now, before, every, answer.state === 'here'))), [now])
  const known = now.groups.filter(({ threshold }) => threshold !== null).map(({ threshold }) => threshold as number)
  const thresholds = [...new Set(known)]
  const sample = now.groups.find(({ value }) => value !== null && value !== 0) ?? now.groups[0]
  const unit = sample ? unitOf(sample.value, sample.text) : ''
  const title =
    thresholds.length === 1 ? `Compared value, against ${formatNumber(thresholds[0], unit)}` : 'Compared value'
  const pick = (key: string) => setQuery({ group: key === wanted ? undefined : key })
  return <Graph {...{ title, data, unit, thresholds, events, focus: wanted, height: 230, onPick: pick }} />
}

/** Values of this second for the lines that are drawn; new groups join once the answer is here. */
function newestPart(
  { groups, lastBucketMs }: Groups,
  { lines, stepMs }: GraphData,
  every: number,
  isHere: boolean,
): Part {
  const drawn = new Set(lines.map(({ key }) => key))
  const shown = groups.filter(({ key }) => drawn.has(key) || (isHere && drawn.size < 40))
  const startMs = Math.ceil(lastBucketMs / stepMs) * stepMs
  return { startMs, stepMs, lines: shown.map(({ key, value }) => ({ key, label: key, every, values: [value] })) }
}

interface GroupTableProps {
  rule: string
  groups: readonly GroupView[]
  total: number
  wanted: string | undefined
}

function GroupTable({ rule, groups, total, wanted }: GroupTableProps) {
  const pick = (key: string) => setQuery({ group: key === wanted ? undefined : key })
  const firing = [...useKnown().alerts.values()].filter((alert) => alert.rule === rule && alert.state === 'firing')
  const alerts = new Map(firing.map((alert) => [alert.groupKey, alert]))
  return (
    <section aria-labelledby="groups">
      <h2 id="groups">Groups</h2>
      {groups.length === 0 && <p class="empty">None yet: no series has matched this rule.</p>}
      <ul class="groups">
        {groups.map((group) => (
          <li key={group.key} class={group.key === wanted ? 'wanted' : ''}>
            <Level state={group.state} />
            <button type="button" class="group-key" aria-pressed={group.key === wanted} onClick={() => pick(group.key)}>
              {group.key}
            </button>
            <b class="group-value">{group.state === 'blind' ? '–' : group.text || '–'}</b>
            <span class="group-note">
              <GroupNote group={group} />
              <GroupActions alert={alerts.get(group.key)} />
            </span>
          </li>
        ))}
      </ul>
      {total > groups.length && <p class="quiet-text">and {total - groups.length} more, all calmer than these</p>}
    </section>
  )
}

function GroupActions({ alert }: { alert: AlertView | undefined }) {
  if (!alert) return null
  return (
    <>
      {alert.acknowledged && ` · acknowledged by ${alert.acknowledged.by} `}
      {alert.silenced && ` · silenced by ${alert.silenced.by} `}
      {alert.maintenance && ` · in maintenance (${alert.maintenance.by}) `}
      <AlertActions alert={alert} />
    </>
  )
}

function GroupNote({ group: { pending, level, sinceMs, hidden, partial } }: { group: GroupView }) {
  const notes = [hidden && 'explained by another alert', partial && 'only part of its sources are alive'].filter(
    Boolean,
  )
  return (
    <>
      {pending && (
        <>
          {pending.level} pending for <Since atMs={pending.sinceMs} />{' '}
        </>
      )}
      {(level === 'warn' || level === 'crit') && (
        <>
          for <Since atMs={sinceMs} />{' '}
        </>
      )}
      {notes.join(', ')}
    </>
  )
}
