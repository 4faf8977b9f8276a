import fc from 'fast-check'
import PostalMime from 'postal-mime'
import { describe, expect, test } from 'vitest'
import { figure, graphAlt, graphCaption } from '../../src/alerts/graph/describe.ts'
import { type Drawn, drawGraph, heightPx, widthPx } from '../../src/alerts/graph/draw.ts'
import { renderGraph, renderMsMax, renderPng, rendersMax, zoom } from '../../src/alerts/graph/render.ts'
import { openEmail } from '../../src/alerts/receivers/email.ts'
import { ManualClock, systemClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { notificationOf } from '../support/notifications.ts'
import { startSmtp } from '../support/smtp.ts'
import { transition } from '../support/transitions.ts'

const pngBegins = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

function drawn(values: readonly (number | null)[], threshold?: number, operator = '>', unit = ''): Drawn {
  const comparison = {
    expression: 'errors / requests',
    value: 1,
    operator,
    threshold: threshold ?? null,
    unit,
    overMs: 0,
  }
  return { series: { stepMs: 1000, values }, level: 'crit', ...(threshold !== undefined && { comparison }) }
}

const spike = [...Array.from({ length: 50 }, (_, i) => (i % 7) / 1000), null, null, 0.02, null, 0.04, 0.05, 0.06, 0.063]
const svgOf = (...given: Parameters<typeof drawn>) => drawGraph(drawn(...given)) ?? ''
const paths = (svg: string, stroke: string) =>
  svg.match(new RegExp(`<path d="M[^"]*" fill="none" stroke="${stroke}"`, 'g')) ?? []

describe('the picture', () => {
  test('is the same for the same values', async () => {
    await expect(`${svgOf(spike, 0.05)}\n`).toMatchFileSnapshot('golden/graph.svg.txt')
  })

  test('breaks at missing values, and shows one between two gaps as a dot', () => {
    const svg = svgOf(spike)
    expect(paths(svg, '#48546a')).toHaveLength(2)
    expect(svg.match(/r="2.5"/g)).toHaveLength(1)
  })

  test.each([
    ['above', '>', [0, 0, 9, 9], 5],
    ['below', '<', [9, 9, 0, 0], 5],
  ])('shades what is %s the limit', (_title, operator, values, threshold) => {
    const svg = svgOf(values, threshold, operator)
    // Half of the way, where the line crosses the limit, up to the last value.
    expect(svg).toMatch(/<path d="M\d+(\.\d+)? [\d.]+L370 [\d.]+L550 [\d.]+L550 [\d.]+L[\d.]+ [\d.]+Z" fill="#d13438"/)
    expect(paths(svg, '#d13438')).toHaveLength(1)
    expect(svg).toContain('stroke-dasharray')
  })

  test('without a limit nothing is shaded; with "==" only the limit is drawn', () => {
    expect(svgOf([1, 2, 3])).not.toContain('fill-opacity')
    expect(svgOf([1, 2, 3])).not.toContain('stroke-dasharray')
    expect(svgOf([1, 2, 3], 2, '==')).not.toContain('fill-opacity')
    expect(svgOf([1, 2, 3], 2, '==')).toContain('stroke-dasharray')
  })

  test.each([
    ['no values', []],
    ['nothing but missing values', [null, null]],
    ['nothing finite', [Number.NaN, Number.POSITIVE_INFINITY]],
  ])('is not drawn for %s', (_title, values) => {
    expect(drawGraph(drawn(values))).toBeUndefined()
  })

  test.each<[string, (number | null)[], number | undefined]>([
    ['a spike', spike, 0.05],
    ['the same value over and over', Array(60).fill(5), 4],
    ['zero over and over', Array(60).fill(0), undefined],
    ['one value', [3], 2],
    ['negative values', [-20, -30, -10], -25],
    ['the greatest and the least numbers there are', [-1.7e308, 1.7e308, 5e-324], 1e308],
    ['more values than asked for', Array.from({ length: 5_000 }, (_, i) => i), 100],
  ])('of %s becomes a PNG of the size that the mail says, finer', async (_title, values, threshold) => {
    const svg = svgOf(values, threshold)
    expect(svg.length).toBeLessThan(40_000)
    const png = await renderPng(svg)
    expect(png.subarray(0, 8)).toEqual(pngBegins)
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([widthPx * zoom, heightPx * zoom])
    expect(png.length).toBeLessThan(100_000)
  })

  test('whatever the values and the limit, every point lies within it', () => {
    const value = fc.option(fc.double(), { nil: null })
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 70 }),
        fc.option(fc.double()),
        fc.constantFrom('>', '<=', '=='),
        (values, limit, operator) => {
          const svg = svgOf(values, limit ?? undefined, operator)
          expect(svg).not.toMatch(/NaN|Infinity|undefined/)
          for (const [, x, y] of svg.matchAll(/[ML](-?[\d.e-]+) (-?[\d.e-]+)/g)) {
            expect(Number(x)).toBeGreaterThanOrEqual(0)
            expect(Number(x)).toBeLessThanOrEqual(widthPx)
            expect(Number(y)).toBeGreaterThanOrEqual(0)
            expect(Number(y)).toBeLessThanOrEqual(heightPx)
          }
        },
      ),
    )
  })
})

