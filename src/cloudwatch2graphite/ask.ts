/**
 * Ask: CloudWatch's API for one region, with its paging, its throttling and its ways to fail.
 *
 * The SDK is loaded with the first question, because it is heavy. It retries by itself a few times within a second; what
 * is still throttled or unreachable then is tried again with growing pauses of the Clock, a bounded number of times. What
 * would fail again (credentials, permissions, a wrong question) is not. Failures come as AskError.
 */
import type { CloudWatchClient, MetricDataResult } from '@aws-sdk/client-cloudwatch'
import { asDate, type Clock, sleep } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import type { Point } from './convert.ts'
import { batches, isPattern, matches, periodS, type Query, queriesPerRequestMax } from './query.ts'
import type { Watch } from './settings.ts'

const pausesMs: readonly number[] = [1000, 2000, 4000, 8000]
const connectTimeoutMs = 5000
const answerTimeoutMs = 20_000
/** Pages followed in one question. */
const pagesMax = 200

export class AskError extends Error {
  override name = 'AskError'
}

export interface AskOptions {
  region: string
  endpoint?: string
  clock: Clock
  stats: Stats
  signal: AbortSignal
}

export interface Answer {
  points: Point[]
  /** CloudWatch said itself that something is missing; rules must not take that for zero. */
  isPartial: boolean
  /** What CloudWatch remarked. */
  remarks: string[]
}

export class Asker {
  readonly #options: AskOptions
  #client: CloudWatchClient | undefined

  constructor(options: AskOptions) {
    this.#options = options
  }

  /** Points of all queries from `fromMs` up to, not including, `untilMs`. */
  async points(queries: readonly Query[], fromMs: number, untilMs: number): Promise<Answer> {
    const answer: Answer = { points: [], isPartial: false, remarks: [] }
    for (const batch of batches(queries, queriesPerRequestMax)) await this.#batch(batch, fromMs, untilMs, answer)
    return answer
  }

  /** The names that a watch asks for, patterns looked up. */
  async names({ namespace, dimension, names }: Watch): Promise<string[]> {
    const found = new Set(names.filter((name) => !isPattern(name)))
    const patterns = names.filter(isPattern)
    if (patterns.length === 0) return [...found]
    for (const name of await this.#discover(namespace, dimension)) {
      if (patterns.some((pattern) => matches(pattern, name))) found.add(name)
    }
    return [...found].sort()
  }

  close(): void {
    this.#client?.destroy()
  }

