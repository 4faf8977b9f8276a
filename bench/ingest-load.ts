/** What the senders of bench/ingest.ts send, so that everybody can tell what must come out. */

export interface Load {
  host: string
  port: number
  /** Packets a second of one sender; 0 for as fast as it can. */
  packetsPerSecond: number
  linesPerPacket: number
  seriesCount: number
  type: 'c' | 'ms'
  seconds: number
}

export function seriesName(i: number): string {
  return `bench.process${i % 97}.response.s${i}`
}

/** One round: packets that name every series at least once. */
export function roundOf({ linesPerPacket, seriesCount, type }: Load): Buffer[] {
  const packets = Math.ceil(seriesCount / linesPerPacket)
  return Array.from({ length: packets }, (_, packet) => {
    const lines = Array.from({ length: linesPerPacket }, (_, line) => {
      const i = (packet * linesPerPacket + line) % seriesCount
      return `${seriesName(i)}:${type === 'c' ? 1 : (i * 7) % 300}|${type}`
    })
    return Buffer.from(lines.join('\n'))
  })
}

/** How often each series was named by a sender that has sent `packets` packets, round after round. */
export function addExpected(load: Load, packets: number, expected: Float64Array): void {
  const { linesPerPacket, seriesCount } = load
  const round = Math.ceil(seriesCount / linesPerPacket)
  for (let packet = 0; packet < round; packet++) {
    const times = Math.floor(packets / round) + (packet < packets % round ? 1 : 0)
    for (let line = 0; line < linesPerPacket; line++) {
      const i = (packet * linesPerPacket + line) % seriesCount
      expected[i] = (expected[i] as number) + times
    }
  }
}
