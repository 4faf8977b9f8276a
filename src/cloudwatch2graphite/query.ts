/**
 * Query: what to ask one region for. Pure; names that settings leave to discovery are given.
 *
 * Every series is known by three names:
 *
 *     to CloudWatch   namespace, metric, dimension = name, statistic
 *     to Graphite     aws.elb.<name>.healthyhostcount.sum.count     name.metric.statistic.unit, lower case but the name
 *     to rules        aws:elb.<name>.healthyhostcount               with .<statistic> when the metric has more than one
 *
 * `<name>` is what `rename` says, or CloudWatch's with every character that Graphite gives a meaning made an underscore. To
 * rules a name is always one level (`prod.browserid` is `prod_browserid`), so that `aws:elb.{name}.requestcount` means
 * every load balancer, whatever it is called in Graphite.
 */
import type { Metric, Watch } from './settings.ts'

export const queriesPerRequestMax = 500
/** Queries of one region and poll; each costs money. What is beyond is counted and not asked. */
export const queriesMax = 20_000
export const periodS = 60

export interface Query {
  namespace: string
  metric: string
  dimension: string
  dimensionValue: string
  statistic: string
  /** The column it travels in. */
  kind: 'count' | 'gauge'
  series: string
  graphiteName: string
}

/** All queries for the given names of one watch. */
export function queriesOf(watch: Watch, names: readonly string[]): Query[] {
  return names.flatMap((name) => watch.metrics.flatMap((metric) => metricQueries(watch, name, metric)))
}

function metricQueries({ namespace, dimension, rename }: Watch, name: string, metric: Metric): Query[] {
  const lasting = (Object.hasOwn(rename, name) && rename[name]) || part(name)
  const group = part(namespace.replace(/^AWS\//, '').toLowerCase())
  const what = part(metric.name.toLowerCase())
  return metric.statistics.map((statistic) => {
    const ending = part(statistic.toLowerCase())
    return {
      namespace,
      metric: metric.name,
      dimension,
      dimensionValue: name,
      statistic,
      kind: statistic === 'Sum' ? metric.kind : 'gauge',
      series: `aws:${group}.${part(lasting)}.${what}${metric.statistics.length > 1 ? `.${ending}` : ''}`,
      graphiteName: `aws.${group}.${lasting}.${what}.${ending}.${part(metric.unit.toLowerCase())}`,
    }
  })
}

/** Queries with a series or a Graphite name that an earlier one has; two things cannot be one graph. */
export function doubles(queries: readonly Query[]): Query[] {
  const taken = new Set<string>()
  return queries.filter(({ series, graphiteName }) => {
    const isDouble = taken.has(series) || taken.has(graphiteName)
    taken.add(series).add(graphiteName)
    return isDouble
  })
}

/** One level of a Graphite name. */
function part(text: string): string {
  return text.replace(/[^\w-]+/g, '_')
}

export function batches<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}

/** `api-*` as names are written in the settings: a star stands for any characters. */
export function isPattern(name: string): boolean {
  return name.includes('*')
}

export function matches(pattern: string, name: string): boolean {
  const literal = pattern.split('*').map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${literal.join('.*')}$`).test(name)
}
