/**
 * Break command: what a person typed after `npm run break --`, understood or answered with what was meant.
 */
import { parseArgs } from 'node:util'
import { formatDuration, parseDuration } from '../src/model/duration.ts'
import { err, ok, type Result } from '../src/model/result.ts'
import { suggest } from '../src/runtime/problem.ts'
import { delayMaxMs, type Fault, type FaultKind, faultDefaults, faultKinds, forMaxMs } from './fault.ts'
import { type ProcessName, processNames } from './settings.ts'

export type BreakCommand =
  | { do: 'help' }
  | { do: 'heal'; process: ProcessName }
  | { do: 'break'; process: ProcessName; fault: Fault }

export const usage = `Usage: npm run break -- PROCESS KIND [AMOUNT] [--for DURATION]
       npm run break -- PROCESS heal

Breaks one process of the example service for a while and says what should happen and when.

  PROCESS         ${processNames.join(', ')}
  KIND
    5xx [SHARE]   answers that share of its requests with 503 (default ${faultDefaults.share * 100}%)
    slow [DELAY]  takes that much longer for each request (default ${formatDuration(faultDefaults.ms)})
    hang          accepts connections and answers nothing, its heartbeat neither
    kill          the process is killed and stays down
    dependency    what the process needs (a database, another process) is out of its reach
    heal          ends all of this at once

  --for DURATION  heals by itself after that time (default ${formatDuration(faultDefaults.forMs)}, at most ${formatDuration(forMaxMs)})
  --config FILE   Tocsin's configuration, for the addresses and the rules (default demo.yaml)
  --help          this text

Examples:
  npm run break -- verifier 5xx
  npm run break -- dbwriter slow 800ms --for 3m
  npm run break -- proxy kill --for 30s
  npm run break -- verifier heal
`

/** Understands the words; the error says what was expected, what came and what may have been meant. */
export function parseBreakCommand(args: string[]): Result<BreakCommand & { config: string | undefined }, string> {
  let parsed: { values: { for?: string; config?: string; help?: boolean }; positionals: string[] }
  try {
    const options = {
      for: { type: 'string' },
      config: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    } as const
    parsed = parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    return err((error as Error).message)
  }
  const { values, positionals } = parsed
  if (values.help) return ok({ do: 'help', config: undefined })
  const command = understand(positionals, values.for)
  return command.ok ? ok({ ...command.value, config: values.config }) : command
}

function understand([name, kind, amount, ...rest]: string[], forText?: string): Result<BreakCommand, string> {
  const process = processNames.find((candidate) => candidate === name)
  if (!process) return err(unknown('process', name, processNames))
  if (kind === 'heal')
    return amount === undefined ? ok({ do: 'heal', process }) : err(`what is "${amount}" after "heal"?`)
  const known = faultKinds.find((candidate) => candidate === kind)
  if (!known) return err(unknown('kind', kind, [...faultKinds, 'heal']))
  const forMs = forText === undefined ? faultDefaults.forMs : parseDuration(forText)
  if (forMs === undefined || forMs <= 0 || forMs > forMaxMs) {
    return err(`--for: expected a duration such as 60s, up to ${formatDuration(forMaxMs)}, got "${forText}"`)
  }
  const size = amountOf(known, amount)
  if (!size.ok) return size
  if (rest.length > 0) return err(`what is "${rest.join(' ')}" after "${kind}"?`)
  return ok({ do: 'break', process, fault: { kind: known, ...size.value, forMs } })
}

function unknown(what: string, word: string | undefined, known: readonly string[]): string {
  if (word === undefined) return `which ${what}? One of: ${known.join(', ')}`
  const meant = suggest(word, known)
  return `there is no ${what} "${word}"${meant ? `; did you mean "${meant}"?` : ''} One of: ${known.join(', ')}`
}

function amountOf(kind: FaultKind, text: string | undefined): Result<{ share: number; ms: number }, string> {
  const { share, ms } = faultDefaults
  if (text === undefined) return ok({ share, ms })
  if (kind === '5xx') {
    const value = shareOf(text)
    return value === undefined ? err(`5xx: expected a share such as 50%, got "${text}"`) : ok({ share: value, ms })
  }
  if (kind === 'slow') {
    const value = parseDuration(/^\d+$/.test(text) ? `${text}ms` : text)
    const fits = value !== undefined && value >= 1 && value <= delayMaxMs
    return fits ? ok({ share, ms: value }) : err(`slow: expected a delay such as 2s, up to 1m, got "${text}"`)
  }
  return err(`what is "${text}" after "${kind}"?`)
}

/** `30%` or `0.3`; undefined outside (0, 1]. */
function shareOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text)
  const value = match ? Number(match[1]) / (match[2] ? 100 : 1) : 0
  return value > 0 && value <= 1 ? value : undefined
}
