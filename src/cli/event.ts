/** `tocsin event`: says that something happened, such as a deploy. */
import { formatUtc } from '../runtime/clock.ts'
import { ask, type Console } from './api.ts'
import type { Outcome } from './print.ts'

export interface EventFlags {
  text?: string | undefined
  at?: string | undefined
  id?: string | undefined
  json?: boolean | undefined
}

interface Posted {
  id: string
  name: string
  tags: Record<string, string>
  atMs: number
  isRepeated: boolean
}

export async function postEvent(
  console: Console,
  name: string,
  words: readonly string[],
  flags: EventFlags,
): Promise<Outcome> {
  const wrong = words.find((word) => !/^[^=]+=./s.test(word))
  if (wrong !== undefined) {
    return { exitCode: 2, error: `tocsin: expected TAG=VALUE such as process=verifier, got "${wrong}"` }
  }
  const body = {
    name,
    tags: Object.fromEntries(
      words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
    ),
    ...(flags.text !== undefined && { text: flags.text }),
    ...(flags.at !== undefined && { at: flags.at }),
    ...(flags.id !== undefined && { id: flags.id }),
  }
  const answer = await ask<{ events: Posted[] }>(console, 'POST', '/api/events', body)
  if (!answer.ok) return answer.error
  if (flags.json) return { exitCode: 0, text: JSON.stringify(answer.value, null, 2) }
  return { exitCode: 0, text: answer.value.events.map(line).join('\n') }
}

function line({ name, tags, atMs, id, isRepeated }: Posted): string {
  const said = Object.entries(tags).map(([tag, value]) => ` ${tag}=${value}`)
  return `${formatUtc(atMs)}  event:${name}${said.join('')}  (${id}${isRepeated ? ', known already' : ''})`
}
