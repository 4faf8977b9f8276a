/**
 * Break words: what a person is told after breaking something: what is broken and until when, what the rules that run will
 * make of it and when, and where to watch it happen.
 */
import { formatDuration } from '../src/model/duration.ts'
import { formatLocal } from '../src/runtime/clock.ts'
import type { Paint } from './banner.ts'
import type { Fault } from './fault.ts'
import type { Expected } from './forecast.ts'
import type { ProcessName } from './settings.ts'

export interface BreakFacts {
  process: ProcessName
  fault: Fault
  nowMs: number
  /** Undefined when the rules or checks could not be read. */
  expected: readonly Expected[] | undefined
  consoleUrl: string
  mailboxUrl: string
}

export function describeBreak(facts: BreakFacts, paint: Paint): string {
  const { process, fault, nowMs, consoleUrl, mailboxUrl } = facts
  const heals = nowMs + fault.forMs
  return `
  ${paint.alarm(describeFault(process, fault))}
  It heals by itself in ${formatDuration(fault.forMs)}, at ${timeOf(heals)}; at once with: npm run break -- ${process} heal

  ${paint.bold('What should happen')}
${describeExpected(facts)}
  ${paint.bold('Where to watch')}
    Console    ${paint.link(consoleUrl)}
    Mailbox    ${paint.link(mailboxUrl)}

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

function describeExpected({ process, fault, nowMs, expected }: BreakFacts): string {
  const heals = { atMs: nowMs + fault.forMs, text: `${process} is well again` }
  const lines = (expected ?? []).map((one) => ({ atMs: one.atMs, text: describeOne(one, process) }))
  const timed = [...lines, heals].sort((a, b) => a.atMs - b.atMs)
  const text = timed
    .map(({ atMs, text }) => `    ${timeOf(atMs)}  ${after(atMs - nowMs).padEnd(13)} ${text}\n`)
    .join('')
  if (expected === undefined)
    return `    The rules or checks are wrong, so nothing can be foretold; "bin/tocsin rules check" says where.\n${text}`
  return expected.length > 0 ? text : `    No rule notices this: it is too small, or too short.\n${text}`
}

/** `http_5xx_spike goes critical: the page`; the group is named where it is not the broken process itself. */
function describeOne({ rule, groupKey, from, to }: Expected, process: ProcessName): string {
  const name = groupKey === process || groupKey === 'all' ? rule : `${rule} (${groupKey})`
  if (to === 'crit')
    return from === 'warn' ? `${name} goes from warning to critical` : `${name} goes critical: the page arrives`
  if (to === 'warn') return from === 'crit' ? `${name} eases to a warning` : `${name} warns`
  if (to === 'ok' && from === 'nodata') return `${name} has data again`
  if (to === 'ok') return `${name} is resolved: the mail that says so arrives`
  return `${name} has no data any more`
}

function after(durationMs: number): string {
  return `after ${formatDuration(Math.max(1, Math.round(durationMs / 1000)) * 1000)}`
}

const timeOf = (atMs: number): string => formatLocal(atMs).slice(11, 19)
