/** Recorded: what the tools over recordings have in common: which recording, which times, what reading came upon. */
import { roughDuration } from '../../model/duration.ts'
import { err, ok, type Result } from '../../model/result.ts'
import { formatUtc, parseMoment } from '../../runtime/clock.ts'
import type { Findings, Span } from '../journal/findings.ts'
import { openRecording, type Recording } from '../journal/recording.ts'
import { many, type Outcome } from './check.ts'

/** How a tool tells how far it is; a terminal draws a bar. */
export type Progress = (share: number, text: string) => void

export interface RecordedFlags {
  /** The recording: a folder or a file. */
  journal: string
  from?: string | undefined
  to?: string | undefined
  json: boolean
  nowMs: number
  progress?: Progress | undefined
}

export interface Opened {
  recording: Recording
  span: Span
  fromMs: number | undefined
  toMs: number | undefined
}

/** Opens the recording and reads the times; an Outcome instead says what is wrong with them. */
export async function openRecorded({ journal, from, to, nowMs }: RecordedFlags): Promise<Result<Opened, Outcome>> {
  let recording: Recording
  let span: Span | undefined
  try {
    recording = openRecording(journal)
    span = await recording.span()
  } catch (error) {
    const help =
      '--journal names a journal (the folder "journal" in the data directory) or an archive (*.jsonl, *.jsonl.zst)'
    return err({ exitCode: 2, error: `tocsin: ${(error as Error).message}\n    ${help}` })
  }
  if (!span) return err({ exitCode: 2, error: `tocsin: ${journal}: nothing is recorded there yet` })
  const times = { from: timeOf('--from', from, nowMs, span), to: timeOf('--to', to, nowMs, span) }
  for (const time of Object.values(times))
    if (typeof time === 'string') return err({ exitCode: 2, error: `tocsin: ${time}` })
  const [fromMs, toMs] = [times.from as number | undefined, times.to as number | undefined]
  const isEmpty = Math.max(fromMs ?? span.fromMs, span.fromMs) > Math.min(toMs ?? span.toMs, span.toMs)
  if (isEmpty) return err({ exitCode: 2, error: `tocsin: nothing was recorded then; ${journal} is ${spanText(span)}` })
  return ok({ recording, span, fromMs, toMs })
}

/** A time as written with a flag; a clause for people where it is none. */
export function timeOf(flag: string, text: string | undefined, nowMs: number, span: Span): number | string | undefined {
  if (text === undefined) return undefined
  const atMs = parseMoment(text, nowMs, span.toMs)
  return atMs ?? `${flag}: expected a time such as 2024-03-01T13:00:00Z, 13:00 or "2h ago", got "${text}"`
}

export function spanText({ fromMs, toMs }: Span): string {
  return `from ${formatUtc(fromMs)} to ${formatUtc(toMs)} (${roughDuration(toMs - fromMs)})`
}

/** What reading came upon, a line each. */
export function findingLines({ problems, late }: Findings, hasArrivalOrder: boolean): string[] {
  const lines = problems.first.map((problem) => `warning: ${problem}`)
  if (problems.count > problems.first.length) {
    lines.push(`warning: … and ${many(problems.count - problems.first.length, 'more problem')} of the recording`)
  }
  if (late.count === 0) return lines
  const what = hasArrivalOrder
    ? 'came too late for their buckets and were set aside, as in the live run'
    : 'had come too late in the live run, which set them aside; here they count, so the outcome may differ around them'
  lines.push(`warning: ${many(late.count, 'point')} ${what}:`)
  for (const { series, bucketMs } of late.first) lines.push(`    ${formatUtc(bucketMs)}  ${series}`)
  if (late.count > late.first.length) lines.push(`    … and ${late.count - late.first.length} more`)
  return lines
}