test('what goes over the limit and comes back is shaded from crossing to crossing', () => {
  const svg = svgOf([0, 4, 0, 4, 4, 0], 2)
  expect(paths(svg, '#d13438')).toHaveLength(2)
  expect(svg.match(/fill-opacity/g)).toHaveLength(2)
})

describe('the words beside it', () => {
  test('say what it shows, in the units of the rule', () => {
    expect(graphCaption(drawn(spike, 0.05, '>', '%'))).toBe(
      'last 6.3% · lowest 0% · highest 6.3% · limit > 5% · 58s · 3 of 58 values missing',
    )
    expect(graphAlt(drawn([1, null], 2, '<'))).toBe(
      'Graph of errors / requests: last missing, lowest 1, highest 1, limit < 2, 2s, 1 of 2 values missing',
    )
    expect(graphCaption(drawn([null]))).toBeUndefined()
  })

  test.each([
    [0.063, '%', '6.3%'],
    [1234.5678, 'ms', '1230ms'],
    [-0, '', '0'],
  ])('%d in %s is %s', (value, unit, text) => expect(figure(value, unit)).toBe(text))
})

describe('a picture that fails', () => {
  const page = notificationOf([transition('crit', 1_760_000_000_000)])

  test.each([
    ['throws', async () => Promise.reject(new Error('no renderer'))],
    [
      'throws at once',
      () => {
        throw new Error('no renderer')
      },
    ],
  ])('that %s costs the mail nothing but the picture, and is counted', async (_title, render) => {
    const smtp = await startSmtp()
    const stats = new Stats()
    const options = { clock: systemClock, stats, consoleUrl: 'http://console', render }
    const email = openEmail({ to: ['a@example.org'], from: 'b@example.org', smtp: smtp.url }, options)
    try {
      expect(await email.send(page, new AbortController().signal)).toMatchObject({ outcome: 'delivered' })
      const [received] = await smtp.received(1)
      expect(received?.mail.attachments).toEqual([])
      expect(received?.mail.html).not.toContain('<img')
      expect(received?.mail.html).toContain('Trend')
      expect(stats.get('graphs_failed_total')).toBe(1)
    } finally {
      email.close()
      await smtp.close()
    }
  })

  test('that takes too long is not waited for', async () => {
    const clock = new ManualClock(0)
    const stats = new Stats()
    const waiting = renderGraph(drawn([1, 2]), { clock, stats }, () => new Promise(() => {}))
    await clock.advanceBy(renderMsMax)
    expect(await waiting).toBeUndefined()
    expect(stats.get('graphs_failed_total')).toBe(1)
  })

  test(`beyond ${rendersMax} at a time there is none, and that is counted`, async () => {
    const stats = new Stats()
    const { promise, resolve } = Promise.withResolvers<Buffer>()
    const all = Array.from({ length: rendersMax + 1 }, () =>
      renderGraph(drawn([1, 2]), { clock: systemClock, stats }, () => promise),
    )
    resolve(pngBegins)
    expect((await Promise.all(all)).filter(Boolean)).toHaveLength(rendersMax)
    expect(stats.get('graphs_skipped_total')).toBe(1)
    expect(await renderGraph(drawn([1, 2]), { clock: systemClock, stats }, async () => pngBegins)).toBeDefined()
  })
})

test('in the mail it stands inside, named by the HTML, with words for those who do not see it', async () => {
  const smtp = await startSmtp()
  const options = { clock: systemClock, stats: new Stats(), consoleUrl: 'http://console' }
  const email = openEmail({ to: ['a@example.org'], from: 'b@example.org', smtp: smtp.url }, options)
  try {
    await email.send(notificationOf([transition('crit', 1_760_000_000_000)]), new AbortController().signal)
    const [received] = await smtp.received(1)
    const mail = await PostalMime.parse(received?.raw ?? '')
    const [picture] = mail.attachments
    expect(picture).toMatchObject({ mimeType: 'image/png', disposition: 'inline', related: true })
    expect(mail.html).toContain(`<img src="cid:${picture?.contentId?.replace(/[<>]/g, '')}"`)
    expect(mail.html).toContain('alt="Graph of errors / requests: last 6.3%')
    expect(mail.html).toContain('last 6.3% · lowest 0% · highest 6.3% · limit &gt; 5%')
    expect(mail.text).toContain('Trend')
  } finally {
    email.close()
    await smtp.close()
  }
})
