/** Journal: the engine's log kept longer, in packed segments (format.ts). Written by keep.ts, read by the tools. */
import fs from 'node:fs'
import type { LogEntry } from '../../model/message.ts'
import { journalDir } from './keep.ts'
import { journalEntries } from './read.ts'

export { JournalKeeper, journalDir } from './keep.ts'
export { type Batch, journalEntries, journalSpan, type Range, readJournal } from './read.ts'

/**
 * What was recorded in a data directory from a time on, oldest first, for whoever rebuilds windows: from shortly before
 * `fromMs`, without the rules in force before; empty where no journal is kept.
 */
export function journalHistory(data: string): (fromMs: number) => AsyncIterable<LogEntry> {
  return async function* (fromMs) {
    const dir = journalDir(data)
    if (fs.existsSync(dir)) yield* journalEntries(dir, { fromMs, withoutRules: true })
  }
}
