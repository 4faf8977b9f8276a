/**
 * Pool: the workers of one daemon and the part's own share (what comes over TCP), merged whenever somebody asks: at a flush
 * and before a management command looks. One source, one marker, one set of messages.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Context } from '../../bus/part.ts'
import type { Config, HostPort } from '../../runtime/config.ts'
import type { Stats } from '../../runtime/stats.ts'
import type { Aggregate } from '../aggregate.ts'
import type { BadLines } from '../bad-lines.ts'
import type { Happenings } from '../happenings.ts'
import { Merger, type Reported } from '../merge.ts'
import type { LineKind } from '../parse.ts'
import { checkBuffer, freeUdp, type Listener, udpSockets } from '../receive.ts'
import type { Senders } from '../senders.ts'
import { Shard } from '../shard.ts'
import type { StatsdIntake } from '../statsd.ts'
import type { Report } from './messages.ts'
import type { Rooms } from './rooms.ts'
import { Worker } from './worker.ts'

const key = 'ingest.statsd.udp'

export interface PoolOptions {
  config: Config
  context: Context
  stats: Stats
  badLines: BadLines
  senders: Senders
  rooms: Rooms | undefined
  /** What all shards add up to. */
  aggregate: Aggregate
}

/** Where reports go that are not series. */
export interface PoolTakers {
  intake: StatsdIntake
  happenings: Happenings
}

export class WorkerPool {
  /** The part's own share. */
  readonly own: Shard
  readonly #options: PoolOptions
  readonly #merger: Merger
  readonly #ownShard = 0
  #workers: Worker[] = []
  #takers: PoolTakers | undefined
  #late: { shard: number; report: Report }[] = []
  #gone: number[] = []
  #pulled: Promise<void> = Promise.resolve()

  constructor(options: PoolOptions) {
    const { config, badLines, aggregate, stats } = options
    const { seriesMax, statsd } = config.ingest
    this.#options = options
    this.own = new Shard({ seriesMax, tags: statsd.tags })
    this.#merger = new Merger(aggregate, (name, samples) =>
      badLines.sample(
        'series_refused_total',
        () => `no room for new series ${JSON.stringify(name)}: ingest.seriesMax, ${aggregate.seriesCount} are known`,
        samples,
      ),
    )
    stats.observe('workers', () => this.#workers.filter(({ isUp }) => isUp).length)
  }

  get workers(): readonly Worker[] {
    return this.#workers
  }

  get problem(): string | undefined {
    const down = this.#workers.filter(({ isUp }) => !isUp).length
    return down > 0 ? `${down} of ${this.#workers.length} workers are down and being started again` : undefined
  }

  /** Starts the workers, then takes the port. */
  async listen(address: HostPort, takers: PoolTakers): Promise<Listener> {
    this.#takers = takers
    const { config, context, stats, rooms } = this.#options
    const { workers: count, statsd, seriesMax, allow, perSourceLinesMax } = config.ingest
    const thread = {
      ingest: { statsd, seriesMax, allow, perSourceLinesMax },
      sockets: Math.ceil(udpSockets / count),
      rooms: rooms?.buffer,
    }
    const onLate = (shard: number, report: Report) => void this.#late.push({ shard, report })
    const onGone = (shard: number) => void this.#gone.push(shard)
    const { clock, log } = context
    this.#workers = Array.from(
      { length: count },
      (_, i) => new Worker({ name: `worker ${i + 1} of ${count}`, thread, clock, log, stats, onLate, onGone }),
    )
    try {
      await Promise.all(this.#workers.map((worker) => worker.start()))
      const free = await freeUdp(key, address)
      await Promise.all(this.#workers.map((worker) => worker.listen(free)))
      checkBuffer(key, Math.min(...this.#workers.map(({ grantedBytes }) => grantedBytes)), log, stats)
      return { address: free, close: () => this.#close() }
    } catch (error) {
      await Promise.all(this.#workers.map((worker) => worker.stop()))
      throw error
    }
  }

  /** Merges what has come so far into the aggregate's open interval. */
  pull(): Promise<void> {
    this.#pulled = this.#pulled.then(() => this.#pull((worker) => worker.report()))
    return this.#pulled
  }

  /** Series that were forgotten begin anew in the shards too. */
  forget(kind: LineKind, names: readonly string[]): void {
    this.own.forget(kind, names)
    for (const worker of this.#workers) worker.tell({ do: 'forget', kind, names })
  }

  forgetIdle(intervals: number): void {
    this.own.forgetIdle(intervals)
    for (const worker of this.#workers) worker.tell({ do: 'forget idle', intervals })
  }

  async #close(): Promise<void> {
    await this.#pulled
    await this.#pull((worker) => worker.stop())
  }

  async #pull(ask: (worker: Worker) => Promise<Report | undefined>): Promise<void> {
    const answers = await Promise.all(
      this.#workers.map(async (worker) => {
        const { shard } = worker
        return { shard, report: await ask(worker) }
      }),
    )
    const came = answers.filter((answer): answer is { shard: number; report: Report } => answer.report !== undefined)
    const reports = [...this.#late.splice(0), ...came]
    const shards: Reported[] = reports.map(({ shard, report }) => ({ shard, report: report.metrics }))
    shards.push({ shard: this.#ownShard, report: this.own.take() })
    const gone = this.#gone.splice(0)
    for (const _ of this.#merger.merge(shards, this.#options.context.clock.now())) await turn()
    for (const shard of gone) this.#merger.forgetShard(shard)
    for (const { report } of reports) this.#takeRest(report)
  }

  /** Everything in a report but its series. */
  #takeRest({ taken, senders, linesLimited, badLines, counts, timed, events, checks }: Report): void {
    const { stats } = this.#options
    this.#takers?.intake.addTaken(taken)
    this.#options.senders.addReport(senders, linesLimited)
    this.#options.badLines.addReport(badLines)
    for (const [name, by] of Object.entries(counts)) stats.count(name, by)
    for (const event of events) this.#takers?.happenings.addEvent(event)
    for (const check of checks) this.#takers?.happenings.addCheck(check)
    for (const { from, text } of timed) {
      this.#takers?.intake.takeRelayed(Buffer.from(text, 'latin1'), { address: from, port: 0 })
    }
  }
}
