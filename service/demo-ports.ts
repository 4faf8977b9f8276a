/**
 * Demo ports: which ports the demo needs, and who is to be told what when one of them is taken.
 */
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import type { Config } from '../src/runtime/config.ts'
import { controlPort, host, mailboxPorts, portOf, processNames } from './settings.ts'

export interface NeededPort {
  host: string
  port: number
  protocol: 'tcp' | 'udp'
  /** What listens there. */
  what: string
  /** How to use another one. */
  cure: string
}

export function neededPorts(config: Config, portBase: number): NeededPort[] {
  const { statsd, graphite } = config.ingest
  const tocsin = [
    need(statsd.udp, 'udp', "Tocsin's statsd input", 'ingest.statsd.udp'),
    need(statsd.tcp, 'tcp', "Tocsin's statsd input", 'ingest.statsd.tcp'),
    need(graphite.tcp, 'tcp', "Tocsin's input of Graphite lines", 'ingest.graphite.tcp'),
    need(config.dashboards.listen, 'tcp', "Tocsin's console", 'dashboards.listen'),
  ].flat()
  const moved = 'set SERVICE_PORT_BASE and the addresses in checks/ and demo.yaml'
  const service = (port: number, what: string): NeededPort => ({ host, port, protocol: 'tcp', what, cure: moved })
  const { smtp, http } = mailboxPorts(portBase)
  return [
    ...tocsin,
    ...processNames.map((name) => service(portOf(name, portBase), `the example service's ${name}`)),
    service(smtp, "the mailbox's SMTP"),
    service(http, "the mailbox's HTTP"),
    service(controlPort(portBase), "the example service's control"),
  ]
}

function need(at: { host: string; port: number } | false, protocol: 'tcp' | 'udp', what: string, key: string) {
  return at ? [{ ...at, protocol, what, cure: `change ${key} in the configuration` }] : []
}

/** Those that cannot be listened on now. */
export async function takenPorts(ports: readonly NeededPort[]): Promise<NeededPort[]> {
  const taken = await Promise.all(ports.map(async (port) => ((await isFree(port)) ? [] : [port])))
  return taken.flat()
}

async function isFree({ host, port, protocol }: NeededPort): Promise<boolean> {
  const socket = protocol === 'udp' ? dgram.createSocket('udp4') : net.createServer()
  try {
    if (socket instanceof dgram.Socket) socket.bind(port, host)
    else socket.listen(port, host)
    await once(socket, 'listening')
    socket.close()
    await once(socket, 'close')
    return true
  } catch {
    return false
  }
}

/** What to tell a person, all of it at once. */
export function formatTaken(taken: readonly NeededPort[]): string {
  const lines = taken.flatMap(({ host, port, protocol, what, cure }) => [
    `Port ${port} (${protocol}, ${host}) is taken; ${what} needs it.`,
    `    Which program has it:  ss -${protocol === 'udp' ? 'lunp' : 'ltnp'} 'sport = :${port}'`,
    `    Stop that program, or ${cure}.`,
  ])
  return `${lines.join('\n')}\n`
}
