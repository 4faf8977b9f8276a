/**
 * Graphite: what crosses the bus, written to carbon every `flushInterval` as etsy's statsd would have.
 *
 *     engine-log → forward (merge, name, repeat what is idle) → spool (files) → send → carbon
 *
 * The offset to read from after a restart is saved after the lines are in the spool: a killed forwarder writes some lines
 * again, which carbon overwrites, and misses none.
 */
import path from 'node:path'
import type { LogEntry } from '../bus/bus.ts'
import type { Context, Part } from '../bus/part.ts'
import { reportStatus } from '../bus/status.ts'
import type { Config } from '../runtime/config.ts'
import { Situation } from '../runtime/log.ts'
import { Stats } from '../runtime/stats.ts'
import { type Chunk, Forwarder } from './forward.ts'
import { outputOf } from './output.ts'
import { orAfter, Sender } from './send.ts'
import { Spool } from './spool.ts'
import { StateFiles } from './state.ts'

/** How often the memory of idle series is saved; a restart reads the log from there. */
const idleSaveMs = 60_000
/** How long an orderly stop waits for what is in the log already. */
const catchUpWaitMs = 2000

export async function startGraphite(config: Config, context: Context): Promise<Part> {
  if (!config.graphite) return { stop: async () => {} }
  const { carbon, flushInterval: flushMs, spoolBytesMax: bytesMax, statsd } = config.graphite
  const { bus, clock, log } = context
  const stats = new Stats()
  const disk = new Situation(log)
  const onDisk = (problem: string | undefined) => {
    if (problem === undefined) disk.good('the spool is written to disk again')
    else disk.bad(`the disk refuses (${problem}); lines wait in memory, a restart would lose them`)
  }
  const files = new StateFiles(path.join(config.data, 'graphite'))
  const position = files.readPosition()
  const output = outputOf(statsd, flushMs)
  const { seriesMax } = config.ingest
  const forwarder = new Forwarder({ flushMs, seriesMax, stats, output, ...(position && { position }) })
  const idleOffset = files.readIdle(forwarder.idle)
  const spool = new Spool({ dir: path.join(config.data, 'spool'), bytesMax, stats, onDisk })
  const sender = new Sender({ carbon, spool, clock, log, stats })
  let idleSavedMs = clock.now()

  const handOver = async (chunks: Iterable<Chunk>) => {
    for (const chunk of chunks) {
      await spool.append(chunk)
      sender.wake()
      await sender.room()
    }
    await files.writePosition(forwarder.position).catch((error: Error) => onDisk(error.message))
  }
  const saveIdle = async () => {
    idleSavedMs = clock.now()
    const { firstOffset } = forwarder.position
    await files.writeIdle(forwarder.idle, firstOffset).catch((error: Error) => onDisk(error.message))
  }
  const handle = async (entry: LogEntry) => {
    forwarder.take(entry)
    if (!forwarder.isDue) return
    await handOver(forwarder.drain())
    if (clock.now() - idleSavedMs >= idleSaveMs) await saveIdle()
  }
  const from = position && idleOffset !== undefined ? Math.min(position.firstOffset, idleOffset) : 'first'
  const reader = bus.readLog('engine-log', from, handle, {
    lost: (wanted, first) => {
      if (first < wanted) {
        log.warn(`the log ends before ${wanted}, where we stood; it is another one and is read from its beginning`)
        forwarder.beginAnew()
        return
      }
      stats.count('log_messages_lost_total', first - wanted)
      log.warn(`the log begins at ${first}, wanted from ${wanted}: what is between is not in Graphite`)
    },
    bad: () => stats.count('bad_messages_total'),
  })
  const status = reportStatus('graphite', context, stats, () => {
    const problem = sender.problem ?? disk.problem
    return { ready: true, lastBucketMs: forwarder.position.writtenMs, ...(problem !== undefined && { problem }) }
  })
  return {
    async reload(next) {
      if (next.graphite) sender.moveTo(next.graphite.carbon)
    },
    async stop() {
      await orAfter(catchUpWaitMs, reader.caughtUp(), clock)
      await reader.stop()
      await handOver(forwarder.drain())
      await saveIdle()
      for (const chunk of forwarder.partial()) await spool.append(chunk)
      await sender.stop()
      status.unsubscribe()
    },
  }
}
