/**
 * Repeat: passes every packet on as it came, so that Tocsin can be tried beside an old daemon.
 *
 * What comes over TCP goes on in datagrams of whole lines. Nothing waits for the other daemon: what the kernel does not
 * take is counted and dropped, and whoever does not listen is said once.
 */
import dgram from 'node:dgram'
import net from 'node:net'
import type { HostPort } from '../runtime/config.ts'
import { type Log, Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'

/** Bytes that may wait for the kernel. */
export const queueBytesMax = 8 * 1024 ** 2
/** Of a datagram made from lines that came over TCP; longer lines go on by themselves. */
const datagramBytesMax = 1432
const newline = 0x0a

export interface Repeater {
  packet(bytes: Buffer): void
  /** Whole lines of a stream. */
  lines(bytes: Buffer): void
  close(): Promise<void>
}

export function openRepeater({ host, port }: HostPort, log: Log, stats: Stats): Repeater {
  const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4')
  const situation = new Situation(log)
  const failed = (error: Error) => {
    stats.count('repeat_errors_total')
    situation.bad(`ingest.statsd.repeat: ${host}:${port} does not take packets: ${error.message}`)
  }
  socket.on('error', failed)
  socket.unref()
  const packet = (bytes: Buffer) => {
    if (socket.getSendQueueSize() + bytes.length > queueBytesMax) return stats.count('repeat_dropped_total')
    socket.send(bytes, port, host, (error) => {
      if (error) return failed(error)
      stats.count('packets_repeated_total')
      situation.good(`ingest.statsd.repeat: ${host}:${port} takes packets again`)
    })
  }
  return {
    packet,
    lines: (bytes) => inDatagrams(bytes).forEach(packet),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

/** Cuts lines into pieces of at most `datagramBytesMax` where there are newlines. */
export function inDatagrams(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  let start = 0
  while (start < bytes.length) {
    const cut = bytes.lastIndexOf(newline, start + datagramBytesMax - 1) + 1
    const next = bytes.indexOf(newline, start) + 1
    const end = bytes.length - start <= datagramBytesMax ? bytes.length : cut > start ? cut : next || bytes.length
    pieces.push(bytes.subarray(start, end))
    start = end
  }
  return pieces
}
