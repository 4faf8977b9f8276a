/** An hour of the example service with faults in it: the same transitions, values and words, whatever happens to its log. */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { expect, test, vi } from 'vitest'
import { Engine } from '../../../src/cep/engine.ts'
import type { Transition } from '../../../src/model/transition.ts'
import { redelivered, shuffled, stalled } from './disturb.ts'
import { Chance, goldenFile, hour, hourStartMs, pagesOf, sorted } from './hour.ts'
import { run, runWithRestarts } from './log.ts'

// Each test plays an hour, which on a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 })

const options = { defaultStepMs: 1000 }
const entries = hour()
const hashOf = (told: readonly Transition[]) => createHash('sha256').update(JSON.stringify(told)).digest('hex')
const whole = run(new Engine(options), entries)

test('what is paged in it is what was agreed; `node test/cep/determinism/agree.ts` writes it anew', () => {
  expect(pagesOf(whole)).toBe(fs.readFileSync(goldenFile, 'utf8'))
})

test('with engines restarted from snapshots at any moment', () => {
  const chance = new Chance(7)
  const restarts = Array.from({ length: 40 }, () => chance.below(entries.length))
  expect(hashOf(runWithRestarts({ options, entries }, restarts))).toBe(hashOf(whole))
})

test('with the data inside of buckets in any order and in other batches, and messages delivered again', () => {
  const disturbed = redelivered(shuffled(entries, new Chance(11)), new Chance(13))
  expect(hashOf(run(new Engine(options), disturbed))).toBe(hashOf(whole))
})

test('with ten minutes of it stalled, and then delivered at once', () => {
  const at = (minute: number) =>
    entries.findIndex(({ kind, message }) => kind === 'clock' && message.nowMs >= hourStartMs + minute * 60_000)
  const late = stalled(entries, at(4), at(14) - at(4))
  expect(hashOf(sorted(run(new Engine(options), late)))).toBe(hashOf(sorted(whole)))
})
