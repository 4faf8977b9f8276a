/**
 * Break words: what a person is told after breaking something: what is broken and until when, which of the rules that run
 * should notice and by which words of theirs, and where to watch.
 *
 * The rules are read from the files, so that what is said stays true when they are edited.
 */
import { formatDuration } from '../src/model/duration.ts'
import { formatLocal } from '../src/runtime/clock.ts'
import type { Config } from '../src/runtime/config.ts'
import type { Paint } from './banner.ts'
import type { Fault } from './fault.ts'
import type { ProcessName } from './settings.ts'

export function describeBreak(
  name: ProcessName,
  fault: Fault,
  _config: Config | undefined,
  nowMs: number,
  paint: Paint,
): string {
  const heals = formatLocal(nowMs + fault.forMs).slice(11, 19)
  return `
  ${paint.alarm(describeFault(name, fault))}
  It heals by itself in ${formatDuration(fault.forMs)}, at ${heals}; at once with: npm run break -- ${name} heal
`
}

export function describeFault(name: ProcessName, { kind, share, ms }: Fault): string {
  switch (kind) {
    case '5xx':
      return `${name} answers ${Math.round(share * 1000) / 10}% of its requests with 503.`
    case 'slow':
      return `${name} takes ${formatDuration(ms)} longer for each request.`
    case 'hang':
      return `${name} accepts connections and answers nothing, its heartbeat neither.`
    case 'kill':
      return `${name} has been killed and stays down.`
    case 'dependency':
      return `${name} cannot reach what it depends on; calls that need it are answered with 503.`
  }
}
