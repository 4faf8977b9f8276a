/** Log files in a directory of their own, followed step by step, and what was made of their lines. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import { Aggregate } from '../../../src/ingest/aggregate.ts'
import { BadLines } from '../../../src/ingest/bad-lines.ts'
import { Happenings } from '../../../src/ingest/happenings.ts'
import { Followed } from '../../../src/ingest/logs/followed.ts'
import { LineDesk } from '../../../src/ingest/logs/line-desk.ts'
import { logEntry } from '../../../src/ingest/logs/log-entry.ts'
import type { KeptPositions } from '../../../src/ingest/logs/positions.ts'
import { ManualClock } from '../../../src/runtime/clock.ts'
import { type LogConfig, logList } from '../../../src/runtime/config-logs.ts'
import { Stats } from '../../../src/runtime/stats.ts'
import { recordingLog } from '../../support/world.ts'
import { flat } from '../setup.ts'

/** Entries as in tocsin.yaml. */
export function entriesOf(...given: z.input<typeof logList> & {}): LogConfig[] {
  return z.parse(logList, given)
}

export interface Bench {
  dir: string
  clock: ManualClock
  stats: Stats
  logged: string[]
  /** A file's path in the directory. */
  at(name: string): string
  write(name: string, ...lines: string[]): void
  append(name: string, text: string): void
  /** Looks for files, and reads all that there is. */
  step(): Promise<void>
  /** What came of the lines since the last call, as `c name` → [sum, samples] and so on. */
  made(): Record<string, unknown>
  events(): { name: string; tags: Readonly<Record<string, string>> }[]
  kept(): KeptPositions
  /** Closes everything, does what it is told, and goes on from what was kept. */
  restart(meanwhile?: () => void): Promise<void>
  followed: Followed
  end(): Promise<void>
}

export interface BenchOptions {
  seriesMax?: number
  filesMax?: number
  dir?: string
}

/** Opens a bench; `{dir}` in paths is its directory. */
export function openBench(given: z.input<typeof logList> & {}, options: BenchOptions = {}): Bench {
  const dir = options.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-logs-'))
  const clock = new ManualClock(1_800_000_000_000)
  const entries = entriesOf(...given.map((one) => ({ ...one, path: path.join(dir, one.path) }))).map(logEntry)
  const [stats, logged] = [new Stats(), [] as string[]]
  const log = recordingLog(logged)
  const aggregate = new Aggregate({ seriesMax: options.seriesMax ?? 10_000 })
  const happenings = new Happenings(clock, stats, 60_000)
  const badLines = new BadLines(clock, log, stats)
  const taker = new LineDesk({ aggregate, happenings, badLines, clock, log, stats })
  const open = (kept: KeptPositions) =>
    new Followed({ entries, taker, clock, log, stats, filesMax: options.filesMax ?? 100 }, kept)
  const at = (name: string) => path.join(dir, name)
  const bench: Bench = {
    ...{ dir, clock, stats, logged, at, followed: open({ version: 1, paths: [], files: [] }) },
    write: (name, ...lines) => fs.writeFileSync(at(name), lines.map((line) => `${line}\n`).join('')),
    append: (name, text) => fs.appendFileSync(at(name), text),
    step: async () => {
      await bench.followed.discover()
      for (const file of bench.followed.files) {
        if (await bench.followed.look(file)) while (await bench.followed.readTurn(file));
      }
      taker.nextInterval()
    },
    made: () => flat(aggregate.take('s', 0, 1000)),
    events: () => happenings.take('s', 0).events.map(({ name, tags }) => ({ name, tags })),
    kept: () => bench.followed.kept(),
    restart: async (meanwhile = () => {}) => {
      const kept = JSON.parse(JSON.stringify(bench.followed.kept())) as KeptPositions
      await bench.followed.close()
      meanwhile()
      bench.followed = open(kept)
      await bench.step()
    },
    end: async () => {
      await bench.followed.close()
      fs.rmSync(dir, { recursive: true, force: true })
    },
  }
  return bench
}
