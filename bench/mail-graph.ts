/**
 * How long a mail's picture takes: the last 60 values as a PNG, and for how long the event loop stands still meanwhile.
 *
 *     node bench/mail-graph.ts [--runs 200]
 *
 * Prints p50 and p99, each as a ratio to what it must be (≤ 1 is good), for pictures one by one and four at a time, and
 * beside it what drawing on the event loop itself would cost.
 */
import { parseArgs } from 'node:util'
import { Resvg } from '@resvg/resvg-js'
import { drawGraph } from '../src/alerts/graph/draw.ts'
import { renderPng, zoom } from '../src/alerts/graph/render.ts'

const msMax = 50
const { values: flags } = parseArgs({ options: { runs: { type: 'string', default: '200' } } })
const runs = Number(flags.runs)
const comparison = { expression: 'x', value: 1, operator: '>', threshold: 0.05, unit: '%', overMs: 0 }

const shapes = {
  spike: (i: number) => (i < 50 ? 0.01 + 0.005 * Math.sin(i) : 0.01 + (i - 49) * 0.006),
  noise: (i: number) => ((i * 7919) % 61) / 610,
  gaps: (i: number) => (i % 5 === 0 ? null : 0.04 + 0.03 * Math.sin(i / 5)),
}

for (const [name, value] of Object.entries(shapes)) {
  const draw = () =>
    drawGraph({
      series: { stepMs: 1000, values: Array.from({ length: 60 }, (_, i) => value(i)) },
      level: 'crit',
      comparison,
    }) ?? ''
  await renderPng(draw())
  print(`${name}, one by one`, await measure(1, draw))
  print(`${name}, four at a time`, await measure(4, draw))
  print(`${name}, on the event loop`, onTheLoop(draw))
}

async function measure(atATime: number, draw: () => string): Promise<number[]> {
  const took: number[] = []
  for (let i = 0; i < runs; i += atATime) {
    await Promise.all(
      Array.from({ length: atATime }, async () => {
        const startMs = performance.now()
        await renderPng(draw())
        took.push(performance.now() - startMs)
      }),
    )
  }
  return took
}

function onTheLoop(draw: () => string): number[] {
  return Array.from({ length: runs }, () => {
    const startMs = performance.now()
    new Resvg(draw(), { font: { loadSystemFonts: false }, fitTo: { mode: 'zoom', value: zoom } }).render().asPng()
    return performance.now() - startMs
  })
}

function print(what: string, took: number[]): void {
  took.sort((a, b) => a - b)
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))] as number
  const figure = (ms: number) => `${ms.toFixed(1)} ms (${(ms / msMax).toFixed(2)} × ${msMax} ms)`
  process.stdout.write(`${what.padEnd(28)} p50 ${figure(at(0.5))}   p99 ${figure(at(0.99))}\n`)
}
