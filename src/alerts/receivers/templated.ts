/**
 * Templated: a notification in the person's own words, by `alerts.templates`. Pure.
 *
 * What fails is said and leaves our own words in place: a template must never cost a page.
 */

import { ok, type Result } from '../../model/result.ts'
import { runbookAddress } from '../../model/runbook.ts'
import { fillTemplate, type Holes, type PlainHole, parseTemplate } from '../../model/template.ts'
import { formatUtc } from '../../runtime/clock.ts'
import type { Config } from '../../runtime/config.ts'
import type { Notification, ToldAlert } from '../notification.ts'
import { ownRules } from '../own-alerts.ts'
import { shortened } from './receiver.ts'
import { age, consoleLink, oneLine, subjectCharactersMax, type WordingContext, wording } from './wording.ts'

export type Templates = NonNullable<Config['alerts']['templates']>

export interface Templated {
  subject?: string
  text?: string
  /** Why a template was not used. */
  problem?: string
}

export const textCharactersMax = 20_000
const groupsMax = 5

export function templated(notification: Notification, context: WordingContext, templates: Templates = {}): Templated {
  if (ownRules.has(notification.rule) || (templates.subject === undefined && templates.text === undefined)) return {}
  try {
    const holes = holesOf(notification, context)
    const subject = filled(templates.subject, holes)
    const text = filled(templates.text, holes)
    if (!subject.ok) return { problem: `alerts.templates.subject: ${subject.error} (rule ${notification.rule})` }
    if (!text.ok) return { problem: `alerts.templates.text: ${text.error} (rule ${notification.rule})` }
    const line = shortened(oneLine(subject.value ?? ''), subjectCharactersMax)
    if (templates.subject !== undefined && line === '')
      return { problem: 'alerts.templates.subject: it came out empty' }
    return {
      ...(subject.value !== undefined && { subject: line }),
      ...(text.value !== undefined && { text: shortened(text.value, textCharactersMax) }),
    }
  } catch (error) {
    return { problem: `alerts.templates: ${(error as Error).message}` }
  }
}

function filled(text: string | undefined, holes: Holes): Result<string | undefined, string> {
  if (text === undefined) return ok(undefined)
  const parsed = parseTemplate(text)
  // The configuration was refused otherwise.
  return parsed.ok ? fillTemplate(parsed.value, holes) : { ok: false, error: parsed.error[0]?.message ?? '' }
}

function holesOf(notification: Notification, context: WordingContext): Holes {
  const plain = plainHoles(notification, context)
  return (hole) => {
    if (!hole.includes('.')) return plain[hole as PlainHole]
    const found = notification.alerts.flatMap((alert) => dottedHole(alert, hole) ?? [])
    return found.length === 0 ? undefined : listed([...new Set(found)])
  }
}

function plainHoles(notification: Notification, context: WordingContext): Record<PlainHole, string> {
  const { alerts, rule, level, kind, receiver, moreCount } = notification
  const [alert] = alerts as [ToldAlert, ...ToldAlert[]]
  const { status, say, value, lines, members } = wording(notification, context)
  return {
    ...{ status, level, kind, rule, receiver, value },
    group: listed(alerts.map(({ groupKey }) => groupKey)),
    say: say || members.join('\n') || alert.reason,
    reason: alert.reason,
    values: lines.find(({ label }) => label === 'Values')?.text ?? '',
    since: formatUtc(alert.sinceMs),
    duration: age((alert.endedMs ?? context.sendMs) - alert.sinceMs),
    runbook: runbookAddress(alert.runbook ?? '', context.consoleUrl),
    console: consoleLink(alert, context.consoleUrl),
    count: String(alerts.length + moreCount),
  }
}

/** `group.host`, `tag.team`, `value.p90`. */
function dottedHole({ group, tags, values }: ToldAlert, hole: string): string | undefined {
  const [kind, name = ''] = hole.split(/\.(.*)/s)
  if (kind === 'group') return group.find((one) => one.name === name)?.value
  if (kind === 'tag') return Object.hasOwn(tags, name) ? tags[name] : undefined
  return values.find((one) => one.name === name)?.text
}

function listed(words: readonly string[]): string {
  return words.length <= groupsMax ? words.join(', ') : `${words.slice(0, groupsMax).join(', ')}, …`
}
