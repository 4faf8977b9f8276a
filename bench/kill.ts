/**
 * kill -9 of the alerts part at random moments, every page accounted for: `node bench/kill.ts [--runs N]`.
 *
 * Each run is one life of the part (test/support/lives.ts): it is told pages and their ends, and killed while they are
 * being sent to a mail server and a webhook. Printed is what was told, what arrived, and what arrived more than once,
 * always under the key by which a receiver knows it; the bound is what may be in flight at a kill.
 */
import { parseArgs } from 'node:util'
import { triesMax } from '../src/alerts/outbox.ts'
import { type Closing, endedTooSoon, killRuns, startReceivers } from '../test/support/lives.ts'

const { values: flags } = parseArgs({ options: { runs: { type: 'string', default: '200' } } })
const runs = Number(flags.runs)
const perBatch = 20
const closing: Closing = []
let [told, mails, posts, tooSoon] = [0, 0, 0, 0]
for (let done = 0; done < runs; done += perBatch) {
  const receivers = await startReceivers(closing)
  const kills = Math.min(perBatch, runs - done)
  const all = await killRuns({ kills, pagesPerLife: 12, moment: () => Math.random() }, receivers, closing)
  const came = receivers.keys()
  told += all.length
  mails += came.mails.length
  posts += came.posts.length
  tooSoon += endedTooSoon(all, receivers).length
  for (const close of closing.splice(0).reverse()) await close()
  process.stderr.write(`${done + kills} of ${runs} kills\n`)
}
const twice = mails + posts - 2 * told
console.log(
  `${runs} kills, ${told} pages and ends: all of them arrived by mail and at the webhook, ${tooSoon} ends before their page`,
)
console.log(`${twice} came twice under one key: ${(twice / runs).toFixed(2)} a kill; ${2 * triesMax} may be in flight`)
