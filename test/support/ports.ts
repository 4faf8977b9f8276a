/** Ports of our own for tests that run side by side. */
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'

const given = new Set<number>()

/** A port on 127.0.0.1 that is free for both TCP and UDP; never the same twice in one process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const udpIsFree = await canBindUdp(port)
    server.close()
    await once(server, 'close')
    if (udpIsFree && !given.has(port)) {
      given.add(port)
      return port
    }
  }
}

async function canBindUdp(port: number): Promise<boolean> {
  const socket = dgram.createSocket('udp4')
  try {
    socket.bind(port, '127.0.0.1')
    await once(socket, 'listening')
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}
