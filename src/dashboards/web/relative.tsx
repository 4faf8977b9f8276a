/** Relative times that tick, with the exact time in the title. */
import { ago, exactTime, useNow } from './time.ts'

export function Since({ atMs, suffix = '' }: { atMs: number; suffix?: string }) {
  const nowMs = useNow()
  return (
    <time class="since" dateTime={new Date(atMs).toISOString()} title={exactTime(atMs)}>
      {ago(nowMs - atMs)}
      {suffix}
    </time>
  )
}

export function Lasted({ fromMs, untilMs }: { fromMs: number; untilMs: number }) {
  return <span title={`${exactTime(fromMs)} – ${exactTime(untilMs)}`}>{ago(untilMs - fromMs)}</span>
}
