/**
 * Store: the state on disk, in SQLite, with the log offset it has reached.
 *
 * It is a projection of alerts-log and never the truth: it may lag behind (it is saved in one transaction a moment after
 * the state changed), because a restart reads on from its offset and arrives at the same state. A database that cannot
 * be read is set aside and the state rebuilt from the log. When the disk refuses, the state goes on in memory, the
 * problem is told, and everything not yet saved is saved when the disk takes it again.
 */
import fs from 'node:fs'
import path from 'node:path'
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { type Alert, endedAlertsMax, historyMax, keepAlert } from '../model/alert.ts'
import type { Decision } from '../model/decision.ts'
import type { Care, Silence } from '../model/handling.ts'
import type { Maintenance } from '../model/maintenance.ts'
import { err, ok, type Result } from '../model/result.ts'
import type { Flap } from './flap.ts'
import type { Burst } from './group.ts'
import type { Gathering } from './limit.ts'
import type { Notification } from './notification.ts'
import { type AlertsState, type Changes, emptyAlertsState, type Told } from './state.ts'

export const schemaVersion = 1
export const decisionsMax = 10_000

const tables = `
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS alerts (
    fingerprint TEXT PRIMARY KEY, state TEXT, level TEXT, since_ms INTEGER, ended_ms INTEGER, alert TEXT, told TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY, episode TEXT UNIQUE, alert TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS bursts (name TEXT PRIMARY KEY, burst TEXT) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS notifications (
    id INTEGER PRIMARY KEY, key TEXT UNIQUE, receiver TEXT, state TEXT, at_ms INTEGER, notification TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY, at_ms INTEGER, fingerprint TEXT, transition_id TEXT, change TEXT, notify INTEGER,
    reason TEXT, receivers TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS handling (kind TEXT, key TEXT, value TEXT, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS decisions_of ON decisions (fingerprint, id);
`

/**
 * Opens or makes the database; the error says why it cannot be used as it is. What ended, and what was decided, more than
 * `historyMs` before the last save is let go.
 */
export function openStore(file: string, historyMs = Number.POSITIVE_INFINITY): Result<Store, string> {
  let database: DatabaseSync | undefined
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true })
    database = new DatabaseSync(file, { timeout: 100 })
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    const check = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0]
    if (check !== 'ok') throw new Error(String(check))
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version)
    if (version !== 0 && version !== schemaVersion) throw new Error(`it has schema ${version}, not ${schemaVersion}`)
    database.exec(`${tables} PRAGMA user_version = ${schemaVersion}`)
    return ok(new Store(database, historyMs))
  } catch (error) {
    database?.close()
    return err((error as Error).message)
  }
}

/** Renames the database and what belongs to it, so that a new one can be made; returns its new name. */
export function setAside(file: string, atMs: number): string {
  const aside = `${file}.unusable-${atMs}`
  for (const suffix of ['', '-wal', '-shm']) {
    if (fs.existsSync(file + suffix)) fs.renameSync(file + suffix, aside + suffix)
  }
  return aside
}

export class Store {
  readonly #database: DatabaseSync
  readonly #historyMs: number
  readonly #statements = new Map<string, StatementSync>()
  /** The newest history entry that is on disk. */
  #lastSaved: Alert | undefined

  constructor(database: DatabaseSync, historyMs: number) {
    this.#database = database
    this.#historyMs = historyMs
  }

