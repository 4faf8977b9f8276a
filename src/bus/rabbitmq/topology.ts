/**
 * Topology: the names of what stands on the broker, and its declaration.
 *
 *     <exchange>                         durable topic exchange, everything of ours is published to it
 *     <exchange>.engine-log, .alerts-log streams, bound by the key of each kind they carry
 *     <exchange>.lock.<role>             quorum queue with a single active consumer; whoever it is holds the lock
 *     <exchange>.foreign.<exchange>      quorum queue bound to a foreign exchange
 *     <exchange>.set-aside               what could not be handled, for a person to look at
 *
 * The exchange's name is in front of every queue, so that several Tocsins can share a broker.
 */
import type { Channel, ConfirmChannel } from 'amqplib'
import { type LogName, logKinds } from '../../model/message.ts'
import { retentionOf } from '../retention.ts'
import type { Connection } from './connection.ts'

/** Retention works by whole segments, so they are small; the broker's default is 500 MB. */
const streamSegmentBytes = 32 * 1024 ** 2
/** What waits for a reader of a foreign exchange; beyond it the broker drops the oldest. */
const foreignBytesMax = 256 * 1024 ** 2
const setAsideMax = 1000

export interface Topology {
  exchange: string
  retentionMs: number
}

export function logQueue(topology: Topology, log: LogName): string {
  return `${topology.exchange}.${log}`
}

/** Declares the exchange and both logs. What exists already with other arguments stays as it is. */
export async function declareLogs(connection: Connection, channel: Channel, topology: Topology): Promise<void> {
  await channel.assertExchange(topology.exchange, 'topic', { durable: true })
  for (const log of Object.keys(logKinds) as LogName[]) {
    const queue = logQueue(topology, log)
    await declareQueue(connection, channel, queue, {
      'x-queue-type': 'stream',
      'x-max-age': `${Math.max(1, Math.ceil(retentionOf(log, topology.retentionMs) / 1000))}s`,
      'x-stream-max-segment-size-bytes': streamSegmentBytes,
    })
    for (const kind of logKinds[log]) {
      await channel.bindQueue(queue, topology.exchange, kind === 'clock' || kind === 'rules' ? kind : `${kind}.#`)
    }
  }
}

/** A lock's queue holds at most one token that is not taken. */
export async function declareLock(connection: Connection, channel: Channel, topology: Topology, role: string) {
  const queue = `${topology.exchange}.lock.${role}`
  await declareQueue(connection, channel, queue, {
    'x-queue-type': 'quorum',
    'x-single-active-consumer': true,
    'x-max-length': 1,
  })
  return queue
}

/** The queue that collects what is published to a foreign exchange, which is made when it is missing. */
export async function declareForeign(connection: Connection, channel: Channel, topology: Topology, exchange: string) {
  if (!(await exists(connection, (probe) => probe.checkExchange(exchange)))) {
    await channel.assertExchange(exchange, 'topic', { durable: true })
  }
  const setAside = `${topology.exchange}.set-aside`
  await declareQueue(connection, channel, setAside, { 'x-max-length': setAsideMax })
  const queue = `${topology.exchange}.foreign.${exchange}`
  await declareQueue(connection, channel, queue, {
    'x-queue-type': 'quorum',
    'x-max-length-bytes': foreignBytesMax,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': setAside,
  })
  await channel.bindQueue(queue, exchange, '#')
  return queue
}

/** Arguments of a queue cannot be changed; one that exists is used as it is, and the operator may give it a policy. */
async function declareQueue(connection: Connection, channel: Channel, queue: string, args: object): Promise<void> {
  if (await exists(connection, (probe) => probe.checkQueue(queue))) return
  await channel.assertQueue(queue, { durable: true, arguments: args })
}

/** Asks on a channel of its own, because a "no" closes the channel. Any other refusal is thrown. */
async function exists(connection: Connection, ask: (probe: ConfirmChannel) => Promise<unknown>): Promise<boolean> {
  const probe = await connection.channel()
  let reason: Error | undefined
  probe.on('error', (error: Error) => {
    reason = error
  })
  try {
    await ask(probe)
    await probe.close()
    return true
  } catch (error) {
    if (((reason ?? error) as { code?: unknown }).code === 404) return false
    throw reason ?? error
  }
}
