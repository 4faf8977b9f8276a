/**
 * Line file: a log file that cannot grow without end.
 *
 * At `fileBytesMax` the file becomes `<file>.1` (in place of the former one) and a new one begins. Lines that the disk
 * does not take in time are dropped and counted; a disk that refuses is said once.
 */
import fs from 'node:fs'
import path from 'node:path'
import { type Log, Situation } from '../src/runtime/log.ts'

export const fileBytesMax = 8 * 1024 ** 2
const pendingBytesMax = 1024 ** 2

export class LineFile {
  readonly #file: string | undefined
  readonly #situation: Situation
  readonly #bytesMax: number
  #stream: fs.WriteStream | undefined
  #bytes = 0
  droppedLines = 0

  /** Without a file nothing is written. */
  constructor(file: string | undefined, log: Log, bytesMax = fileBytesMax) {
    this.#file = file
    this.#situation = new Situation(log)
    this.#bytesMax = bytesMax
  }

  write(line: string): void {
    const stream = this.#open()
    if (!stream) return
    if (stream.writableLength > pendingBytesMax) {
      this.droppedLines++
      return
    }
    this.#bytes += Buffer.byteLength(line) + 1
    stream.write(`${line}\n`)
    if (this.#bytes >= this.#bytesMax) this.#rotate()
  }

  close(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    return new Promise((resolve) => {
      if (!stream || stream.destroyed) resolve()
      else stream.once('close', resolve).end()
    })
  }

  #open(): fs.WriteStream | undefined {
    if (this.#stream || !this.#file) return this.#stream
    try {
      fs.mkdirSync(path.dirname(this.#file), { recursive: true })
      // Opened here and now, so that a rename never moves a file that is about to be opened.
      const fd = fs.openSync(this.#file, 'a')
      this.#bytes = fs.fstatSync(fd).size
      const stream = fs.createWriteStream('', { fd })
      stream.on('error', (error) => this.#failed(error, stream))
      this.#stream = stream
      this.#situation.good('the log is written again')
    } catch (error) {
      this.#failed(error as Error)
    }
    return this.#stream
  }

  #rotate(): void {
    const file = this.#file as string
    this.#stream?.end()
    this.#stream = undefined
    try {
      fs.renameSync(file, `${file}.1`)
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  #failed(error: Error, stream?: fs.WriteStream): void {
    this.droppedLines++
    this.#situation.bad(`the log cannot be written: ${error.message}`)
    if (stream === this.#stream) this.#stream = undefined
  }
}
