/**
 * Forget: a person's command that series are to be forgotten, as it travels: the event `statsd.delcounters`,
 * `statsd.deltimers` or `statsd.delgauges`, with the tag `series`.
 */
import type { EventMessage } from './event.ts'

const kinds = ['counters', 'timers', 'gauges'] as const
export type ForgettableKind = (typeof kinds)[number]

/** `series` is a name, or `api.*` for all below. */
export interface Forget {
  kind: ForgettableKind
  series: string
}

type Told = Pick<EventMessage, 'name' | 'tags'>

export function forgetEvent({ kind, series }: Forget): Told & { tags: Record<string, string>; text: string } {
  return { name: `statsd.del${kind}`, tags: { series }, text: `${kind} ${series} forgotten on command` }
}

/** The command in an event; undefined when it is another event. */
export function readForget({ name, tags }: Told): Forget | undefined {
  const kind = kinds.find((one) => name === `statsd.del${one}`)
  return kind && tags.series !== undefined ? { kind, series: tags.series } : undefined
}

export function isForgotten(series: string): (name: string) => boolean {
  const folder = series.endsWith('.*') ? series.slice(0, -1) : undefined
  return (name) => name === series || (folder !== undefined && name.startsWith(folder))
}
