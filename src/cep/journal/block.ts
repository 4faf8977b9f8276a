/** Open block: entries as they gather for one block of the journal, with what its head will say. */
import { type BlockHead, recordHeadBytes, writeRecord } from './format.ts'
import type { RulesRecord } from './read.ts'

export class OpenBlock {
  hasRules = false
  readonly #buffer: Buffer
  readonly #rulesBefore: RulesRecord | undefined
  #used = 0
  #entries = 0
  #firstOffset = 0
  #lastOffset = 0
  #fromMs = 0
  #toMs = 0

  /** `rulesBefore` are the rules in force before its first entry. */
  constructor(capacity: number, rulesBefore: RulesRecord | undefined) {
    this.#buffer = Buffer.allocUnsafe(capacity)
    this.#rulesBefore = rulesBefore
  }

  static bytesFor(message: Buffer): number {
    return recordHeadBytes + message.length
  }

  get bytes(): number {
    return this.#used
  }

  hasRoomFor(message: Buffer): boolean {
    return this.#used + OpenBlock.bytesFor(message) <= this.#buffer.length
  }

  /** Takes a copy of the message, for which there must be room; `nowMs` is the log's time, 0 while it is unknown. */
  add(offset: number, message: Buffer, nowMs: number, isRules: boolean): void {
    if (this.#entries++ === 0) this.#firstOffset = offset
    if (this.#fromMs === 0) this.#fromMs = nowMs
    this.#lastOffset = offset
    this.#toMs = nowMs
    if (isRules) this.hasRules = true
    this.#used = writeRecord(this.#buffer, this.#used, { offset, isRepeated: false, bytes: message })
  }

  get head(): Omit<BlockHead, 'crc' | 'storedBytes' | 'rawBytes' | 'hasRules'> {
    return {
      entries: this.#entries,
      firstOffset: this.#firstOffset,
      lastOffset: this.#lastOffset,
      fromMs: this.#fromMs,
      toMs: this.#toMs,
    }
  }

  get raw(): Buffer {
    return this.#buffer.subarray(0, this.#used)
  }

  /** As the first of a segment: the records behind the rules in force before them. */
  get rawWithRules(): Buffer {
    if (!this.#rulesBefore) return this.raw
    const { offset, bytes } = this.#rulesBefore
    const record = Buffer.alloc(OpenBlock.bytesFor(bytes))
    writeRecord(record, 0, { offset, isRepeated: true, bytes })
    return Buffer.concat([record, this.raw])
  }

  get hasRulesBefore(): boolean {
    return this.#rulesBefore !== undefined
  }
}
