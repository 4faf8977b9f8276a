/** One sender of bench/ingest.ts: sends its load at an even pace and tells its parent how many packets the kernel took. */
import dgram from 'node:dgram'
import { type Load, roundOf } from './ingest-load.ts'

const load = JSON.parse(process.argv[2] as string) as Load
const round = roundOf(load)
const socket = dgram.createSocket({ type: 'udp4', sendBufferSize: 4 * 1024 ** 2 })
await new Promise<void>((resolve) => socket.connect(load.port, load.host, resolve))

let sent = 0
let failed = 0
const startMs = performance.now()
const endMs = startMs + load.seconds * 1000
const burst = 32

function pump(): void {
  const nowMs = performance.now()
  if (nowMs >= endMs) {
    finish()
    return
  }
  const due =
    load.packetsPerSecond === 0 ? Number.POSITIVE_INFINITY : ((nowMs - startMs) / 1000) * load.packetsPerSecond
  const count = Math.min(burst, Math.floor(due - sent))
  if (count <= 0) {
    setImmediate(pump)
    return
  }
  let left = count
  const done = (error: Error | null) => {
    if (error) failed++
    if (--left === 0) setImmediate(pump)
  }
  for (let i = 0; i < count; i++) socket.send(round[sent++ % round.length] as Buffer, done)
}

function finish(): void {
  process.send?.({ sent, failed, elapsedMs: performance.now() - startMs })
  socket.close()
  process.disconnect?.()
}

pump()
