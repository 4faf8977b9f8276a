/** Alert filter: which alerts a caller asked for. Patterns are those of routes and silences. */
import type { Alert } from '../model/alert.ts'
import { glob } from '../model/match.ts'
import { BadRequest, type Query, textOf } from './request.ts'

const states = ['firing', 'acknowledged', 'silenced', 'unhandled', 'resolved', 'forgotten', 'all'] as const

export interface AlertFilter {
  /** `firing` includes acknowledged and silenced ones; `unhandled` is firing and neither. */
  state: (typeof states)[number]
  rule?: string
  /** A group key, or `name=pattern` of a kept name. */
  group?: string
  /** `name=pattern` of a rule's tag. */
  tag?: string
  /** Words that stand in its rule, group, sentence or reason, whatever their case. */
  text?: string
}

export interface Handled {
  isAcknowledged: boolean
  isSilenced: boolean
}

export function filterOf(query: Query): AlertFilter {
  const state = textOf(query, 'state') ?? 'all'
  if (!states.includes(state as never)) {
    throw new BadRequest(`state: expected ${states.join(', ')}, got "${state.slice(0, 40)}"`)
  }
  const tag = textOf(query, 'tag')
  if (tag !== undefined && !tag.includes('='))
    throw new BadRequest(`tag: expected name=pattern, got "${tag.slice(0, 40)}"`)
  const filter: AlertFilter = { state: state as AlertFilter['state'] }
  for (const name of ['rule', 'group', 'tag', 'text'] as const) {
    const value = textOf(query, name)
    if (value !== undefined && value !== '') filter[name] = value
  }
  return filter
}

/** `handled` is asked only where the answer depends on it. */
export function isWanted(filter: AlertFilter, alert: Alert, handled: () => Handled): boolean {
  if (filter.rule !== undefined && !glob(filter.rule, alert.rule)) return false
  if (filter.group !== undefined && !isGroup(filter.group, alert)) return false
  if (filter.tag !== undefined && !isNamed(filter.tag, (name) => alert.tags[name])) return false
  if (filter.text !== undefined && !hasWords(filter.text, alert)) return false
  return isInState(filter.state, alert, handled)
}

function isInState(state: AlertFilter['state'], alert: Alert, handled: () => Handled): boolean {
  if (state === 'all') return true
  if (state === 'resolved' || state === 'forgotten') return alert.state === state
  if (alert.state !== 'firing') return false
  if (state === 'firing') return true
  const { isAcknowledged, isSilenced } = handled()
  if (state === 'acknowledged') return isAcknowledged
  return state === 'silenced' ? isSilenced : !isAcknowledged && !isSilenced && !alert.hidden
}

function isGroup(wanted: string, { group, groupKey }: Alert): boolean {
  if (glob(wanted, groupKey)) return true
  return isNamed(wanted, (name) => group.find((kept) => kept.name === name)?.value)
}

function isNamed(wanted: string, named: (name: string) => string | undefined): boolean {
  const equals = wanted.indexOf('=')
  const value = equals === -1 ? undefined : named(wanted.slice(0, equals))
  return value !== undefined && glob(wanted.slice(equals + 1), value)
}

function hasWords(text: string, { rule, groupKey, say, reason }: Alert): boolean {
  const all = `${rule} ${groupKey} ${say} ${reason}`.toLowerCase()
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word))
}
