/**
 * Replay: a recording through engines of its own, one for each version of the rules, at full speed. It is the engine of
 * the live run and has no clock, so what it says is what the live run said, ids and values included, as far as the rules
 * are the same and the recording goes back far enough.
 *
 * Where a range begins in the middle, windows are warmed by what was recorded before it, as far as the rules look back.
 */
import type { LogEntry } from '../../model/message.ts'
import { seriesCount } from '../../model/metric.ts'
import type { Transition } from '../../model/transition.ts'
import { Engine } from '../engine.ts'
import { type Findings, noFindings, note, type Span } from '../journal/findings.ts'
import type { Recording } from '../journal/recording.ts'
import type { LoadedRules } from '../language/load.ts'
import { lookBackMs } from '../look-back.ts'
import type { EngineWatch } from '../watch.ts'

export const liveStepMs = 1000
/** Sources with lateness mark their buckets so much later at most. */
const latenessMsMax = 600_000

export interface ReplayOptions {
  fromMs?: number | undefined
  toMs?: number | undefined
  /** How much of the recording has been replayed, 0 to 1, up to which time of it. */
  progress?: ((share: number, atMs: number) => void) | undefined
  /** All transitions, those before the range too; `run` counts the versions of the rules. */
  onTransition: (transition: Transition, run: number) => void
  /** Asked after each batch: whether the rest need not be replayed. */
  isDone?: () => boolean
  /** Watches the first engine. */
  watch?: EngineWatch
}

export interface Replayed extends Span {
  entries: number
  points: number
  findings: Findings
  /** Rules that threw and were stopped, by run. */
  stopped: readonly (readonly { rule: string; problem: string }[])[]
}

/** Undefined where the recording has nothing in the range. */
export async function replay(
  recording: Recording,
  versions: readonly LoadedRules[],
  options: ReplayOptions,
): Promise<Replayed | undefined> {
  const span = await recording.span()
  if (!span) return undefined
  const fromMs = Math.max(options.fromMs ?? span.fromMs, span.fromMs)
  const toMs = Math.min(options.toMs ?? span.toMs, span.toMs)
  if (fromMs > toMs) return undefined
  const findings = noFindings()
  const late = (series: string, bucketMs: number) => note(findings.late, { series, bucketMs })
  const engines = versions.map((rules, run) => {
    const watch = run === 0 ? { late, ...options.watch } : {}
    return new Engine({ defaultStepMs: liveStepMs, rules, watch })
  })
  const before = Math.max(...versions.map(({ rules }) => lookBackMs(rules)))
  const range = {
    fromMs: fromMs > span.fromMs ? fromMs - before : undefined,
    toMs: toMs < span.toMs ? toMs + latenessMsMax : undefined,
  }
  const replayed = { fromMs, toMs, entries: 0, points: 0, findings }
  for await (const batch of recording.read(range, findings)) {
    for (const entry of batch.entries) {
      if (entry.kind === 'rules') continue
      replayed.entries++
      if (entry.kind === 'metrics') replayed.points += seriesCount(entry.message)
      step(engines, entry, options.onTransition)
    }
    options.progress?.(batch.share, batch.toMs)
    if (options.isDone?.()) break
  }
  return { ...replayed, stopped: engines.map(stoppedIn) }
}

function step(engines: readonly Engine[], entry: LogEntry, tell: ReplayOptions['onTransition']): void {
  engines.forEach((engine, run) => {
    for (const transition of engine.step(entry)) tell(transition, run)
  })
}

function stoppedIn(engine: Engine): { rule: string; problem: string }[] {
  return engine.status().rules.flatMap(({ name, problem }) => (problem === undefined ? [] : [{ rule: name, problem }]))
}
