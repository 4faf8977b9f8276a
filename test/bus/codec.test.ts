import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BusError } from '../../src/bus/bus.ts'
import { Decoder, encode } from '../../src/bus/codec.ts'
import type { Envelope } from '../../src/model/message.ts'
import { emptyMetrics, gaugeWrittenMs, type MetricsMessage } from '../../src/model/metric.ts'
import { envelope } from './arbitrary.ts'

const metricsEnvelope = (message: Partial<MetricsMessage> = {}): Envelope => ({
  kind: 'metrics',
  key: 'metrics.a',
  id: 'p:1',
  message: { ...emptyMetrics('a', 2000, 1000), ...message },
})

const marker: Envelope = {
  kind: 'markers',
  key: 'markers.a',
  id: 'p:2',
  message: { source: 'a', name: 'a', startedMs: 1, bucketMs: 2000, intervalMs: 1000, latenessMs: 0 },
}

/** A JSON message as another program might have put it. */
function handmade(head: unknown, { version = 1, shape = 'J' } = {}): Buffer {
  const json = Buffer.from(JSON.stringify(head))
  const start = Buffer.from([0x54, version, shape.charCodeAt(0), 0, 0, 0, 0, 0])
  start.writeUInt32LE(json.length, 4)
  return Buffer.concat([start, json])
}

const errorOf = (bytes: Buffer) => {
  const decoded = new Decoder().decode(bytes)
  return decoded.ok ? `no error: ${JSON.stringify(decoded.value)}` : decoded.error
}

describe('what was encoded', () => {
  it('is decoded as it was, whatever its kind, names and figures', () => {
    fc.assert(
      fc.property(fc.array(envelope, { minLength: 1, maxLength: 4 }), (all) => {
        const decoder = new Decoder()
        for (const one of all) expect(decoder.decode(encode(one))).toEqual({ ok: true, value: one })
      }),
      { numRuns: 500 },
    )
  })

  it('keeps an empty name and names in any script', () => {
    const names = ['', 'ünï.çødé', '日本.語', '👩‍🚒', 'tab\there', '\u2028', 'a;b=c']
    const sums = Float64Array.from(names.keys())
    const given = metricsEnvelope({ counters: { names, sums, samples: sums } })
    expect(new Decoder().decode(encode(given))).toEqual({ ok: true, value: given })
  })

  it('gives the same array of names as long as a source repeats them, and new figures', () => {
    const decoder = new Decoder()
    const read = (names: string[], sum: number) => {
      const counters = { names, sums: Float64Array.of(sum), samples: Float64Array.of(1) }
      const decoded = decoder.decode(encode(metricsEnvelope({ counters })))
      return decoded.ok && decoded.value.kind === 'metrics' ? decoded.value.message.counters : undefined
    }
    const first = read(['api.hits'], 1)
    const second = read(['api.hits'], 2)
    expect(second?.names).toBe(first?.names)
    expect([first?.sums[0], second?.sums[0]]).toEqual([1, 2])
    expect(read(['api.misses'], 3)?.names).toEqual(['api.misses'])
  })

  it('keeps when each gauge was written, where its source says so', () => {
    const gauges = { names: ['load'], values: Float64Array.of(0.5) }
    const when = (column: MetricsMessage['gauges']) => {
      const decoded = new Decoder().decode(encode(metricsEnvelope({ gauges: column })))
      return decoded.ok && decoded.value.kind === 'metrics' && gaugeWrittenMs(decoded.value.message, 0)
    }
    expect(when({ ...gauges, offsetsMs: Float64Array.of(250.5) })).toBe(1250.5)
    expect(when(gauges)).toBe(2000)
  })

  it('is still read when the version before wrote it', () => {
    // As version 1 wrote it: gauges do not say when they were written.
    const former = Buffer.from(
      'VAFNALgAAAB7ImtpbmQiOiJtZXRyaWNzIiwia2V5IjoibWV0cmljcy5hIiwiaWQiOiJwOjEiLCJzb3VyY2UiOiJhIiwiYnVja2V0TXMiOjIwMDAs' +
        'InN0ZXBNcyI6MTAwMCwiY29sdW1ucyI6eyJjb3VudGVycyI6WzEsNF0sImdhdWdlcyI6WzIsMTZdLCJ0aW1lcnMiOlswLDBdLCJzZXRzIjpbMCww' +
        'XSwidW50eXBlZCI6WzAsMF19fSAgICAgaGl0cwAAAAAAAAAAAAAQQAAAAAAAAABAbG9hZAp0ZW1wZXJhdHVyZQAAAAAAAOA/AAAAAAAACMA=',
      'base64',
    )
    const expected = metricsEnvelope({
      counters: { names: ['hits'], sums: Float64Array.of(4), samples: Float64Array.of(2) },
      gauges: { names: ['load', 'temperature'], values: Float64Array.of(0.5, -3) },
    })
    expect(new Decoder().decode(former)).toEqual({ ok: true, value: expected })
  })

  it('lets a newer publisher add fields', () => {
    const newer = { ...marker, message: { ...marker.message, mood: 'fine' } } as Envelope
    expect(new Decoder().decode(encode(newer))).toEqual({ ok: true, value: newer })
  })
})

