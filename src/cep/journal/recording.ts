/**
 * Recording: whatever the tools can replay: a journal's folder, one of its segments, or an archive of JSON lines
 * (archive-line.ts), plain, zstd or gzip. All give entries as the engine reads them, in batches.
 */
import fs from 'node:fs'
import path from 'node:path'
import { type Archive, openArchive } from './archive.ts'
import { type Findings, note, type Span } from './findings.ts'
import { type Batch, journalSpan, type Range, readSegments } from './read.ts'
import { listSegments, openSegment, type Segment } from './segments.ts'

export interface Recording {
  /** As named by whoever asked for it. */
  name: string
  /** Whether it is written by the engine, so that its order of arrival is that of the live run. */
  hasArrivalOrder: boolean
  /** From its first to its last entry; undefined when there is none. May have to read it whole. */
  span(): Promise<Span | undefined>
  /** `share` of a batch is how much of the recording has been read, 0 to 1. */
  read(range: Range, findings: Findings): AsyncIterable<Batch & { share: number }>
}

/** Opens what a path names; throws with a clause for people where there is nothing to be replayed. */
export function openRecording(name: string): Recording {
  const stat = fs.statSync(name, { throwIfNoEntry: false })
  if (!stat) throw new Error(`${name}: there is no such file or folder`)
  if (!stat.isDirectory()) {
    const segment = openSegment(name)
    return typeof segment === 'string' ? archive(name, openArchive([name])) : journal(name, [segment])
  }
  const segments = listSegments(name)
  if (segments.length > 0) return journal(name, segments)
  const inside = path.join(name, 'journal')
  if (fs.existsSync(inside)) return { ...openRecording(inside), name }
  const files = fs.readdirSync(name).filter((file) => /\.(jsonl|ndjson)(\.(zst|gz))?$/.test(file))
  if (files.length === 0) throw new Error(`${name}: there is nothing recorded: no *.journal and no *.jsonl in it`)
  return archive(name, openArchive(files.sort().map((file) => path.join(name, file))))
}

function journal(name: string, segments: readonly Segment[]): Recording {
  const span = journalSpan(segments)
  span.catch(() => {})
  return {
    name,
    hasArrivalOrder: true,
    span: () => span,
    read: async function* (range, findings) {
      const whole = (await span) ?? { fromMs: 0, toMs: 1 }
      const fromMs = Math.max(range.fromMs ?? whole.fromMs, whole.fromMs)
      const toMs = Math.min(range.toMs ?? whole.toMs, whole.toMs)
      const bad = (problem: string) => note(findings.problems, problem)
      for await (const batch of readSegments(segments, { ...range, bad })) {
        const share = Math.min(1, Math.max(0, (batch.toMs - fromMs) / Math.max(1, toMs - fromMs)))
        yield { ...batch, share }
      }
    },
  }
}

function archive(name: string, opened: Archive): Recording {
  return {
    name,
    hasArrivalOrder: false,
    span: () => opened.span(),
    read: (range, findings) => opened.read(range, findings),
  }
}