  /** The saved state and the next offset to read, undefined for a new database. Throws when a row makes no sense. */
  load(): { state: AlertsState; offset: number | undefined } {
    const state = emptyAlertsState()
    const meta = new Map(this.#rows('SELECT name, value FROM meta').map(({ name, value }) => [name, value]))
    for (const row of this.#rows('SELECT alert, told FROM alerts ORDER BY ended_ms, since_ms')) {
      const alert = parse<Alert>(row.alert)
      keepAlert(state.book, alert)
      if (row.told !== null) state.told.set(alert.fingerprint, parse<Told>(row.told))
    }
    for (const row of this.#rows('SELECT alert FROM history ORDER BY id')) {
      state.book.history.push(parse<Alert>(row.alert))
    }
    for (const row of this.#rows('SELECT name, burst FROM bursts')) {
      state.bursts.set(String(row.name), parse<Burst>(row.burst))
    }
    for (const row of this.#rows('SELECT notification FROM notifications ORDER BY id')) {
      const notification = parse<Notification>(row.notification)
      state.notifications.set(notification.key, notification)
    }
    for (const { kind, key, value } of this.#rows('SELECT kind, key, value FROM handling')) {
      if (kind === 'silence') state.handling.silences.set(String(key), parse<Silence>(value))
      else if (kind === 'maintenance') state.handling.maintenances.set(String(key), parse<Maintenance>(value))
      else if (kind === 'flap') state.flaps.set(String(key), parse<Flap>(value))
      else if (kind === 'gathering') state.gatherings.set(String(key), parse<Gathering>(value))
      else state.handling.care.set(String(key), parse<Care>(value))
    }
    state.nowMs = Number(meta.get('now_ms') ?? 0)
    this.#lastSaved = state.book.history.at(-1)
    const offset = meta.get('offset')
    return { state, offset: offset === undefined ? undefined : Number(offset) }
  }

  /** Saves what changed, and `offset` as the next to be read. All or nothing; throws what the disk says. */
  save(state: AlertsState, changes: Changes, offset: number): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const fingerprint of changes.fingerprints) this.#saveAlert(state, fingerprint)
      this.#saveHistory(state.book.history)
      for (const name of changes.bursts) this.#saveBurst(name, state.bursts.get(name))
      for (const key of changes.notifications) this.#saveNotification(key, state.notifications.get(key))
      this.#saveAll('silence', changes.handling.silences, state.handling.silences)
      this.#saveAll('maintenance', changes.handling.maintenances, state.handling.maintenances)
      this.#saveAll('care', changes.handling.care, state.handling.care)
      this.#saveAll('flap', changes.flaps, state.flaps)
      this.#saveAll('gathering', changes.gatherings, state.gatherings)
      for (const decision of changes.decisions) this.#saveDecision(decision)
      this.#run('DELETE FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - ?', decisionsMax)
      this.#letGo(state.nowMs)
      for (const [name, value] of [
        ['offset', offset],
        ['now_ms', state.nowMs],
      ] as const) {
        this.#run('INSERT OR REPLACE INTO meta VALUES (?, ?)', name, value)
      }
      this.#database.exec('COMMIT')
      this.#lastSaved = state.book.history.at(-1)
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** What is older than people want it kept. */
  #letGo(nowMs: number): void {
    if (!Number.isFinite(this.#historyMs)) return
    this.#run('DELETE FROM decisions WHERE at_ms < ?', nowMs - this.#historyMs)
    this.#run("DELETE FROM history WHERE json_extract(alert, '$.endedMs') < ?", nowMs - this.#historyMs)
  }

  /** The newest decisions, newest first; of one alert when named. */
  decisions(limit: number, fingerprint?: string): Decision[] {
    const where = fingerprint === undefined ? '' : 'WHERE fingerprint = ?'
    const rows = this.#database
      .prepare(`SELECT * FROM decisions ${where} ORDER BY id DESC LIMIT ?`)
      .all(...(fingerprint === undefined ? [] : [fingerprint]), limit)
    return rows.map((row) => ({
      atMs: Number(row.at_ms),
      fingerprint: String(row.fingerprint),
      transition: String(row.transition_id),
      change: String(row.change) as Decision['change'],
      notify: row.notify === 1,
      reason: String(row.reason),
      receivers: parse<string[]>(row.receivers),
    }))
  }

  close(): void {
    this.#database.close()
  }

  #saveAlert({ book, told }: AlertsState, fingerprint: string): void {
    const alert = book.firing.get(fingerprint) ?? book.ended.get(fingerprint)
    if (!alert) return
    this.#run(
      'INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?)',
      fingerprint,
      alert.state,
      alert.level,
      alert.sinceMs,
      alert.endedMs ?? null,
      JSON.stringify(alert),
      told.has(fingerprint) ? JSON.stringify(told.get(fingerprint)) : null,
    )
  }

  #saveHistory(history: readonly Alert[]): void {
    const from = this.#lastSaved === undefined ? 0 : history.lastIndexOf(this.#lastSaved) + 1
    const fresh = history.slice(from)
    for (const alert of fresh) {
      this.#run('INSERT OR IGNORE INTO history (episode, alert) VALUES (?, ?)', alert.episode, JSON.stringify(alert))
    }
    if (fresh.length === 0) return
    this.#run('DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?', historyMax)
    // What the book has let go is let go here.
    const oldest = 'SELECT ended_ms FROM alerts WHERE ended_ms IS NOT NULL ORDER BY ended_ms DESC LIMIT 1 OFFSET ?'
    this.#run(`DELETE FROM alerts WHERE ended_ms < (${oldest})`, endedAlertsMax)
  }

  #saveAll(kind: string, keys: ReadonlySet<string>, values: ReadonlyMap<string, object>): void {
    for (const key of keys) {
      const value = values.get(key)
      if (value) this.#run('INSERT OR REPLACE INTO handling VALUES (?, ?, ?)', kind, key, JSON.stringify(value))
      else this.#run('DELETE FROM handling WHERE kind = ? AND key = ?', kind, key)
    }
  }

  #saveBurst(name: string, burst: Burst | undefined): void {
    if (burst) this.#run('INSERT OR REPLACE INTO bursts VALUES (?, ?)', name, JSON.stringify(burst))
    else this.#run('DELETE FROM bursts WHERE name = ?', name)
  }

  #saveNotification(key: string, notification: Notification | undefined): void {
    if (!notification) {
      this.#run('DELETE FROM notifications WHERE key = ?', key)
      return
    }
    const { receiver, state, atMs } = notification
    this.#run(
      `INSERT INTO notifications (key, receiver, state, at_ms, notification) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET state = excluded.state, notification = excluded.notification`,
      key,
      receiver,
      state,
      atMs,
      JSON.stringify(notification),
    )
  }

  #saveDecision({ atMs, fingerprint, transition, change, notify, reason, receivers }: Decision): void {
    this.#run(
      `INSERT INTO decisions (at_ms, fingerprint, transition_id, change, notify, reason, receivers)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      atMs,
      fingerprint,
      transition,
      change,
      Number(notify),
      reason,
      JSON.stringify(receivers),
    )
  }

  #rows(sql: string): Record<string, SQLOutputValue>[] {
    return this.#database.prepare(sql).all()
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    statement.run(...values)
  }
}

function parse<T>(json: SQLOutputValue | undefined): T {
  return JSON.parse(String(json)) as T
}
