/**
 * Lines: puts the lines of a TCP stream together. Chunks go in, whole lines come out, however the stream was cut.
 *
 * At most `lineBytesMax` of an unfinished line are held. A longer one is dropped to its end and told once.
 */
const newline = 0x0a
const nothing = Buffer.alloc(0)

export class LineBuffer {
  readonly #lineBytesMax: number
  readonly #onTooLong: (beginning: Buffer) => void
  #rest: Buffer = nothing
  #isSkipping = false

  constructor(lineBytesMax: number, onTooLong: (beginning: Buffer) => void) {
    this.#lineBytesMax = lineBytesMax
    this.#onTooLong = onTooLong
  }

  /** All lines that are complete with this chunk, newlines included; may be empty. */
  push(chunk: Buffer): Buffer {
    let from = 0
    if (this.#isSkipping) {
      from = chunk.indexOf(newline) + 1
      if (from === 0) return nothing
      this.#isSkipping = false
    }
    const whole = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk.subarray(from)]) : chunk.subarray(from)
    const end = whole.lastIndexOf(newline) + 1
    // A copy: the rest must not keep the whole chunk alive.
    this.#rest = end === whole.length ? nothing : Buffer.from(whole.subarray(end))
    if (this.#rest.length > this.#lineBytesMax) {
      this.#onTooLong(this.#rest)
      this.#rest = nothing
      this.#isSkipping = true
    }
    return whole.subarray(0, end)
  }

  /** What came after the last newline, when the stream has ended. */
  end(): Buffer {
    const rest = this.#rest
    this.#rest = nothing
    return rest
  }
}
