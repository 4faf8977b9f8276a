/** An HTTP server that keeps what is posted to it and answers as told. */
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface Posted {
  headers: http.IncomingHttpHeaders
  body: Buffer
  path: string
}

export interface HookServer {
  url: string
  posts: Posted[]
  connections: number
  /** Answers one request; by default 204. */
  answer: (request: Posted, response: http.ServerResponse) => void
  dropConnections(): void
  close(): Promise<void>
}

export async function startHook(): Promise<HookServer> {
  const sockets = new Set<Socket>()
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const posted = { headers: request.headers, body: Buffer.concat(chunks), path: request.url ?? '' }
    hook.posts.push(posted)
    hook.answer(posted, response)
  })
  server.on('connection', (socket) => {
    hook.connections++
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const hook: HookServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    posts: [],
    connections: 0,
    answer: (_posted, response) => response.writeHead(204).end(),
    dropConnections: () => {
      for (const socket of sockets) socket.destroy()
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return hook
}