  /** A client keeps the credentials that it found; the next one looks again. */
  #forgetClient(): void {
    this.#client?.destroy()
    this.#client = undefined
  }

  async #batch(queries: readonly Query[], fromMs: number, untilMs: number, answer: Answer): Promise<void> {
    const { GetMetricDataCommand } = await import('@aws-sdk/client-cloudwatch')
    const statuses = new Map<string, string | undefined>()
    const question = {
      MetricDataQueries: queries.map(toMetricDataQuery),
      StartTime: asDate(fromMs),
      EndTime: asDate(untilMs),
      ScanBy: 'TimestampAscending' as const,
    }
    await this.#pages(async (client, NextToken) => {
      const page = await client.send(new GetMetricDataCommand({ ...question, NextToken }), this.#abort())
      for (const remark of page.Messages ?? []) answer.remarks.push(`${remark.Code}: ${remark.Value}`)
      for (const result of page.MetricDataResults ?? []) {
        statuses.set(result.Id ?? '', result.StatusCode)
        answer.points.push(...toPoints(result, queries))
      }
      return page.NextToken
    })
    // A series that ends as anything but Complete on its last page is missing points.
    if ([...statuses.values()].some((status) => status !== undefined && status !== 'Complete')) answer.isPartial = true
  }

  async #discover(namespace: string, dimension: string): Promise<Set<string>> {
    const { ListMetricsCommand } = await import('@aws-sdk/client-cloudwatch')
    const names = new Set<string>()
    const question = { Namespace: namespace, Dimensions: [{ Name: dimension }], RecentlyActive: 'PT3H' as const }
    await this.#pages(async (client, NextToken) => {
      const page = await client.send(new ListMetricsCommand({ ...question, NextToken }), this.#abort())
      for (const { Dimensions = [] } of page.Metrics ?? []) {
        // Finer series, such as one per availability zone, carry more dimensions.
        if (Dimensions.length === 1 && Dimensions[0]?.Value) names.add(Dimensions[0].Value)
      }
      return page.NextToken
    })
    return names
  }

  /** Follows NextToken, each page tried until it is answered or that is hopeless. */
  async #pages(
    ask: (client: CloudWatchClient, token: string | undefined) => Promise<string | undefined>,
  ): Promise<void> {
    const client = await this.#open()
    let token: string | undefined
    for (let page = 0; page < pagesMax; page++) {
      token = await this.#patiently(() => ask(client, token))
      if (token === undefined) return
    }
    throw new AskError(`an answer of more than ${pagesMax} pages`)
  }

  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    const { clock, signal, stats } = this.#options
    for (const pauseMs of [...pausesMs, undefined]) {
      try {
        return await ask()
      } catch (error) {
        const failure = explain(error as Failure)
        if (failure.isCredentials) this.#forgetClient()
        if (pauseMs === undefined || !failure.isPassing || signal.aborted)
          throw new AskError(failure.text, { cause: error })
        stats.count('retries_total')
        await sleep(pauseMs, clock, signal)
      }
    }
    throw new AskError('unreachable')
  }

  async #open(): Promise<CloudWatchClient> {
    if (this.#client) return this.#client
    const { region, endpoint, stats } = this.#options
    const { CloudWatchClient } = await import('@aws-sdk/client-cloudwatch')
    const client = new CloudWatchClient({
      region,
      ...(endpoint !== undefined && { endpoint }),
      requestHandler: { connectionTimeout: connectTimeoutMs, requestTimeout: answerTimeoutMs },
    })
    client.middlewareStack.add(
      (next) => async (request) => {
        stats.count('requests_total')
        try {
          return await next(request)
        } catch (error) {
          if (isThrottling(error as Failure)) stats.count('throttled_total')
          throw error
        }
      },
      { step: 'deserialize', priority: 'high', name: 'tocsinCounts' },
    )
    this.#client = client
    return client
  }

  #abort() {
    return { abortSignal: this.#options.signal }
  }
}

function toMetricDataQuery({ namespace, metric, dimension, dimensionValue, statistic }: Query, i: number) {
  const Dimensions = [{ Name: dimension, Value: dimensionValue }]
  return {
    Id: `q${i}`,
    MetricStat: { Metric: { Namespace: namespace, MetricName: metric, Dimensions }, Period: periodS, Stat: statistic },
    ReturnData: true,
  }
}

function toPoints({ Id = '', Timestamps = [], Values = [] }: MetricDataResult, queries: readonly Query[]): Point[] {
  const query = queries[Number(Id.slice(1))]
  if (!query) return []
  return Timestamps.flatMap((time, i) => {
    const value = Values[i]
    return value === undefined ? [] : [{ query, atMs: time.getTime(), value }]
  })
}

interface Failure extends Error {
  $metadata?: { httpStatusCode?: number }
  code?: string
}

function isThrottling({ name }: Failure): boolean {
  return /Throttl|TooManyRequests|RequestLimitExceeded|LimitExceeded/.test(name)
}

interface Explained {
  text: string
  /** Trying again soon makes sense. */
  isPassing: boolean
  isCredentials?: boolean
}

/** What an error of the SDK means for people. */
function explain(error: Failure): Explained {
  const status = error.$metadata?.httpStatusCode ?? 0
  const said = `${error.name}: ${error.message}`
  if (isThrottling(error)) return { text: `CloudWatch throttles our requests (${error.message})`, isPassing: true }
  if (/UnrecognizedClient|InvalidClientTokenId|Signature|ExpiredToken|AuthFailure|MissingAuth/.test(error.name)) {
    return { text: `CloudWatch refuses the credentials: ${said}`, isPassing: false, isCredentials: true }
  }
  if (error.name === 'CredentialsProviderError') {
    return { text: `there are no AWS credentials: ${error.message}`, isPassing: false, isCredentials: true }
  }
  if (status >= 400 && status < 500) return { text: `CloudWatch refuses: ${said}`, isPassing: false }
  return { text: `CloudWatch cannot be reached: ${error.message || error.code || error.name}`, isPassing: true }
}