describe('what cannot be read again is refused where it is published', () => {
  const one = Float64Array.of(1)
  it.each([
    ['a line break in a name', { gauges: { names: ['a\nb'], values: one } }, 'a line break in a name of gauges'],
    ['fewer figures than names', { untyped: { names: ['a', 'b'], values: one } }, '1 entries for 2 names in untyped'],
    [
      'fewer moments than gauges',
      { gauges: { names: ['a'], values: one, offsetsMs: new Float64Array(0) } },
      '0 entries for 1 names in gauges',
    ],
    ['more sets than names', { sets: { names: [], members: [['x']], overflowed: [false] } }, '1 entries for 0 names'],
  ])('%s', (_, message, error) => {
    expect(() => encode(metricsEnvelope(message))).toThrow(BusError)
    expect(() => encode(metricsEnvelope(message))).toThrow(error)
  })
})

describe('bytes of unknown origin', () => {
  it('are never more than an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(new Decoder().decode(Buffer.from(bytes)).ok).toBe(false)
      }),
    )
  })

  it('are never more than an error behind a good beginning', () => {
    fc.assert(
      fc.property(fc.constantFrom('J', 'M'), fc.json(), fc.uint8Array({ maxLength: 64 }), (shape, json, rest) => {
        const bytes = Buffer.concat([handmade(JSON.parse(json), { shape }), rest])
        expect(new Decoder().decode(bytes).ok).toBe(false)
      }),
    )
  })

  it('are an error when a good message is cut short, at whatever byte', () => {
    fc.assert(
      fc.property(envelope, (one) => {
        const whole = encode(one)
        const decoder = new Decoder()
        for (let length = 0; length < whole.length; length++) {
          expect(decoder.decode(whole.subarray(0, length)).ok).toBe(false)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('never throw and never read out of bounds when a byte of a good message is spoilt', () => {
    fc.assert(
      fc.property(envelope, fc.nat(), fc.nat(255), (one, where, byte) => {
        const spoilt = encode(one)
        spoilt[where % spoilt.length] = byte
        expect(typeof new Decoder().decode(spoilt).ok).toBe('boolean')
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['another program’s', Buffer.from('hello, world'), 'not a Tocsin message'],
    ['a newer version', handmade({}, { version: 9 }), 'codec version 9; this program reads 2 and 1'],
    ['no envelope', handmade(7), 'a message without envelope'],
    ['no id', handmade({ key: 'clock' }), 'an envelope without key or id'],
    [
      'an unknown kind',
      handmade({ key: 'gossip', kind: 'gossip', id: 'p:1' }),
      'key "gossip" does not go with kind "gossip"',
    ],
    [
      'key and kind apart',
      handmade({ key: 'clock', kind: 'rules', id: 'p:1' }),
      'key "clock" does not go with kind "rules"',
    ],
    ['no message', handmade({ key: 'clock', kind: 'clock', id: 'p:1' }), 'clock: expected an object, got nothing'],
    [
      'a field of another type',
      handmade({ key: 'clock', kind: 'clock', id: 'p:1', message: { process: 'a', nowMs: 'noon' } }),
      'clock: nowMs: expected a number, got "noon"',
    ],
    [
      'a field deep inside',
      handmade({
        key: 'checks.a',
        kind: 'checks',
        id: 'p:1',
        message: { source: 'a', bucketMs: 1, results: [{ name: 'w', sequence: 1, atMs: 1, state: 'bad' }] },
      }),
      'checks: results[0].state: expected "ok" or "warn" or "crit" or "unknown", got "bad"',
    ],
    [
      'hops that are none',
      handmade({
        key: 'clock',
        kind: 'clock',
        id: 'p:1',
        hops: { flushMs: 'now' },
        message: { process: 'a', nowMs: 1 },
      }),
      'clock: hops.flushMs: expected a number, got "now"',
    ],
    ['bytes behind its end', Buffer.concat([encode(marker), Buffer.from('x')]), 'bytes behind the message'],
    ['metrics as JSON', handmade({ key: 'metrics.a', kind: 'metrics', id: 'p:1' }), 'metrics in the wrong shape'],
    [
      'metrics without columns',
      handmade({ key: 'metrics.a', kind: 'metrics', id: 'p:1', source: 'a', bucketMs: 1, stepMs: 1 }, { shape: 'M' }),
      'metrics: columns: expected an object, got nothing',
    ],
  ])('say what is wrong with them: %s', (_, bytes, error) => {
    expect(errorOf(bytes)).toBe(error)
  })
})
