/**
 * Metrics: what a process tells statsd about itself, by the names that the dashboards and rules know.
 *
 *     browserid.<process>.response.<status>     counter, per request
 *     browserid.<process>.response_time         timer in ms, per request
 *     browserid.router.wsapi.<call>             counter, per known call
 *     browserid.<process>.query_time            timer in ms, per query
 *     browserid.<process>.failed_query          counter
 *     browserid.<process>.uncaught_exception    counter
 *
 * One UDP packet a metric, unbuffered. A service never suffers from being watched: sending has no failure that it sees.
 */
import { StatsD } from 'hot-shots'
import type { ProcessName, Settings } from './settings.ts'

export interface Metrics {
  response(status: number, durationMs: number): void
  wsapi(call: string): void
  query(durationMs: number): void
  failedQuery(): void
  uncaughtException(): void
  /** Resolves once what was handed over is sent. */
  close(): Promise<void>
}

export function createMetrics(name: ProcessName, { statsd }: Pick<Settings, 'statsd'>): Metrics {
  const client = new StatsD({
    ...statsd,
    prefix: `browserid.${name}.`,
    includeDataDogTags: false,
    errorHandler: () => {},
  })
  const timing = (stat: string, durationMs: number) => client.timing(stat, Math.round(durationMs * 10) / 10)
  return {
    response(status, durationMs) {
      timing('response_time', durationMs)
      client.increment(`response.${status}`)
    },
    wsapi: (call) => client.increment(`wsapi.${call}`),
    query: (durationMs) => timing('query_time', durationMs),
    failedQuery: () => client.increment('failed_query'),
    uncaughtException: () => client.increment('uncaught_exception'),
    close: () => new Promise((resolve) => client.close(() => resolve())),
  }
}
