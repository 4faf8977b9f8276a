/** Sends statsd packets over UDP at a steady pace, as a service would, until stopped. */
import dgram from 'node:dgram'

export interface StatsdTraffic {
  /** The lines of each packet from now on. */
  say(lines: readonly string[]): void
  /** Total of each counter's values sent so far. */
  sent: Map<string, number>
  stop(): void
}

export function startTraffic(port: number, lines: readonly string[], everyMs = 50): StatsdTraffic {
  const socket = dgram.createSocket('udp4')
  const sent = new Map<string, number>()
  let current = lines
  const timer = setInterval(() => {
    socket.send(current.join('\n'), port, '127.0.0.1')
    for (const line of current) {
      const [, name, value] = /^(.+):(\d+)\|c$/.exec(line) ?? []
      if (name) sent.set(name, (sent.get(name) ?? 0) + Number(value))
    }
  }, everyMs)
  return {
    say: (next) => {
      current = next
    },
    sent,
    stop: () => {
      clearInterval(timer)
      socket.close()
    },
  }
}
