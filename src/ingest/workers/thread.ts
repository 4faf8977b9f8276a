/**
 * Thread: one worker. Its sockets share the port with the other threads'; what it takes is kept until it is asked for.
 *
 * Bad lines are counted and described here, and shown by the part, which knows what the others have shown. Rare things
 * (lines with a time of their own, events, check results) are handed over as they are.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../runtime/clock.ts'
import type { Log, LogLevel } from '../../runtime/log.ts'
import { Stats } from '../../runtime/stats.ts'
import { BadLineTally } from '../bad-lines.ts'
import { checkResultsMax, eventsMax } from '../happenings.ts'
import { counter, type Line } from '../parse.ts'
import { type BoundUdp, bindUdp } from '../receive.ts'
import { openRepeater } from '../repeat.ts'
import { Senders } from '../senders.ts'
import { buffersOf, Shard } from '../shard.ts'
import { StatsdIntake } from '../statsd.ts'
import { setAside } from '../timed.ts'
import type { FromThread, Report, ThreadOptions, ToThread } from './messages.ts'
import { Rooms } from './rooms.ts'

/** Lines with a time of their own between two reports; more are refused. */
const timedMax = 100_000

const port = parentPort
if (!port) throw new Error('a worker of ingest is started by ingest')
const tell = (message: FromThread, given: ArrayBuffer[] = []) => port.postMessage(message, given)

const { ingest, sockets, rooms } = workerData as ThreadOptions
const { statsd, seriesMax, allow, perSourceLinesMax } = ingest
const log = relayedLog()
const clock = systemClock
/** Counters that nobody else counts. */
const stats = new Stats()
const reported = new Map<string, number>()
const shard = new Shard({ seriesMax, tags: statsd.tags })
const badLines = new BadLineTally()
const senders = new Senders({
  // They are counted by address in reports; the part decides which have names.
  stats: new Stats(),
  allow,
  linesMax: perSourceLinesMax,
  namedMax: Number.POSITIVE_INFINITY,
  ...(rooms && { rooms: new Rooms(perSourceLinesMax ?? 0, rooms) }),
})
const kept = {
  timed: [] as Report['timed'][number][],
  events: [] as Report['events'][number][],
  checks: [] as Report['checks'][number][],
}
const intake = new StatsdIntake({
  aggregate: shard,
  timed: { add: keepTimed },
  happenings: {
    addEvent: (event) => keep(kept.events, { atMs: clock.now(), ...event }, eventsMax, 'events_refused_total'),
    addCheck: ({ name, state, output, atMs = clock.now() }) =>
      keep(kept.checks, { name, state, output, atMs }, checkResultsMax, 'check_results_refused_total'),
  },
  senders,
  badLines,
  clock,
  stats: new Stats(),
})
const repeater = statsd.repeat && openRepeater(statsd.repeat, log, stats)
let bound: BoundUdp | undefined

port.on('message', (message: ToThread) => {
  if (message.do === 'report') report()
  else if (message.do === 'forget') shard.forget(message.kind, message.names)
  else if (message.do === 'forget idle') shard.forgetIdle(message.intervals)
  else if (message.do === 'listen') void listen(message)
  else void stop()
})
tell({ did: 'start' })

async function listen({ address }: Extract<ToThread, { do: 'listen' }>): Promise<void> {
  try {
    bound = await bindUdp(
      'ingest.statsd.udp',
      address,
      sockets,
      (packet, sender) => {
        if (intake.take(packet, sender)) repeater?.packet(packet)
      },
      log,
    )
    tell({ did: 'listen', grantedBytes: bound.grantedBytes })
  } catch (error) {
    tell({ did: 'fail', message: (error as Error).message })
  }
}

async function stop(): Promise<void> {
  await bound?.close()
  await repeater?.close()
  report()
  port?.close()
}

function report(): void {
  const metrics = shard.take()
  stats.count('set_members_refused_total', shard.takeMembersRefused())
  const { timed, events, checks } = kept
  kept.timed = []
  kept.events = []
  kept.checks = []
  const whole: Report = {
    metrics,
    taken: intake.takeTaken(),
    ...senders.takeReport(),
    badLines: badLines.take(),
    counts: grownCounts(),
    timed,
    events,
    checks,
  }
  tell({ did: 'report', report: whole }, buffersOf(metrics))
}

function grownCounts(): Record<string, number> {
  const grown: Record<string, number> = {}
  for (const [name, value] of Object.entries(stats.snapshot())) {
    const by = value - (reported.get(name) ?? 0)
    if (by !== 0) grown[name] = by
    reported.set(name, value)
  }
  return grown
}

function keep<T>(list: T[], one: T, max: number, counter: string): void {
  if (list.length < max) list.push(one)
  else stats.count(counter)
}

/** Written anew, because a packed line is taken value by value. */
function keepTimed(bytes: Buffer, line: Line, from: string): number {
  if (kept.timed.length >= timedMax) {
    stats.count('points_refused_total')
    return setAside
  }
  const { nameStart, nameEnd, valueStart, valueEnd, tagsStart, tagsEnd, sampleRate } = line
  const text = (start: number, end: number) => bytes.toString('latin1', start, end)
  const tags = tagsEnd > tagsStart ? `|#${text(tagsStart, tagsEnd)}` : ''
  const type = line.kind === counter ? `c|@${sampleRate}` : 'g'
  const written = `${text(nameStart, nameEnd)}:${text(valueStart, valueEnd)}|${type}${tags}|T${line.timestampSeconds}`
  kept.timed.push({ from, text: written })
  return 0
}

function relayedLog(): Log {
  const at = (level: LogLevel) => (message: string, fields?: object) =>
    tell({ did: 'log', level, message, ...(fields && { fields }) })
  const relayed: Log = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => relayed,
  }
  return relayed
}
