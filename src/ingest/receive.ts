/**
 * Receive: the sockets. Bytes go to a callback with their sender; what went wrong when opening names the key of the
 * configuration that asked for it.
 */
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import type { HostPort } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { LineBuffer } from './lines.ts'
import { lineBytesMax } from './parse.ts'
import type { Sender } from './statsd.ts'

/** Bytes that the kernel may hold for us while we are busy. */
export const receiveBufferBytes = 8 * 1024 ** 2
/** Sockets on one UDP port; senders are shared out among them by their own address and port. */
const udpSockets = 4
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

/**
 * Listens for packets, with several sockets on one port where the kernel can share it out: each has a buffer of its own,
 * and what one process may ask for is bounded by the kernel for each socket.
 */
export async function listenUdp(
  { key, address, log }: ListenOptions,
  onPacket: (packet: Buffer, sender: Sender) => void,
): Promise<Listener> {
  // Alone at first: sockets that share a port would share it with another daemon's, unsaid.
  const probe = udpSocket(address, false)
  await opened(key, address, probe, () => probe.bind(address.port, address.host))
  const { address: host, port } = probe.address()
  if (process.platform !== 'linux') return packets([probe], { host, port }, key, log, onPacket)
  await closed(probe)
  const sockets: dgram.Socket[] = []
  try {
    for (let i = 0; i < udpSockets; i++) {
      const socket = udpSocket(address, true)
      sockets.push(socket)
      await opened(key, { host, port }, socket, () => socket.bind(port, host))
    }
  } catch (error) {
    await Promise.all(sockets.map(closed))
    throw error
  }
  return packets(sockets, { host, port }, key, log, onPacket)
}

function packets(
  sockets: readonly dgram.Socket[],
  address: HostPort,
  key: string,
  log: Log,
  onPacket: (packet: Buffer, sender: Sender) => void,
): Listener {
  for (const socket of sockets) {
    socket.on('message', onPacket)
    socket.on('error', (error) => log.error(`${key}: ${error.message}`))
  }
  // Linux reports twice what it grants, for its own bookkeeping.
  const granted = (sockets[0]?.getRecvBufferSize() ?? 0) / (process.platform === 'linux' ? 2 : 1)
  if (granted < receiveBufferBytes) {
    log.warn(
      `${key}: the kernel grants a receive buffer of ${kib(granted)} where ${kib(receiveBufferBytes)} were asked for`,
      { help: `sysctl -w net.core.rmem_max=${receiveBufferBytes}` },
    )
  }
  return { address, close: async () => void (await Promise.all(sockets.map(closed))) }
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
