/**
 * Clock: the only place that knows the machine's time.
 *
 * A Clock is RxJS's SchedulerLike, so it is handed to every time operator. `systemClock` runs production; tests hold a
 * ManualClock and say what time it is. Nothing else in the project touches Date or timers.
 */
import { asyncScheduler, Observable, type SchedulerLike, VirtualAction, VirtualTimeScheduler } from 'rxjs'
import { parseDuration } from '../model/duration.ts'

export type Clock = SchedulerLike

export const systemClock: Clock = asyncScheduler

/** A clock that stands still until told. Starts at `startMs` (epoch ms). */
export class ManualClock extends VirtualTimeScheduler {
  constructor(startMs = 0) {
    super(VirtualAction, startMs)
    this.frame = startMs
  }

  #sleptUntilMs = 0

  override now = (): number => Math.max(this.frame, this.#sleptUntilMs)

  /** The machine slept: it is `untilMs` now, and timers that were due before have yet to run. */
  stallUntil(untilMs: number): void {
    this.#sleptUntilMs = untilMs
  }

  /** Runs everything due up to `untilMs`, letting promises settle between timers, then stands at `untilMs`. */
  async advanceTo(untilMs: number): Promise<void> {
    await settle()
    for (let action = this.actions[0]; action && action.delay <= untilMs; action = this.actions[0]) {
      this.maxFrames = action.delay
      this.flush()
      await settle()
    }
    this.frame = untilMs
  }

  async advanceBy(durationMs: number): Promise<void> {
    await this.advanceTo(this.frame + durationMs)
  }
}

/** Lets pending promises and I/O callbacks run; real I/O may still be under way. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * Emits the nominal time of every multiple of `periodMs` as it passes, forever. A late timer emits once for each multiple
 * it missed, up to `catchUpMax`, so that flushes stay one per bucket; after a longer sleep it goes on from the present.
 */
export function aligned(periodMs: number, clock: Clock, catchUpMax = 60): Observable<number> {
  return new Observable((subscriber) => {
    let next = Math.floor(clock.now() / periodMs) * periodMs + periodMs
    return clock.schedule(function () {
      const nowMs = clock.now()
      if (nowMs - next > catchUpMax * periodMs) next = Math.floor(nowMs / periodMs) * periodMs
      while (next <= nowMs && !subscriber.closed) {
        subscriber.next(next)
        next += periodMs
      }
      this.schedule(undefined, Math.max(0, next - clock.now()))
    }, next - clock.now())
  })
}

/** Resolves after `durationMs` of the clock's time, or at once when the signal is aborted. */
export function sleep(durationMs: number, clock: Clock, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      timer.unsubscribe()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.schedule(done, durationMs)
    signal?.addEventListener('abort', done, { once: true })
  })
}

/** `2026-03-01 14:05:09 CET` in the given IANA zone (default: the machine's). */
export function formatLocal(atMs: number, timeZone?: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
  }).formatToParts(new Date(atMs))
  const part = (type: string) => parts.find((candidate) => candidate.type === type)?.value ?? ''
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')}:${part('second')} ${part('timeZoneName')}`
}

/** `2026-03-01 13:05:09 UTC`. */
export function formatUtc(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** RFC 3339 with milliseconds, for machines. */
export function formatIso(atMs: number): string {
  return new Date(atMs).toISOString()
}

/** `Sun, 01 Mar 2026 13:05:09 +0000`, as mail headers have it. */
export function formatMailDate(atMs: number): string {
  return new Date(atMs).toUTCString().replace('GMT', '+0000')
}

/** The same moment as a Date, for libraries that want one. */
export function asDate(atMs: number): Date {
  return new Date(atMs)
}

/**
 * A time as people write it: ISO 8601 (local where it has no zone), `14:05` for the last time it was that at or before
 * `latestMs`, `5m ago` counted from `nowMs`, `now`. Undefined for anything else.
 */
export function parseMoment(text: string, nowMs: number, latestMs: number = nowMs): number | undefined {
  if (text === 'now') return nowMs
  const ago = /^(\S+) ago$/.exec(text)
  if (ago) {
    const durationMs = parseDuration(ago[1] as string)
    return durationMs === undefined ? undefined : nowMs - durationMs
  }
  const clock = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text)
  if (clock) return lastTimeOfDay(Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0), latestMs)
  const iso = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(Z|[+-]\d\d:?\d\d)?$/.exec(text)
  if (!iso) return undefined
  const atMs = Date.parse(`${iso[1]}T${iso[2] ?? '00:00'}${iso[3] ?? ''}`)
  return Number.isNaN(atMs) ? undefined : atMs
}

function lastTimeOfDay(hour: number, minute: number, second: number, latestMs: number): number | undefined {
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const date = new Date(latestMs)
  date.setHours(hour, minute, second, 0)
  if (date.getTime() > latestMs) date.setDate(date.getDate() - 1)
  return date.getTime()
}
