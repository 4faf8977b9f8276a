/**
 * Units: dimensions with an exact scale. Data are never converted; a literal is converted once, at load, into the unit
 * of what it is compared with. Scales are fractions of whole numbers, so a conversion rounds once.
 */
export interface Unit {
  /** Exponents; all 0 is a ratio or a plain number. */
  time: number
  data: number
  count: number
  /** Multiply by numerator / denominator to get ms, bytes, or a plain number. */
  numerator: number
  denominator: number
  /** An undeclared metric's unit: fits anything. */
  isUnknown: boolean
}

const plain = { time: 0, data: 0, count: 0, numerator: 1, denominator: 1, isUnknown: false }
export const noUnit: Unit = plain
export const countUnit: Unit = { ...plain, count: 1 }
export const unknownUnit: Unit = { ...plain, isUnknown: true }
export const millisecondUnit: Unit = { ...plain, time: 1 }
export const secondUnit: Unit = { ...plain, time: 1, numerator: 1000 }
export const percentUnit: Unit = { ...plain, denominator: 100 }

const time = (numerator: number): Unit => ({ ...plain, time: 1, numerator })
const data = (numerator: number, denominator = 1): Unit => ({ ...plain, data: 1, numerator, denominator })

const units: ReadonlyMap<string, Unit> = new Map([
  ['%', percentUnit],
  ['ms', millisecondUnit],
  ['s', secondUnit],
  ['m', time(60_000)],
  ['h', time(3_600_000)],
  ['d', time(86_400_000)],
  ['w', time(604_800_000)],
  ['B', data(1)],
  ['kB', data(1e3)],
  ['MB', data(1e6)],
  ['GB', data(1e9)],
  ['TB', data(1e12)],
  ['KiB', data(1024)],
  ['MiB', data(1024 ** 2)],
  ['GiB', data(1024 ** 3)],
  ['TiB', data(1024 ** 4)],
  ['bit', data(1, 8)],
  ['kbit', data(1e3, 8)],
  ['Mbit', data(1e6, 8)],
  ['Gbit', data(1e9, 8)],
])

export const unitNames = [...units.keys()] as readonly string[]

export function isUnit(text: string): boolean {
  return units.has(text)
}

/** `ms` → its unit; '' → none; with `per` divided by a time. */
export function unitOf(text: string, per: '' | 's' | 'm' | 'h' = ''): Unit {
  const unit = text === '' ? (per === '' ? noUnit : countUnit) : (units.get(text) as Unit)
  return per === '' ? unit : divideUnits(unit, units.get(per) as Unit)
}

export function multiplyUnits(a: Unit, b: Unit): Unit {
  return {
    time: a.time + b.time,
    data: a.data + b.data,
    count: a.count + b.count,
    numerator: a.numerator * b.numerator,
    denominator: a.denominator * b.denominator,
    isUnknown: a.isUnknown || b.isUnknown,
  }
}

export function divideUnits(a: Unit, b: Unit): Unit {
  const inverse: Unit = {
    time: -b.time,
    data: -b.data,
    count: -b.count,
    numerator: b.denominator,
    denominator: b.numerator,
    isUnknown: b.isUnknown,
  }
  const unit = multiplyUnits(a, inverse)
  // What is unknown cancels: a share of undeclared counts is a ratio like any other.
  return a.isUnknown && b.isUnknown ? { ...unit, isUnknown: false, numerator: 1, denominator: 1 } : unit
}

export function sameDimension(a: Unit, b: Unit): boolean {
  return a.time === b.time && a.data === b.data && a.count === b.count
}

export function isPlain(unit: Unit): boolean {
  return !unit.isUnknown && unit.time === 0 && unit.data === 0 && unit.count === 0
}

/** A value in unit `from` as a value in unit `to`; one rounding for a whole-number scale. */
export function convert(value: number, from: Unit, to: Unit): number {
  const numerator = from.numerator * to.denominator
  const denominator = from.denominator * to.numerator
  if (numerator === denominator) return value
  return numerator % denominator === 0 ? value * (numerator / denominator) : (value * numerator) / denominator
}

/** `a count`, `a time`: what a dimension is called in messages. */
export function describeUnit(unit: Unit): string {
  if (unit.isUnknown) return 'a number of unknown unit'
  const { time: t, data: d, count: c } = unit
  const known: Record<string, string> = {
    '0 0 0': 'a ratio',
    '1 0 0': 'a time',
    '0 1 0': 'an amount of data',
    '0 0 1': 'a count',
    '-1 0 1': 'a rate',
    '-1 1 0': 'a data rate',
    '-1 0 0': 'a rate',
    '1 0 -1': 'a time per count',
    '0 1 -1': 'data per count',
  }
  return known[`${t} ${d} ${c}`] ?? 'a compound unit'
}

/** Two ways to write a bare number in a unit of this dimension, for help. */
export function unitExamples(unit: Unit): readonly string[] {
  if (unit.time === 1) return ['ms', 's']
  if (unit.data === 1 && unit.time === 0) return ['MB', 'MiB']
  if (unit.data === 1) return ['kB/s', 'Mbit/s']
  if (unit.time === -1) return ['/s', '/m']
  return []
}
