/** Pipeline: the parts and sources of Tocsin itself. Who is silent is grey and named. */
import type { PartView, SourceView } from '../view.ts'
import type { Known } from './stream.ts'
import { ago, exactTime, useNow } from './time.ts'

const sourcesShownMax = 60

export function PipelineStrip({ known }: { known: Known }) {
  const parts = [...known.parts.values()]
  const sources = [...known.sources.values()].filter(({ state }) => state !== 'gone')
  return (
    <section class="pipeline" aria-labelledby="pipeline">
      <h2 id="pipeline">Pipeline</h2>
      <div class="chips">
        {parts.length === 0 && <span class="chip chip-silent">no part has reported</span>}
        {parts.map((part) => (
          <Part key={`${part.part}.${part.instance}`} part={part} isAlone={isAlone(part, parts)} />
        ))}
      </div>
      <h3>Sources</h3>
      <div class="chips">
        {sources.length === 0 && <span class="chip chip-silent">no source is known</span>}
        {sources.slice(0, sourcesShownMax).map((source) => (
          <Source key={source.source} source={source} />
        ))}
        {sources.length > sourcesShownMax && (
          <span class="chip chip-silent">and {sources.length - sourcesShownMax} more</span>
        )}
      </div>
    </section>
  )
}

function isAlone({ part }: PartView, parts: readonly PartView[]): boolean {
  return parts.filter((other) => other.part === part).length === 1
}

function Part({ part, isAlone }: { part: PartView; isAlone: boolean }) {
  const nowMs = useNow()
  const { state, problem, heardMs, instance } = part
  const note = state === 'silent' ? `silent for ${ago(nowMs - heardMs)}` : state === 'unready' ? 'not ready' : ''
  const title = [instance, problem, `heard ${exactTime(heardMs)}`].filter(Boolean).join('\n')
  return (
    <span class={`chip chip-${state === 'ready' && problem ? 'troubled' : state}`} title={title}>
      <i class="dot" aria-hidden="true" />
      {part.part}
      {!isAlone && <small>{instance}</small>}
      {note && <small>{note}</small>}
      {problem && <small class="chip-problem">{problem}</small>}
    </span>
  )
}

function Source({ source: { name, state, lastBucketMs, latenessMs } }: { source: SourceView }) {
  const nowMs = useNow()
  const late = latenessMs > 0 ? `, ${ago(latenessMs)} behind on purpose` : ''
  return (
    <span
      class={`chip chip-${state === 'live' ? 'ready' : 'silent'}`}
      title={`last bucket ${exactTime(lastBucketMs)}${late}`}
    >
      <i class="dot" aria-hidden="true" />
      {name}
      {state === 'dead' && <small>dead, last heard {ago(nowMs - lastBucketMs)} ago</small>}
    </span>
  )
}
