/** `tocsin alerts dead`: what nobody was told of; sent again or dismissed. */
import { formatUtc } from '../runtime/clock.ts'
import { ask, type Console } from './api.ts'
import type { Outcome } from './print.ts'

interface Letter {
  key: string
  receiver: string
  title: string
  detail: string
  atMs: number
  attempt: number
}

export const letterWords = ['retry', 'dismiss'] as const

export interface LetterFlags {
  json?: boolean | undefined
  all?: boolean | undefined
}

/** Exit status 1 where there are any. */
export async function listLetters(console: Console, { json }: LetterFlags): Promise<Outcome> {
  const answer = await ask<{ letters: Letter[] }>(console, 'GET', '/api/dead-letters')
  if (!answer.ok) return answer.error
  const { letters } = answer.value
  const exitCode = letters.length > 0 ? 1 : 0
  if (json) return { exitCode, text: JSON.stringify({ letters }, null, 2) }
  return { exitCode, text: letters.length === 0 ? 'there are no dead letters' : letters.map(lines).join('\n') }
}

function lines({ key, receiver, title, detail, atMs, attempt }: Letter): string {
  const tries = attempt === 1 ? '1 try' : `${attempt} tries`
  return `${key}  ${formatUtc(atMs)}  ${receiver}: ${title}\n    ${tries}: ${detail}`
}

/** Orders it for each letter named, by key or the beginning of one; all are tried, whatever becomes of one. */
export async function orderLetters(
  console: Console,
  word: (typeof letterWords)[number],
  names: readonly string[],
  flags: LetterFlags,
): Promise<Outcome> {
  const answer = await ask<{ letters: Letter[] }>(console, 'GET', '/api/dead-letters')
  if (!answer.ok) return answer.error
  const { letters } = answer.value
  const done: Letter[] = []
  const errors: Outcome[] = []
  for (const name of flags.all ? letters.map(({ key }) => key) : names) {
    const found = letters.filter(({ key }) => key.startsWith(name))
    const letter = found.length === 1 ? found[0] : undefined
    const ordered = letter ? await order(console, word, letter.key) : noneOrMany(name, found.length)
    if (ordered) errors.push(ordered)
    else if (letter) done.push(letter)
  }
  const said = done.map(({ receiver, title }) =>
    word === 'retry' ? `${receiver} is told again: ${title}` : `dismissed: ${title} for ${receiver}`,
  )
  const exitCode = errors.some((one) => one.exitCode === 2) ? 2 : errors.length > 0 ? 1 : 0
  const text = flags.json ? JSON.stringify({ letters: done }, null, 2) : said.join('\n')
  return { exitCode, text, ...(errors.length > 0 && { error: errors.map(({ error }) => error).join('\n') }) }
}

async function order(console: Console, word: string, key: string): Promise<Outcome | undefined> {
  const address = `/api/dead-letters/${key}`
  const answer =
    word === 'retry'
      ? await ask<object>(console, 'POST', `${address}/retry`, {})
      : await ask<object>(console, 'DELETE', address)
  return answer.ok ? undefined : answer.error
}

function noneOrMany(name: string, count: number): Outcome {
  const what = count === 0 ? `there is no dead letter "${name}"` : `${count} dead letters begin with "${name}"`
  return { exitCode: 1, error: `tocsin: ${what}\n    "tocsin alerts dead" lists them` }
}
