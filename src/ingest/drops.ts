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

/**
 * Counts the drops of an address under `counter`, whatever sockets come and go there: a worker that is started again has
 * new ones, and the drops of the former are not forgotten.
 */
export class DropCounter {
  readonly #counter: string
  readonly #address: HostPort
  readonly #stats: Stats
  #last = new Map<string, number>()

  constructor(counter: string, address: HostPort, stats: Stats) {
    this.#counter = counter
    this.#address = address
    this.#stats = stats
  }

  /** Beside the flush, not before it: a slow /proc must not delay a bucket. */
  read(): void {
    void readTable(this.#address).then((table) => table !== undefined && this.update(table))
  }

  update(table: string): void {
    const now = dropsBySocket(table, this.#address)
    let more = 0
    for (const [socket, drops] of now) more += Math.max(0, drops - (this.#last.get(socket) ?? 0))
    this.#last = now
    this.#stats.count(this.#counter, more)
  }
}

/** Drops since the sockets were opened; undefined where the kernel does not tell. */
export async function readKernelDrops(address: HostPort): Promise<number | undefined> {
  const table = await readTable(address)
  return table === undefined ? undefined : dropsOf(table, address)
}

async function readTable({ host }: HostPort): Promise<string | undefined> {
  try {
    return await fs.readFile(net.isIPv6(host) ? '/proc/net/udp6' : '/proc/net/udp', 'utf8')
  } catch {
    return undefined
  }
}

/** Adds up the drops of all sockets bound to `address` in a /proc/net/udp table; undefined when there is none. */
export function dropsOf(table: string, address: HostPort): number | undefined {
  const sockets = dropsBySocket(table, address)
  return sockets.size === 0 ? undefined : [...sockets.values()].reduce((sum, drops) => sum + drops, 0)
}

/** By inode. */
function dropsBySocket(table: string, { host, port }: HostPort): Map<string, number> {
  const local = `${hexAddress(host)}:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const drops = new Map<string, number>()
  for (const row of table.split('\n').slice(1)) {
    const fields = row.trim().split(/\s+/)
    if (fields[1] === local) drops.set(fields[9] ?? fields[0] ?? '', Number(fields.at(-1)))
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
