/**
 * Checks: asks services how they are and puts the raw answers on the bus as `check:` series. What counts as down is a
 * rule's business.
 *
 *     checks/*.yaml (check-file, load) → when (schedule) → one probe (http) → results once a second → engine-log
 *
 * How long each probe took travels along as a timer, `checks.<name>.time`.
 */
import { BucketQueue } from '../bus/bucket-queue.ts'
import type { Context, Part } from '../bus/part.ts'
import { type BucketData, Source, sourceName } from '../bus/source.ts'
import { reportStatus } from '../bus/status.ts'
import type { CheckResult } from '../model/check.ts'
import { DistributionBuilder } from '../model/distribution.ts'
import { emptyMetrics, type MetricsMessage } from '../model/metric.ts'
import { bucketEnd } from '../model/time.ts'
import { aligned } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { formatProblem } from '../runtime/problem.ts'
import { Stats } from '../runtime/stats.ts'
import type { HttpCheck } from './check-file.ts'
import { loadChecks } from './load.ts'
import { Runner } from './run.ts'

/** Results go out this often, so a rule sees one within a second. */
const flushMs = 1000
const batchSeriesMax = 1000

export async function startChecks(config: Config, context: Context): Promise<Part> {
  const { bus, clock, log, host } = context
  const stats = new Stats()
  const checks = load(config, context)
  const source = new Source(bus, { name: sourceName('checks', host), startedMs: clock.now(), intervalMs: flushMs })
  const queue = new BucketQueue({ source, clock, log, stats })
  const runner = new Runner(clock, stats)
  let fileProblem: string | undefined
  runner.use(checks)
  const flush = (bucketMs: number) => {
    if (queue.isFull) return
    const results = runner.takeResults()
    const first = results[0]
    queue.push(bucketMs, bucketOf(results, source.id, bucketMs), first && { packetMs: first.atMs })
  }
  const ticks = aligned(flushMs, clock).subscribe(flush)
  const status = reportStatus('checks', context, stats, () => {
    const problem = fileProblem ?? queue.problem
    return { ready: true, lastBucketMs: source.lastBucketMs, ...(problem !== undefined && { problem }) }
  })
  return {
    async reload(changed) {
      try {
        runner.use(load(changed, context))
        fileProblem = undefined
      } catch (error) {
        fileProblem = `the changed check files are wrong, the former checks keep running: ${(error as Error).message}`
        throw error
      }
    },
    async stop() {
      ticks.unsubscribe()
      await runner.stop()
      const bucketMs = bucketEnd(clock.now(), flushMs)
      flush(bucketMs)
      await queue.end(bucketMs)
      status.unsubscribe()
    },
  }
}

/** All checks of the configuration, or an error that names every problem. */
function load(config: Config, { environment, log }: Context): HttpCheck[] {
  const loaded = loadChecks(config.checks, environment)
  if (!loaded.ok) throw new Error(`the checks are wrong\n${loaded.error.map(formatProblem).join('\n')}`)
  if (loaded.value.length === 0) log.info(`there are no checks in ${config.checks.join(', ')}`)
  return loaded.value
}

function bucketOf(results: readonly CheckResult[], source: string, bucketMs: number): BucketData {
  if (results.length === 0) return {}
  const metrics: MetricsMessage[] = []
  const durations = [...Map.groupBy(results, ({ name }) => name)]
  for (let first = 0; first < durations.length; first += batchSeriesMax) {
    const batch = durations.slice(first, first + batchSeriesMax)
    const names = batch.map(([name]) => `checks.${name}.time`)
    const distributions = batch.map(([, of]) => distributionOf(of))
    metrics.push({ ...emptyMetrics(source, bucketMs, flushMs), timers: { names, distributions } })
  }
  return { checks: results, metrics }
}

function distributionOf(results: readonly CheckResult[]) {
  const builder = new DistributionBuilder()
  for (const { durationMs } of results) builder.add(durationMs)
  return builder.build()
}
