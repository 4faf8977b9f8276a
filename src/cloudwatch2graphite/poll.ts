/**
 * Poll: one region's turn, every interval. Each region is a source of its own, so that one that cannot be asked makes only
 * its own series blind.
 *
 *     names (given or discovered) → queries → points → what is new → bus, then the marker
 *
 * The marker follows only an answer that is whole. After one that failed or was partial (what there is, is published) no
 * marker goes out: after five such intervals the source is dead to rules, so nothing missing is ever taken for zero.
 */
import type { Context } from '../bus/part.ts'
import { Source, sourceName } from '../bus/source.ts'
import { Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { AskError, Asker } from './ask.ts'
import { convert, type Published } from './convert.ts'
import { doubles, periodS, type Query, queriesMax, queriesOf } from './query.ts'
import type { Settings, Watch } from './settings.ts'

/** How often names with a star are looked up again. */
const discoverEveryMs = 10 * 60_000

export interface RegionOptions {
  region: string
  endpoint?: string
  intervalMs: number
  settings: Settings
  context: Context
  stats: Stats
  signal: AbortSignal
}

export class Region {
  settings: Settings
  readonly #options: RegionOptions
  readonly #source: Source
  readonly #asker: Asker
  readonly #situation: Situation
  #published: Published = new Map()
  #queries: { queries: Query[]; settings: Settings; atMs: number } | undefined
  /** Which wanted series are not asked for, for people. */
  #notAsked: string | undefined

  constructor(options: RegionOptions) {
    const { region, endpoint, intervalMs, settings, context, stats, signal } = options
    const { bus, clock, host, log } = context
    this.settings = settings
    this.#options = options
    const name = sourceName(`cloudwatch-${region}`, host)
    this.#source = new Source(bus, { name, startedMs: clock.now(), intervalMs, latenessMs: settings.lateness })
    this.#asker = new Asker({ region, clock, stats, signal, ...(endpoint !== undefined && { endpoint }) })
    this.#situation = new Situation(log)
  }

  get problem(): string | undefined {
    return this.#situation.problem
  }

  get lastBucketMs(): number {
    return this.#source.lastBucketMs
  }

  /** Asks once and publishes; never rejects. */
  async poll(): Promise<void> {
    const { stats, region, signal } = this.#options
    stats.count('polls_total')
    try {
      const remark = await this.#poll()
      if (remark === undefined) this.#situation.good(`${region} answers again`)
      else this.#situation.bad(`${region}: ${remark}`)
    } catch (error) {
      if (signal.aborted) return
      stats.count('errors_total')
      const text =
        error instanceof AskError ? error.message : `the answer cannot be published: ${(error as Error).message}`
      this.#situation.bad(`${region}: ${text}; trying again every interval`)
    }
  }

  async stop(): Promise<void> {
    this.#asker.close()
    const marked = this.#source.lastBucketMs
    if (marked > 0) await this.#source.bye(marked + this.settings.lateness).catch(() => {})
  }

  /** Returns what is wrong with an answer that came. */
  async #poll(): Promise<string | undefined> {
    const { context, stats } = this.#options
    const packetMs = context.clock.now()
    const queries = await this.#currentQueries(packetMs)
    const untilMs = Math.floor(packetMs / (periodS * 1000)) * periodS * 1000
    const sinceMs = untilMs - this.settings.lookBack
    const { points, isPartial, remarks } = await this.#asker.points(queries, sinceMs, untilMs)
    // What the first answer brings from further back than rules look is history: for Graphite only.
    const markedMs = this.#source.lastBucketMs || untilMs - this.settings.lateness - periodS * 1000
    const converted = convert(this.#source.id, points, this.#published, { markedMs, sinceMs })
    await this.#publish(untilMs, converted.messages, packetMs, isPartial)
    this.#published = converted.published
    stats.count('points_total', converted.points)
    stats.count('late_points_total', converted.late)
    if (isPartial) stats.count('partial_answers_total')
    if (remarks.length > 0) return `CloudWatch remarks: ${[...new Set(remarks)].join('; ')}`
    if (isPartial) return 'CloudWatch gave only part of the points'
    return this.#notAsked
  }

  async #publish(untilMs: number, metrics: Converted['messages'], packetMs: number, isPartial: boolean): Promise<void> {
    const { bus, clock } = this.#options.context
    if (!isPartial) return this.#source.flush(untilMs, { metrics }, { packetMs, flushMs: clock.now() })
    await Promise.all(metrics.map((message) => bus.publish(`metrics.${this.#source.id}`, message, { packetMs })))
  }

  async #currentQueries(nowMs: number): Promise<Query[]> {
    const known = this.#queries
    if (known && known.settings === this.settings && nowMs - known.atMs < discoverEveryMs) return known.queries
    const { region, stats } = this.#options
    const { settings } = this
    const isHere = ({ regions }: Watch) => regions === undefined || regions.includes(region)
    const queries: Query[] = []
    for (const watch of settings.watch.filter(isHere)) queries.push(...queriesOf(watch, await this.#asker.names(watch)))
    const repeated = new Set(doubles(queries))
    const wanted = queries.filter((query) => !repeated.has(query))
    this.#notAsked = whyNotAsked(wanted.length, repeated)
    stats.count('queries_refused_total', repeated.size + Math.max(0, wanted.length - queriesMax))
    stats.set(`series{region="${region}"}`, Math.min(wanted.length, queriesMax))
    this.#queries = { queries: wanted.slice(0, queriesMax), settings, atMs: nowMs }
    return this.#queries.queries
  }
}

function whyNotAsked(wanted: number, repeated: ReadonlySet<Query>): string | undefined {
  const [double] = repeated
  if (double) {
    const { dimensionValue, graphiteName } = double
    return `${dimensionValue} is not asked for: another has the same name in Graphite or rules, ${graphiteName}`
  }
  return wanted > queriesMax ? `more than ${queriesMax} series are wanted; the rest is not asked for` : undefined
}

type Converted = ReturnType<typeof convert>
