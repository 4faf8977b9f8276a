import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DistributionWindow, distributionOf } from '../../src/cep/distribution-window.ts'
import { windowAt, windowShape } from '../../src/cep/window.ts'

const stepMs = 1000
const shape = windowShape(70_000, stepMs, 30)

/** What stands in the window that ends with bucket `at`, by the definition of the window. */
function inWindow(buckets: readonly (readonly number[])[], at: number): number[] {
  const { buckets: length } = windowAt(shape, at * stepMs)
  return buckets.slice(Math.max(0, at - length), at).flat()
}

function nearestRank(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted.length === 0
    ? Number.NaN
    : (sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length - 1e-9)) - 1] as number)
}

describe('a percentile over a window', () => {
  const value = fc.oneof(fc.integer({ min: -3, max: 9 }), fc.double({ min: 0, max: 1e6, noNaN: true }))
  const timeline = fc.array(fc.array(value, { maxLength: 6 }), { minLength: 1, maxLength: 250 })

  it('is the nearest rank of all that stands in it, also after a restart in between', () => {
    fc.assert(
      fc.property(timeline, fc.nat(250), fc.constantFrom(0.1, 50, 90, 99, 99.9, 100), (buckets, restartAt, percent) => {
        let window = new DistributionWindow(shape)
        window.grow(1)
        buckets.forEach((seen, i) => {
          const atMs = (i + 1) * stepMs
          if (seen.length > 0) window.push(0, atMs, distributionOf(seen))
          expect(window.percentile(0, atMs, percent)).toBe(nearestRank(inWindow(buckets, i + 1), percent))
          if (i !== restartAt) return
          const again = new DistributionWindow(shape)
          again.restore(structuredClone(window.save()))
          window = again
        })
      }),
      { numRuns: 60 },
    )
  })

  it('is within one percent where a pane has more distinct values than it keeps', () => {
    const window = new DistributionWindow(shape)
    window.grow(1)
    const all: number[] = []
    for (let bucket = 1; bucket <= 70; bucket++) {
      const seen = Array.from({ length: 900 }, (_, i) => 1 + ((i * 7919 + bucket * 104_729) % 100_000) / 7)
      all.push(...seen)
      window.push(0, bucket * stepMs, distributionOf(seen))
    }
    const { buckets } = windowAt(shape, 70_000)
    const exact = all.slice((70 - buckets) * 900)
    for (const percent of [50, 90, 99, 99.9]) {
      const ratio = window.percentile(0, 70_000, percent) / nearestRank(exact, percent)
      expect(Math.abs(ratio - 1), String(percent)).toBeLessThan(0.0101)
    }
  })

  it('keeps at most 512 values a pane, 31 panes', () => {
    const window = new DistributionWindow(shape)
    window.grow(1)
    for (let bucket = 1; bucket <= 200; bucket++) {
      window.push(0, bucket * stepMs, distributionOf(Array.from({ length: 511 }, (_, i) => bucket * 1000 + i * Math.E)))
    }
    const [{ full, running }] = window.save() as [ReturnType<DistributionWindow['save']>[number]]
    expect(full.length).toBeLessThanOrEqual(30)
    for (const { values } of full) expect(values.length).toBeLessThanOrEqual(512)
    expect(running?.pairs.size).toBeLessThanOrEqual(512)
  })
})
