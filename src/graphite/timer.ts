/**
 * Timer: the figures that etsy's statsd writes for one timer and one flush, in its order and by its definitions.
 *
 * With n values received, the figures of 90 are over the `round(0.9 n)` least of them (over the one, when n is 1), those
 * of -10 over the `round(0.1 n)` greatest, and none are written where that is 0; `std` is the population's; `median` of an
 * even number is the mean of the middle two. A bin of a histogram counts the values below its limit that are in no bin
 * before. `count` and `count_ps` are scaled by sample rate, everything else is over the values as received. All are exact
 * up to 512 distinct values in a flush; above that, sum, sum of squares, upper, lower and std stay exact and the rest is
 * within 1 % (see model/distribution.ts).
 */
import type { Distribution } from '../model/distribution.ts'
import type { Bin } from '../runtime/config-graphite.ts'

export type TimerFigure = readonly [name: string, value: number]

/** Which figures are wanted. */
export interface TimerWishes {
  percents: readonly number[]
  /** The first whose `metric` is in the timer's name tells the upper limits of its bins. */
  histogram: readonly { metric: string; bins: readonly Bin[] }[]
  /** Figures by name, `…_percent` for those of every percentage; all where it is empty. */
  only: ReadonlySet<string>
}

export const etsysDefault: TimerWishes = { percents: [90], histogram: [], only: new Set() }

/** `flushMs` is what `count_ps` is per second of. A timer that saw nothing has only its two zero counts, as etsy's has. */
export function timerFigures(
  distribution: Distribution | undefined,
  flushMs: number,
  wishes: TimerWishes = etsysDefault,
  name = '',
): TimerFigure[] {
  const n = distribution?.counts.reduce((sum, count) => sum + count, 0) ?? 0
  const perSecond = (count: number) => count / (flushMs / 1000)
  const wanted = (figure: string) => wishes.only.size === 0 || wishes.only.has(figure)
  const plain = (figures: TimerFigure[]) => figures.filter(([figure]) => wanted(figure))
  if (!distribution || n === 0) {
    return plain([
      ['count', 0],
      ['count_ps', 0],
    ])
  }
  const { count, min, max } = distribution
  const total = distribution.exact ? least(distribution, n) : { ...distribution, last: max }
  const mean = total.sum / n
  return [
    ...wishes.percents.flatMap((percent) => percentFigures(distribution, total, n, percent, wanted)),
    ...plain([
      ['std', distribution.exact ? deviation(distribution, mean, n) : deviationFromSums(total, mean, n)],
      ['upper', max],
      ['lower', min],
      ['count', count],
      ['count_ps', perSecond(count)],
      ['sum', total.sum],
      ['sum_squares', total.sumSquares],
      ['mean', mean],
      ['median', median(distribution, n)],
    ]),
    ...(wanted('histogram') ? histogramFigures(distribution, wishes, name) : []),
  ]
}

function percentFigures(
  distribution: Distribution,
  total: Sums,
  n: number,
  percent: number,
  wanted: (figure: string) => boolean,
): TimerFigure[] {
  const within = n === 1 ? 1 : Math.round((Math.abs(percent) / 100) * n)
  if (within === 0) return []
  const part = percent > 0 ? least(distribution, within) : greatest(distribution, within)
  const { sum, sumSquares } = within === n ? total : part
  const figures: TimerFigure[] = [
    ['count', within],
    ['mean', sum / within],
    [percent > 0 ? 'upper' : 'lower', clamp(part.last, distribution)],
    ['sum', sum],
    ['sum_squares', sumSquares],
  ]
  const suffix = String(percent).replace('.', '_').replace('-', 'top')
  return figures
    .filter(([figure]) => wanted(`${figure}_percent`))
    .map(([figure, value]) => [`${figure}_${suffix}`, value])
}

function histogramFigures(distribution: Distribution, { histogram }: TimerWishes, name: string): TimerFigure[] {
  const { values, counts } = distribution
  const bins = histogram.find(({ metric }) => name.includes(metric))?.bins ?? []
  let i = 0
  return bins.map((limit) => {
    let inBin = 0
    const isIn = (value: number) => limit === 'inf' || clamp(value, distribution) < limit
    while (i < values.length && isIn(values[i] as number)) inBin += counts[i++] as number
    return [`histogram.bin_${String(limit).replace('.', '_')}`, inBin]
  })
}

interface Sums {
  sum: number
  sumSquares: number
  /** The value that was added last. */
  last: number
}

/** Sums over the `wanted` least values. */
function least({ values, counts }: Distribution, wanted: number): Sums {
  const sums: Sums = { sum: 0, sumSquares: 0, last: values[0] as number }
  for (let i = 0, left = wanted; left > 0 && i < values.length; i++) left -= add(sums, values[i], counts[i], left)
  return sums
}

/** Sums over the `wanted` greatest values. */
function greatest({ values, counts }: Distribution, wanted: number): Sums {
  const sums: Sums = { sum: 0, sumSquares: 0, last: values.at(-1) as number }
  for (let i = values.length - 1, left = wanted; left > 0 && i >= 0; i--) left -= add(sums, values[i], counts[i], left)
  return sums
}

/** Adds a value as often as it came, at most `left` times; returns how many that were. */
function add(sums: Sums, value = 0, count = 0, left = 0): number {
  const taken = Math.min(left, count)
  sums.last = value
  sums.sum += value * taken
  sums.sumSquares += value * value * taken
  return taken
}

function deviation({ values, counts }: Distribution, mean: number, n: number): number {
  let squares = 0
  for (let i = 0; i < values.length; i++) {
    const difference = (values[i] as number) - mean
    squares += difference * difference * (counts[i] as number)
  }
  return Math.sqrt(squares / n)
}

function deviationFromSums({ sumSquares }: { sumSquares: number }, mean: number, n: number): number {
  return Math.sqrt(Math.max(0, sumSquares / n - mean * mean))
}

function median(distribution: Distribution, n: number): number {
  const upper = clamp(least(distribution, Math.floor(n / 2) + 1).last, distribution)
  return n % 2 === 1 ? upper : (clamp(least(distribution, n / 2).last, distribution) + upper) / 2
}

/** A bin's representative may lie just outside what was seen. */
function clamp(value: number, { min, max }: Distribution): number {
  return Math.min(max, Math.max(min, value))
}
