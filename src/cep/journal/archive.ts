/**
 * Archive: files of JSON lines, one after another, unpacked where they are zstd or gzip. A line that cannot be read is
 * told with its place and passed over; the rest is read.
 */
import fs from 'node:fs'
import type { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { LogEntry } from '../../model/message.ts'
import { type ArchiveLine, parseArchiveLine } from './archive-line.ts'
import { ArchiveLog } from './archive-log.ts'
import { type Findings, noFindings, note, type Span } from './findings.ts'
import type { Batch, Range } from './read.ts'

/** Entries handed over at a time, about. */
const batchEntries = 1000
const lineBytesMax = 1024 ** 2

export interface Archive {
  span(): Promise<Span | undefined>
  read(range: Range, findings: Findings): AsyncIterable<Batch & { share: number }>
}

export function openArchive(files: readonly string[]): Archive {
  return {
    read: (range, findings) => readArchive(files, range, findings),
    span: async () => {
      let [fromMs, toMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      for await (const { line } of readLines(files, noFindings())) {
        if (line.what === 'head') continue
        fromMs = Math.min(fromMs, line.atMs)
        toMs = Math.max(toMs, line.atMs)
      }
      return fromMs <= toMs ? { fromMs, toMs } : undefined
    },
  }
}

async function* readArchive(
  files: readonly string[],
  { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY }: Range,
  findings: Findings,
): AsyncGenerator<Batch & { share: number }> {
  const log = new ArchiveLog()
  let entries: LogEntry[] = []
  let lines = 0
  for await (const { line, where, share } of readLines(files, findings)) {
    const isOutside = line.what !== 'head' && (line.atMs < fromMs || line.atMs > toMs)
    if (isOutside) continue
    const problem = log.add(line)
    if (problem !== undefined) note(findings.problems, `${where}: ${problem}`)
    else if (line.what === 'metric' && line.isLate) {
      note(findings.late, { series: line.series, bucketMs: line.atMs })
    }
    if (++lines % batchEntries !== 0) continue
    entries.push(...log.take())
    if (entries.length < batchEntries) continue
    yield { entries, toMs: endOf(entries), share }
    entries = []
  }
  for (const entry of log.take(true)) {
    entries.push(entry)
    if (entries.length < batchEntries) continue
    yield { entries, toMs: endOf(entries), share: 1 }
    entries = []
  }
  yield { entries, toMs: endOf(entries), share: 1 }
}

function endOf(entries: readonly LogEntry[]): number {
  const last = entries.findLast(({ kind }) => kind === 'clock')
  return last?.kind === 'clock' ? last.message.nowMs : 0
}

/** Lines that can be read, with their places; the others are told. */
async function* readLines(
  files: readonly string[],
  findings: Findings,
): AsyncGenerator<{ line: ArchiveLine; where: string; share: number }> {
  const totalBytes = files.reduce((sum, file) => sum + fs.statSync(file).size, 0)
  let bytesBefore = 0
  for (const file of files) {
    const source = fs.createReadStream(file)
    let number = 0
    try {
      for await (const text of splitLines(unpacked(file, source))) {
        number++
        if (text.trim() === '') continue
        const where = `${file}:${number}`
        const read = parseArchiveLine(text)
        if (read.ok) yield { line: read.value, where, share: (bytesBefore + source.bytesRead) / totalBytes }
        else note(findings.problems, `${where}: ${read.error}`)
      }
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error)) throw error
      note(findings.problems, `${file}:${number + 1}: the rest cannot be read: ${error.message}`)
    } finally {
      source.destroy()
    }
    bytesBefore += source.bytesRead
  }
}

function unpacked(file: string, source: fs.ReadStream): Readable {
  const magic = Buffer.alloc(4)
  const fd = fs.openSync(file, 'r')
  fs.readSync(fd, magic)
  fs.closeSync(fd)
  const unpack =
    magic.readUInt32LE(0) === 0xfd2fb528
      ? createZstdDecompress()
      : magic.readUInt16LE(0) === 0x8b1f
        ? createGunzip()
        : undefined
  if (!unpack) return source
  source.on('error', (error) => unpack.destroy(error))
  return source.pipe(unpack)
}

async function* splitLines(stream: Readable): AsyncGenerator<string> {
  let rest = ''
  stream.setEncoding('utf8')
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() as string
    if (rest.length > lineBytesMax) throw Object.assign(new Error('a line of more than 1 MiB'), { code: 'ELONG' })
    yield* lines
  }
  if (rest !== '') yield rest
}
