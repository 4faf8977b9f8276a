/** Progress: a bar on standard error while a tool works, where that is a terminal; nothing elsewhere. */

const width = 30
/** Percent are drawn when they change, so that drawing costs nothing. */
const steps = 200

export interface Drawn {
  /** `share` from 0 to 1, and what to say beside it. */
  draw: (share: number, text: string) => void
  /** Takes the bar away. */
  clear: () => void
}

export function progressBar(
  name: string,
  stream: { isTTY?: boolean; columns?: number; write: (text: string) => unknown },
): Drawn | undefined {
  if (stream.isTTY !== true) return undefined
  let last = -1
  return {
    draw: (share, text) => {
      const step = Math.floor(share * steps)
      if (step === last) return
      last = step
      const done = Math.round(share * width)
      const bar = `${'█'.repeat(done)}${'░'.repeat(width - done)}`
      const line = `${name} ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${text}`
      stream.write(`\r${line.slice(0, (stream.columns ?? 100) - 1)}\u001b[K`)
    },
    clear: () => {
      if (last >= 0) stream.write('\r\u001b[K')
    },
  }
}
