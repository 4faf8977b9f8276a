/**
 * Drops: packets that the kernel threw away because we were too slow, read from /proc/net/udp and udp6.
 *
 *       sl  local_address rem_address   st tx_queue:rx_queue … ref pointer drops
 *     1033: 0100007F:1FBD 00000000:0000 07 00000000:00000000 …   2 00000000   12
 *
 * An address is its bytes in machine order, four at a time, in hex; the port is plain hex.
 */
import fs from 'node:fs/promises'
import net from 'node:net'
import type { HostPort } from '../runtime/config.ts'
import type { Stats } from '../runtime/stats.ts'

/** Drops since the socket was opened; undefined where the kernel does not tell. */
export async function readKernelDrops(address: HostPort): Promise<number | undefined> {
  try {
    return dropsOf(await fs.readFile(net.isIPv6(address.host) ? '/proc/net/udp6' : '/proc/net/udp', 'utf8'), address)
  } catch {
    return undefined
  }
}

/** Shows the drops under `counter`; beside the flush, not before it: a slow /proc must not delay a bucket. */
export function countDrops(counter: string, address: HostPort, stats: Stats): void {
  void readKernelDrops(address).then((drops) => drops !== undefined && stats.set(counter, drops))
}

/** Adds up the drops of all sockets bound to `address` in a /proc/net/udp table; undefined when there is none. */
export function dropsOf(table: string, { host, port }: HostPort): number | undefined {
  const local = `${hexAddress(host)}:${port.toString(16).toUpperCase().padStart(4, '0')}`
  let drops: number | undefined
  for (const row of table.split('\n').slice(1)) {
    const fields = row.trim().split(/\s+/)
    if (fields[1] === local) drops = (drops ?? 0) + Number(fields.at(-1))
  }
  return drops
}

function hexAddress(host: string): string {
  const bytes = net.isIPv6(host) ? ipv6Bytes(host) : host.split('.').map(Number)
  let text = ''
  for (let word = 0; word < bytes.length; word += 4) {
    // Little endian, as on every machine that Node runs on.
    for (let i = 3; i >= 0; i--) text += (bytes[word + i] as number).toString(16).toUpperCase().padStart(2, '0')
  }
  return text
}

function ipv6Bytes(host: string): number[] {
  // The URL parser writes an address in its canonical hexadecimal form.
  const canonical = new URL(`http://[${host}]/`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const groups = (text: string | undefined) => (text ? text.split(':') : [])
  const missing = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
  return all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff])
}
