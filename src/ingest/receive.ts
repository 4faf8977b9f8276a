/**
 * Receive: the sockets. Bytes go to a callback with their sender; what went wrong when opening names the key of the
 * configuration that asked for it.
 */
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { HostPort } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { LineBuffer } from './lines.ts'
import { lineBytesMax } from './parse.ts'
import type { Sender } from './statsd.ts'

/** Bytes that the kernel may hold for us while we are busy. */
export const receiveBufferBytes = 8 * 1024 ** 2
/** Sockets on one UDP port; senders are shared out among them by their own address and port. */
export const udpSockets = 4
/** Turns of the event loop in which a socket that is closed is emptied before; each reads up to 32 packets. */
const emptyTurnsMax = 10_000
const connectionsAtATime = 1000

export interface Listener {
  /** As bound; a port 0 in the configuration has become a real one. */
  address: HostPort
  close(): Promise<void>
}

export interface ListenOptions {
  /** The key of the configuration, for messages. */
  key: string
  address: HostPort
  log: Log
  stats: Stats
  /** Whether an address may connect; everyone by default. */
  mayConnect?: (address: string) => boolean
  /** Connections at a time. */
  connectionsMax?: number
}

/** Sockets that share a port. */
export interface BoundUdp {
  address: HostPort
  /** Receive buffer of each, as the kernel granted it. */
  grantedBytes: number
  close(): Promise<void>
}

type OnPacket = (packet: Buffer, sender: Sender) => void

/**
 * Listens for packets, with several sockets on one port where the kernel can share it out: each has a buffer of its own,
 * and what one process may ask for is bounded by the kernel for each socket.
 */
export async function listenUdp({ key, address, log, stats }: ListenOptions, onPacket: OnPacket): Promise<Listener> {
  const free = await freeUdp(key, address)
  const bound = await bindUdp(key, free, canShare ? udpSockets : 1, onPacket, log)
  checkBuffer(key, bound.grantedBytes, log, stats)
  return bound
}

/** Whether sockets of several threads may share a port here. */
export const canShare = process.platform === 'linux'

/**
 * The address with a real port, once nobody else listens there: sockets that share a port would share it with another
 * daemon's, unsaid.
 */
export async function freeUdp(key: string, address: HostPort): Promise<HostPort> {
  const probe = udpSocket(address, false)
  await opened(key, address, probe, () => probe.bind(address.port, address.host))
  const { address: host, port } = probe.address()
  await closed(probe)
  return { host, port }
}

/** Binds `count` sockets to one address, together with those of other threads. */
export async function bindUdp(
  key: string,
  address: HostPort,
  count: number,
  onPacket: OnPacket,
  log: Log,
): Promise<BoundUdp> {
  const sockets: dgram.Socket[] = []
  const close = async () => void (await Promise.all(sockets.map(closed)))
  try {
    for (let i = 0; i < count; i++) {
      const socket = udpSocket(address, canShare)
      sockets.push(socket)
      await opened(key, address, socket, () => socket.bind(address.port, address.host))
      socket.on('message', onPacket)
      socket.on('error', (error) => log.error(`${key}: ${error.message}`))
    }
  } catch (error) {
    await close()
    throw error
  }
  const emptied = async () => {
    await empty(sockets)
    await close()
  }
  // Linux reports twice what it grants, for its own bookkeeping.
  const grantedBytes = (sockets[0]?.getRecvBufferSize() ?? 0) / (process.platform === 'linux' ? 2 : 1)
  return { address, grantedBytes, close: emptied }
}

/** Lets what stands in the kernel's buffers be read, as long as that is not for ever. */
async function empty(sockets: readonly dgram.Socket[]): Promise<void> {
  let came = 0
  for (const socket of sockets) socket.on('message', () => came++)
  for (let turns = 0, quiet = 0; turns < emptyTurnsMax && quiet < 2; turns++) {
    came = 0
    await turn()
    quiet = came === 0 ? quiet + 1 : 0
  }
}

/** Shows what the kernel grants, and warns when it is less than was asked for. */
export function checkBuffer(key: string, grantedBytes: number, log: Log, stats: Stats): void {
  stats.set(key === 'ingest.statsd.udp' ? 'receive_buffer_kib' : 'graphite_receive_buffer_kib', grantedBytes / 1024)
  if (grantedBytes >= receiveBufferBytes) return
  log.warn(
    `${key}: the kernel grants a receive buffer of ${kib(grantedBytes)} where ${kib(receiveBufferBytes)} were asked for`,
    { help: `sysctl -w net.core.rmem_max=${receiveBufferBytes}` },
  )
}

function udpSocket({ host }: HostPort, reusePort: boolean): dgram.Socket {
  const type = net.isIPv6(host) ? 'udp6' : 'udp4'
  return dgram.createSocket({ type, recvBufferSize: receiveBufferBytes, reusePort })
}

function closed(socket: dgram.Socket): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(() => resolve())
    } catch {
      // It was never opened.
      resolve()
    }
  })
}

/** Listens for connections that send lines; `onLines` gets whole lines, and each connection's last one without newline. */
export function listenTcpLines(
  options: ListenOptions,
  onLines: (lines: Buffer, sender: Sender) => void,
  onTooLong: (beginning: Buffer, sender: Sender) => void,
): Promise<Listener> {
  return listenTcp(options, (socket, sender) => {
    const buffer = new LineBuffer(lineBytesMax, (beginning) => onTooLong(beginning, sender))
    const deliver = (lines: Buffer) => lines.length > 0 && onLines(lines, sender)
    socket.on('data', (chunk: Buffer) => deliver(buffer.push(chunk)))
    socket.on('close', () => deliver(buffer.end()))
    // The sender has nothing more to say; so have we.
    socket.on('end', () => socket.end())
  })
}

/** Listens for connections, which stay open for our side when the other has ended; closing destroys those that are left. */
export async function listenTcp(
  { key, address, log, stats, mayConnect, connectionsMax = connectionsAtATime }: ListenOptions,
  onConnection: (socket: net.Socket, sender: Sender) => void,
): Promise<Listener> {
  const open = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const sender = { address: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 }
    if (mayConnect?.(sender.address) === false) return socket.destroy()
    open.add(socket)
    socket.setKeepAlive(true, 60_000)
    socket.on('error', () => stats.count('tcp_errors_total'))
    socket.on('close', () => open.delete(socket))
    onConnection(socket, sender)
  })
  server.maxConnections = connectionsMax
  server.on('drop', () => stats.count('tcp_connections_refused_total'))
  await opened(key, address, server, () => server.listen(address.port, address.host))
  server.on('error', (error) => log.error(`${key}: ${error.message}`))
  const { address: host, port } = server.address() as net.AddressInfo
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of open) socket.destroy()
    await closed
  }
  return { address: { host, port }, close }
}

/** Waits until `emitter` listens; a refusal becomes one sentence with the key. */
async function opened(
  key: string,
  { host, port }: HostPort,
  emitter: dgram.Socket | net.Server,
  open: () => void,
): Promise<void> {
  try {
    const listening = once(emitter, 'listening')
    open()
    await listening
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    throw new Error(`${key}: cannot listen on ${host}:${port}: ${refusals[code] ?? (error as Error).message}`)
  }
}

const refusals: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; is another statsd, or another Tocsin, running?',
  EACCES: 'this user may not open that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no such host',
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`
}
