/**
 * Management: the commands of etsy's daemon, one a line over TCP, for people and for the checks that ask it.
 *
 *     stats               uptime: 12 · messages.last_msg_seen: 0 · messages.bad_lines_seen: 3 · END and an empty line
 *     counters            what has come of each since the last flush, as etsy prints it; so do gauges (levels) and
 *                         timers (the values, each as often as it came, up to `valuesShownMax`)
 *     delcounters a b.*   forgets a series, or all below b; so do delgauges and deltimers; the bus is told (model/forget.ts)
 *     health [up|down]    health: up
 *     config · help · quit
 *
 * Long answers are written piece by piece, so that packets are received meanwhile.
 */
import type net from 'node:net'
import { type Forget, type ForgettableKind, isForgotten } from '../model/forget.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Config, HostPort } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import type { Aggregate, SeriesNow } from './aggregate.ts'
import { badStatsdLines } from './own-counters.ts'
import { counter, gauge, type LineKind, timer } from './parse.ts'
import { type Listener, listenTcp } from './receive.ts'

const commandCharsMax = 4096
const connectionsMax = 10
const seriesAtATime = 500
const valuesShownMax = 1000

export interface ManagementOptions {
  address: HostPort
  aggregate: Aggregate
  /** When the last packet came, epoch ms; undefined when none has. */
  lastPacketMs: () => number | undefined
  config: Config
  clock: Clock
  log: Log
  stats: Stats
  mayConnect: (address: string) => boolean
  /** Brings the aggregate up to date before it is looked at. */
  refresh?: (() => Promise<void>) | undefined
  /** Told of series that are forgotten on command. */
  onForget?: ((kind: LineKind, names: readonly string[]) => void) | undefined
  /** Told of what is to be forgotten, known here or not. */
  onCommand?: ((forget: Forget) => void) | undefined
}

type Answer = Iterable<string>

export function startManagement(options: ManagementOptions): Promise<Listener> {
  const { address, log, stats, mayConnect } = options
  const commands = new Commands(options)
  return listenTcp(
    { key: 'ingest.statsd.management', address, log, stats, mayConnect, connectionsMax },
    (socket) => void converse(socket, commands),
  )
}

/** Answers commands one after another until the other side has no more. */
async function converse(socket: net.Socket, commands: Commands): Promise<void> {
  socket.setEncoding('latin1')
  let rest = ''
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > commandCharsMax) break
      for (const line of lines) if (!(await answer(socket, commands, line))) return
    }
    if (rest !== '' && rest.length <= commandCharsMax) await answer(socket, commands, rest)
    socket.end()
  } catch {
    // The other side has hung up.
    socket.destroy()
  }
}

/** False when the conversation is over. */
async function answer(socket: net.Socket, commands: Commands, line: string): Promise<boolean> {
  const [command = '', ...words] = line.trim().split(/\s+/)
  if (command === 'quit') {
    socket.end()
    return false
  }
  await commands.prepare(command)
  for (const text of commands.answer(command, words)) {
    if (socket.destroyed) return false
    const isTaken = new Promise<void>((resolve) => socket.write(text, () => resolve()))
    await isTaken
  }
  return true
}

class Commands {
  readonly #options: ManagementOptions
  readonly #startedMs: number
  #health = 'up'

  constructor(options: ManagementOptions) {
    this.#options = options
    this.#startedMs = options.clock.now()
  }

  /** What concerns series is asked of all who have a share of them. */
  async prepare(command: string): Promise<void> {
    if (kindOf(command) !== undefined) await this.#options.refresh?.()
  }

  answer(command: string, words: readonly string[]): Answer {
    if (command === 'help') return [`Commands: ${commandNames.join(', ')}\n\n`]
    if (command === 'health') return [this.#healthLine(words[0])]
    if (command === 'stats') return [this.#stats()]
    if (command === 'config') return configLines(this.#options.config)
    const kind = kindOf(command)
    if (kind === undefined) return ['ERROR\n']
    return command.startsWith('del') ? this.#remove(kind, words) : this.#show(kind)
  }

  #healthLine(wanted = ''): string {
    if (/^(up|down)$/i.test(wanted)) this.#health = wanted.toLowerCase()
    return `health: ${this.#health}\n`
  }

  #stats(): string {
    const { clock, lastPacketMs, stats } = this.#options
    const seconds = (sinceMs: number) => Math.round((clock.now() - sinceMs) / 1000)
    return [
      `uptime: ${seconds(this.#startedMs)}`,
      `messages.last_msg_seen: ${seconds(lastPacketMs() ?? this.#startedMs)}`,
      `messages.bad_lines_seen: ${badStatsdLines(stats)}`,
      'END\n\n',
    ].join('\n')
  }

  *#show(kind: LineKind): Answer {
    let text = '{'
    let count = 0
    for (const series of this.#options.aggregate.now(kind)) {
      text += `${count === 0 ? ' ' : ',\n  '}${keyOf(series.name)}: ${figuresOf(kind, series)}`
      if (++count % seriesAtATime !== 0) continue
      yield text
      text = ''
    }
    yield `${text}${count === 0 ? '' : ' '}}\nEND\n\n`
  }

  *#remove(kind: keyof typeof kindNames, wanted: readonly string[]): Answer {
    for (const word of wanted) {
      const gone = this.#options.aggregate.forget(kind, isForgotten(word))
      this.#options.onForget?.(kind, gone)
      this.#options.onCommand?.({ kind: kindNames[kind], series: word })
      yield gone.length === 0 ? `metric ${word} not found\n` : gone.map((name) => `deleted: ${name}\n`).join('')
    }
    yield 'END\n\n'
  }
}

/** The kinds that can be shown and forgotten. */
const kindNames = { [counter]: 'counters', [gauge]: 'gauges', [timer]: 'timers' } as const satisfies Partial<
  Record<LineKind, ForgettableKind>
>

function kindOf(command: string): keyof typeof kindNames | undefined {
  const name = command.replace(/^del/, '')
  return ([counter, gauge, timer] as const).find((kind) => kindNames[kind] === name)
}

const commandNames = [
  'stats',
  'counters',
  'timers',
  'gauges',
  'delcounters',
  'deltimers',
  'delgauges',
  'health',
  'config',
  'quit',
]

/** A key as a JavaScript literal has it. */
function keyOf(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : `'${name.replace(/['\\]/g, '\\$&')}'`
}

function figuresOf(kind: LineKind, { value, seen }: SeriesNow): string {
  if (kind !== timer) return String(value)
  if (!seen) return '[]'
  const shown: number[] = []
  let all = 0
  seen.values.forEach((one, i) => {
    const count = seen.counts[i] as number
    all += count
    for (let n = 0; n < count && shown.length < valuesShownMax; n++) shown.push(one)
  })
  const more = all - shown.length
  return `[ ${shown.join(', ')}${more > 0 ? `, ... ${more} more items` : ''} ]`
}

/** Only what concerns ingest: other parts of the configuration may hold secrets. */
function configLines({ ingest }: Config): string[] {
  return Object.entries({ ...ingest }).flatMap(([key, value]) =>
    typeof value === 'object'
      ? Object.entries(value).map(([inner, one]) => `${key} > ${inner}: ${plain(one)}\n`)
      : [`${key}: ${plain(value)}\n`],
  )
}

function plain(value: unknown): string {
  return typeof value === 'object' && value !== null ? Object.values(value).join(':') : String(value)
}
