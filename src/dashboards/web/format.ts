/** Numbers as people read them. */

/** `1.2 s`, `340 ms`, `12.5 /s`, `3.4 MiB`: scaled where the unit has larger ones, three significant digits. */
export function formatNumber(value: number | null | undefined, unit = ''): string {
  if (value === null || value === undefined) return '–'
  if (unit === 'ms') return scaled(value, timeSteps)
  if (unit === 's') return scaled(value * 1000, timeSteps)
  if (unit === 'B') return scaled(value, byteSteps)
  if (unit === 'share') return `${digits(value * 100)}%`
  if (unit === '%') return `${digits(value)}%`
  const text = scaled(value, countSteps)
  return unit ? `${text} ${unit}` : text
}

type Steps = readonly (readonly [size: number, suffix: string])[]

const timeSteps: Steps = [
  [60_000, ' min'],
  [1000, ' s'],
  [1, ' ms'],
  [0.001, ' µs'],
]
const byteSteps: Steps = [
  [1024 ** 3, ' GiB'],
  [1024 ** 2, ' MiB'],
  [1024, ' KiB'],
  [1, ' B'],
]
const countSteps: Steps = [
  [1e9, ' G'],
  [1e6, ' M'],
  [1e4, ' k'],
  [0, ''],
]

function scaled(value: number, steps: Steps): string {
  if (value === 0) return `0${(steps.find(([size]) => size === 1) ?? ['', ''])[1]}`
  const [size, suffix] = steps.find(([least]) => Math.abs(value) >= least) ?? (steps.at(-1) as [number, string])
  return `${digits(value / (suffix === ' k' ? 1000 : size || 1))}${suffix}`
}

function digits(value: number): string {
  const magnitude = Math.abs(value)
  if (magnitude >= 100) return String(Math.round(value))
  return String(Number(value.toFixed(magnitude >= 10 ? 1 : magnitude >= 0.1 ? 2 : 4)))
}

/**
 * The unit that a rule's value is written in, from the engine's own text: 0.063 beside "6.3%" is a share, 340 beside
 * "340ms" are milliseconds. '' where the two do not say.
 */
export function unitOf(value: number | null, text: string): string {
  const match = /^(-?[\d.]+)\s*(%|ms|s|B|\/s|\/m|\/h)$/.exec(text)
  if (!match || value === null) return ''
  const [, number = '', suffix = ''] = match
  if (suffix === '%' && near(Number(number), value * 100)) return 'share'
  return near(Number(number), value) ? suffix : ''
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= Math.max(0.06, Math.abs(b) * 0.02)
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
