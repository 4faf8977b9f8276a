/** Time on a page: the server's clock as last heard, and a tick each second that makes relative times move. */
import { useEffect, useState } from 'preact/hooks'

let aheadMs = 0

/** Takes over the server's time; the browser's own may be wrong. */
export function learnServerTime(nowMs: number): void {
  aheadMs = nowMs - Date.now()
}

export function serverNow(): number {
  return Date.now() + aheadMs
}

/** Grows evenly, whatever happens to the clocks. */
export function localMs(): number {
  return performance.now()
}

const tickers = new Set<() => void>()
let isTicking = false

/** Renders again twice a second, all at once, and returns the server's time. */
export function useNow(): number {
  const [, again] = useState(0)
  useEffect(() => {
    const tick = () => again((count) => count + 1)
    tickers.add(tick)
    startTicking()
    return () => void tickers.delete(tick)
  }, [])
  return serverNow()
}

function startTicking(): void {
  if (isTicking) return
  isTicking = true
  setInterval(() => {
    for (const tick of tickers) tick()
  }, 500)
}

/** `8 s`, `4 m 12 s`, `3 h 05 m`, `2 d 4 h`: two units, so that it can be read at a glance. */
export function ago(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000))
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)]
  if (seconds < 60) return `${seconds} s`
  if (minutes < 60) return `${minutes} m ${two(seconds % 60)} s`
  if (hours < 24) return `${hours} h ${two(minutes % 60)} m`
  return `${days} d ${hours % 24} h`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' })

/** `14:05:09` in the reader's zone. */
export function clockTime(atMs: number): string {
  return clock.format(atMs)
}

/** With date and zone, for a title. */
export function exactTime(atMs: number): string {
  return exact.format(atMs)
}

/** The clock's time today, with the day for older ones. */
export function shortTime(atMs: number, nowMs: number): string {
  if (nowMs - atMs < 12 * 3_600_000) return clockTime(atMs)
  return `${new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' }).format(atMs)} ${clockTime(atMs)}`
}
