import { afterEach, expect, test } from 'vitest'
import { triesMax } from '../../src/alerts/outbox.ts'
import { type Closing, endedTooSoon, killRuns, startReceivers } from '../support/lives.ts'

const kills = 20

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

test(`killed at any of ${kills} moments, every page and every end arrives, again only what was in flight`, async () => {
  const receivers = await startReceivers(closing)
  const moment = (life: number) => (life + 0.5) / kills
  const told = await killRuns({ kills, pagesPerLife: 12, moment }, receivers, closing)
  for (const row of Object.values(receivers.keys())) {
    expect(row.length - told.length).toBeLessThanOrEqual(kills * triesMax)
  }
  expect(endedTooSoon(told, receivers)).toEqual([])
}, 120_000)
