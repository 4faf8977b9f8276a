/**
 * Snapshots: the files under `data`/snapshots. One is taken about once a minute and at an orderly stop, the newest few are
 * kept. The engine stands still only while its state is packed; compressing and writing go on beside it.
 *
 * A file is written under another name, synced and renamed, so that one that has its name is whole.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import type { Context } from '../bus/part.ts'
import { Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { openSnapshot, packSnapshot, type Snapshot, sealSnapshot } from './snapshot.ts'

export const snapshotEveryMs = 60_000
/** Snapshots kept: should one be damaged or ahead of its log, an earlier one is used. */
export const snapshotsKept = 3
const named = /^\d{15}-\d+\.snapshot$/

export class Snapshots {
  readonly #dir: string
  readonly #context: Context
  readonly #stats: Stats
  readonly #situation: Situation
  #takenMs: number
  #writing: Promise<void> | undefined

  constructor(data: string, context: Context, stats: Stats) {
    this.#dir = path.join(data, 'snapshots')
    this.#context = context
    this.#stats = stats
    this.#situation = new Situation(context.log)
    this.#takenMs = context.clock.now()
  }

  get problem(): string | undefined {
    return this.#situation.problem
  }

  /** True when it is time for one and the one before has been written. */
  get isDue(): boolean {
    return this.#writing === undefined && this.#context.clock.now() - this.#takenMs >= snapshotEveryMs
  }

  /** Takes one: packed when this returns, on disk when the promise resolves. A disk that refuses is told, and no error. */
  take(snapshot: Snapshot): Promise<void> {
    const { clock } = this.#context
    const takenMs = clock.now()
    this.#takenMs = takenMs
    const packed = packedNow(snapshot)
    this.#stats.set('snapshot_stall_ms', clock.now() - takenMs)
    const name = `${String(takenMs).padStart(15, '0')}-${snapshot.offset}.snapshot`
    const writing = Promise.all([packed, this.#writing])
      .then(([bytes]) => this.#write(bytes, name))
      .then(() => {
        this.#stats.count('snapshots_total')
        this.#stats.set('snapshot_write_ms', clock.now() - takenMs)
        this.#situation.good('snapshots of the engine are written again')
      })
      .catch((error: Error) => {
        this.#stats.count('snapshots_failed_total')
        this.#situation.bad(`no snapshot of the engine can be written: ${error.message}`)
      })
      .finally(() => {
        if (this.#writing === writing) this.#writing = undefined
      })
    this.#writing = writing
    return writing
  }

  /** Those that can be read, the newest first; others are reported and passed over. */
  async *newest(): AsyncGenerator<{ name: string; snapshot: Snapshot }> {
    for (const name of await this.#names()) {
      const opened = await fs.readFile(path.join(this.#dir, name)).then(openSnapshot, unreadable)
      if (opened.ok) yield { name, snapshot: opened.value }
      else this.refuse(name, opened.error)
    }
  }

  /** Reports one that is of no use. */
  refuse(name: string, reason: string): void {
    this.#stats.count('snapshots_refused_total')
    this.#context.log.warn(`the snapshot ${name} is not used: ${reason}`)
  }

  async #write(packed: Buffer, name: string): Promise<void> {
    const sealed = await sealSnapshot(packed)
    this.#stats.set('snapshot_bytes', sealed.length)
    await fs.mkdir(this.#dir, { recursive: true })
    const unnamed = path.join(this.#dir, `${name}.new`)
    try {
      await writeSynced(unnamed, sealed)
      await fs.rename(unnamed, path.join(this.#dir, name))
    } catch (error) {
      await fs.rm(unnamed, { force: true }).catch(() => {})
      throw error
    }
    await this.#tidy(name)
  }

  /** Removes those beyond the newest few, and what a killed process left half written. */
  async #tidy(written: string): Promise<void> {
    const kept = new Set((await this.#names()).slice(0, snapshotsKept))
    for (const name of await fs.readdir(this.#dir)) {
      const isOurs = named.test(name) || /\.snapshot\.new$/.test(name)
      if (isOurs && !kept.has(name) && name !== written) await fs.rm(path.join(this.#dir, name), { force: true })
    }
  }

  async #names(): Promise<string[]> {
    const all = await fs.readdir(this.#dir).catch(() => [])
    return all
      .filter((name) => named.test(name))
      .sort()
      .reverse()
  }
}

/** Packed at once; a state too large for it is a rejection. */
async function packedNow(snapshot: Snapshot): Promise<Buffer> {
  return packSnapshot(snapshot)
}

async function writeSynced(file: string, bytes: Buffer): Promise<void> {
  const handle = await fs.open(file, 'w')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function unreadable(error: Error) {
  return { ok: false as const, error: `it cannot be read: ${error.message}` }
}
