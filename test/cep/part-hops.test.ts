import { describe, expect, it } from 'vitest'
import { BucketHops } from '../../src/cep/part-hops.ts'
import type { Hops, LogEntry } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Transition } from '../../src/model/transition.ts'

const entry = (bucketMs: number, hops?: Hops): LogEntry => ({
  kind: 'metrics',
  key: 'metrics.a',
  id: `a:${bucketMs}`,
  offset: 0,
  message: emptyMetrics('a', bucketMs, 1000),
  ...(hops && { hops }),
})

const closing = (bucketMs: number, stepMs = 1000) =>
  ({ bucketMs, series: { stepMs, values: [] } }) as unknown as Transition

describe('hop times of a bucket', () => {
  it('are the first packet and the last flush of all that made it up', () => {
    const hops = new BucketHops()
    hops.note(entry(2000, { packetMs: 1300, flushMs: 2001 }))
    hops.note(entry(2000, { packetMs: 1100, flushMs: 2004 }))
    hops.note(entry(3000, { packetMs: 2500, flushMs: 3001 }))
    expect(hops.of(closing(2000))).toEqual({ packetMs: 1100, flushMs: 2004 })
  })

  it('are those of the newest data, where the rule has a longer step than its sources', () => {
    const hops = new BucketHops()
    for (let bucketMs = 1000; bucketMs <= 12_000; bucketMs += 1000)
      hops.note(entry(bucketMs, { packetMs: bucketMs - 900 }))
    expect(hops.of(closing(10_000, 10_000))).toEqual({ packetMs: 9100 })
  })

  it('are unknown where nothing arrived in the bucket, and for buckets long gone', () => {
    const hops = new BucketHops()
    hops.note(entry(1000))
    hops.note(entry(2000, { packetMs: 1100 }))
    expect(hops.of(closing(1000))).toEqual({})
    for (let bucketMs = 3000; bucketMs < 800_000; bucketMs += 1000) hops.note(entry(bucketMs, { packetMs: bucketMs }))
    expect(hops.of(closing(2000))).toEqual({})
  })
})
