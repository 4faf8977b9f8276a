/** Dashboards: the list, and one with its graphs, which go on by themselves. */
import { useEffect, useState } from 'preact/hooks'
import type { DashboardsView, DashboardView, EventView, GraphView, TargetView } from '../view.ts'
import { Link } from './address.tsx'
import { useApi } from './fetch.ts'
import { Graph } from './graph.tsx'
import { emptyGraph, type GraphData, partOfTarget, withPart } from './graph-data.ts'
import { type Range, RangePicker, useRange } from './range.tsx'
import { useEvents, useKnown, usePageEvent } from './stream.ts'
import { serverNow } from './time.ts'

export function DashboardsPage() {
  const { dashboards, hello } = useKnown()
  return (
    <>
      <div class="headline">
        <h1>Dashboards</h1>
      </div>
      <FileProblems dashboards={dashboards} />
      <ul class="cards">
        {dashboards.dashboards.map(({ name, title, graphs }) => (
          <li key={name}>
            <Link href={`/dashboards/${encodeURIComponent(name)}`}>
              <b>{title}</b>
              <small>{graphs.join(' · ')}</small>
            </Link>
          </li>
        ))}
      </ul>
      {hello && dashboards.dashboards.length === 0 && (
        <p class="empty">
          There are none yet. Put YAML files where dashboards.files says; the console shows them at once.
        </p>
      )}
    </>
  )
}

export function DashboardPage({ name }: { name: string }) {
  const { dashboards, connection } = useKnown()
  const range = useRange()
  const titles = JSON.stringify(dashboards)
  const answer = useApi<DashboardView>(`/api/dashboards/${encodeURIComponent(name)}`, `${connection} ${titles}`)
  const dashboard = answer.data
  return (
    <>
      <div class="headline">
        <h1>{dashboard?.title ?? name}</h1>
        <OtherDashboards name={name} dashboards={dashboards} />
        <RangePicker range={range} />
      </div>
      {dashboard?.about && <p class="about">{dashboard.about}</p>}
      <FileProblems dashboards={dashboards} />
      {answer.state === 'failed' && <p class="empty">{answer.message}</p>}
      <div class="graphs">
        {dashboard?.graphs.map((graph) => (
          <LiveGraph key={`${graph.title} ${JSON.stringify(graph.targets)}`} graph={graph} range={range} />
        ))}
      </div>
    </>
  )
}

function LiveGraph({ graph, range }: { graph: GraphView; range: Range }) {
  const { connection } = useKnown()
  const [data, setData] = useState<GraphData>(() => emptyGraph(serverNow() - range.rangeMs, range.rangeMs, 10_000))
  const query = graph.targets.map(({ target }) => `target=${encodeURIComponent(target)}`).join('&')
  const address = `/api/series?${query}&from=-${range.name}`
  const answer = useApi<{ fromMs: number; targets: TargetView[]; events: EventView[] }>(address, connection)
  const events = useEvents(answer.data?.events)
  useEffect(() => {
    if (answer.state !== 'here') return
    const { fromMs, targets } = answer.data
    setData(withTargets(emptyGraph(fromMs, range.rangeMs, 10_000), graph, targets))
  }, [answer])
  usePageEvent('points', (points) => setData((before) => withTargets(before, graph, points as TargetView[])), [graph])
  return <Graph title={graph.title} data={data} unit={graph.unit ?? ''} isStacked={graph.stacked} events={events} />
}

function withTargets(data: GraphData, { targets }: GraphView, views: readonly TargetView[]): GraphData {
  return targets.reduce((sum, { target, name }) => {
    const view = views.find((candidate) => candidate.target === target)
    return view ? withPart(sum, partOfTarget(view, name, targets.length === 1)) : sum
  }, data)
}

function OtherDashboards({ name, dashboards }: { name: string; dashboards: DashboardsView }) {
  return (
    <nav class="tabs" aria-label="Dashboards">
      {dashboards.dashboards.map((other) => (
        <Link
          key={other.name}
          href={`/dashboards/${encodeURIComponent(other.name)}${location.search}`}
          {...(other.name === name && { 'aria-current': 'page' })}
        >
          {other.title}
        </Link>
      ))}
    </nav>
  )
}

function FileProblems({ dashboards: { problems } }: { dashboards: DashboardsView }) {
  if (problems.length === 0) return null
  return (
    <div class="problems" role="status">
      <b>Not used as written; the former version is shown:</b>
      <pre>{problems.join('\n')}</pre>
    </div>
  )
}
