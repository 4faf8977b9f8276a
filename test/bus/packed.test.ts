import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Decoder, encode } from '../../src/bus/codec.ts'
import { Timers } from '../../src/ingest/timers.ts'
import type { Envelope } from '../../src/model/message.ts'
import { emptyMetrics, packedTimers, type TimerColumn } from '../../src/model/metric.ts'

const envelope = (timers: TimerColumn): Envelope => ({
  kind: 'metrics',
  key: 'metrics.a',
  id: 'p:1',
  message: { ...emptyMetrics('a', 2000, 1000), timers },
})

test('packed timers are written as their distributions would be, and read as these', () => {
  const samples = fc.array(fc.array(fc.nat(400), { minLength: 1, maxLength: 600 }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(samples, (all) => {
      const timers = new Timers()
      all.forEach((of, slot) => {
        timers.begin(slot)
        for (const sample of of) timers.add(slot, sample, 1)
      })
      const names = all.map((_, slot) => `timer${slot}`)
      const packed = packedTimers(names, timers.pack([...all.keys()]))
      const { distributions } = packed
      const bytes = encode(envelope(packed))
      expect(bytes.equals(encode(envelope({ names, distributions })))).toBe(true)
      const decoded = new Decoder().decode(bytes)
      expect(decoded).toEqual({ ok: true, value: envelope({ names, distributions }) })
    }),
    { numRuns: 50 },
  )
})
