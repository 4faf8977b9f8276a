/** A TCP proxy between a client and a real server, to break the connection the way networks do. */
import { once } from 'node:events'
import net from 'node:net'

export interface TcpProxy {
  host: string
  port: number
  /** Connections open now. */
  readonly connections: number
  /** Connections accepted so far. */
  readonly accepted: number
  /** Resets every connection; new ones are accepted. */
  cut(): void
  /** Refuses (resets at once) new connections and cuts the present ones, until `allow`. */
  refuse(): void
  allow(): void
  /** Passes nothing on, in either direction, with the sockets open, until `thaw`. */
  freeze(): void
  thaw(): void
  close(): Promise<void>
}

export async function startTcpProxy(targetHost: string, targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<[net.Socket, net.Socket]>()
  let refusing = false
  let frozen = false
  let accepted = 0
  const server = net.createServer((client) => {
    accepted++
    if (refusing) return void client.on('error', () => {}).resetAndDestroy()
    const target = net.connect(targetPort, targetHost)
    const pair: [net.Socket, net.Socket] = [client, target]
    pairs.add(pair)
    join(client, target)
    join(target, client)
    if (frozen) for (const socket of pair) socket.pause()
  })
  const join = (from: net.Socket, to: net.Socket) => {
    from.setNoDelay(true)
    from.on('data', (bytes) => {
      if (!to.write(bytes)) from.pause()
    })
    to.on('drain', () => {
      if (!frozen) from.resume()
    })
    from.on('error', () => {})
    from.on('close', () => {
      to.destroy()
      for (const pair of pairs) if (pair.includes(from)) pairs.delete(pair)
    })
  }
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: '127.0.0.1',
    port: (server.address() as net.AddressInfo).port,
    get connections() {
      return pairs.size
    },
    get accepted() {
      return accepted
    },
    cut,
    refuse: () => {
      refusing = true
      cut()
    },
    allow: () => {
      refusing = false
    },
    freeze: () => {
      frozen = true
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    thaw: () => {
      frozen = false
      for (const pair of pairs) for (const socket of pair) socket.resume()
    },
    close: async () => {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
