/**
 * Render: SVG to PNG by resvg, outside of the event loop but for the packing of the picture (some milliseconds).
 *
 * A picture is a help and never in the way: whatever goes wrong, takes longer than `renderMsMax` or comes while as many
 * as `rendersMax` are being drawn is no picture and is counted. The library is loaded by itself, so a machine
 * that it has no binary for sends mails without pictures.
 */
import { type Clock, sleep } from '../../runtime/clock.ts'
import type { Stats } from '../../runtime/stats.ts'
import { type Drawn, drawGraph } from './draw.ts'

export const renderMsMax = 250
export const rendersMax = 8
/** Pixels of the picture for one of the drawing: sharp on a phone, where it is some 400 points wide. */
export const zoom = 1.5

export type Rendering = (svg: string) => Promise<Buffer>

let underWay = 0

/** The picture as PNG; undefined where there is nothing to draw, or it could not be drawn in time. */
export async function renderGraph(
  drawn: Drawn,
  { clock, stats }: { clock: Clock; stats: Stats },
  render: Rendering = renderPng,
): Promise<Buffer | undefined> {
  if (underWay >= rendersMax) {
    stats.count('graphs_skipped_total')
    return undefined
  }
  underWay++
  const patience = new AbortController()
  try {
    const svg = drawGraph(drawn)
    if (svg === undefined) return undefined
    const late = sleep(renderMsMax, clock, patience.signal).then(() => undefined)
    const png = await Promise.race([render(svg), late])
    stats.count(png ? 'graphs_total' : 'graphs_failed_total')
    return png
  } catch {
    stats.count('graphs_failed_total')
    return undefined
  } finally {
    patience.abort()
    underWay--
  }
}

/** Loads the library ahead of the first picture; without it there are none, and every one is counted. */
export function loadRenderer(): void {
  import('@resvg/resvg-js').catch(() => {})
}

export async function renderPng(svg: string): Promise<Buffer> {
  const { renderAsync } = await import('@resvg/resvg-js')
  const image = await renderAsync(svg, { font: { loadSystemFonts: false }, fitTo: { mode: 'zoom', value: zoom } })
  return image.asPng()
}
