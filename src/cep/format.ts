/**
 * Format: numbers as people read them, in their units. No locale, so that every engine says the same.
 */
import { formatDuration } from '../model/duration.ts'
import type { Unit } from './language/units.ts'

export interface Shape {
  unit: Unit
  isPercent: boolean
}

/** 0.063 → `6.3%`, 1500 ms → `1.5s`, 4294967296 B → `4GiB`, 2.5 per second → `2.5/s`; `?` when missing. */
export function formatValue(value: number, { unit, isPercent }: Shape): string {
  if (Number.isNaN(value)) return '?'
  const base = (value * unit.numerator) / unit.denominator
  if (isPercent) return `${digits(base * 100, 2)}%`
  if (unit.isUnknown) return unit.time === -1 ? `${digits(base * 1000, 2)}/s` : digits(value, 3)
  if (unit.time === 1 && unit.data === 0) return formatTime(base)
  if (unit.data === 1 && unit.time === 0) return formatBytes(base)
  if (unit.data === 1 && unit.time === -1) return `${formatBytes(base * 1000)}/s`
  if (unit.time === -1) return `${digits(base * 1000, 2)}/s`
  return digits(value, 2)
}

function formatTime(ms: number): string {
  const size = Math.abs(ms)
  if (size < 1000) return `${digits(ms, size < 10 ? 2 : 0)}ms`
  if (size < 60_000) return `${digits(ms / 1000, 2)}s`
  return formatDuration(Math.round(ms / 1000) * 1000)
}

function formatBytes(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let [value, name] = [bytes, 0]
  while (Math.abs(value) >= 1024 && name < names.length - 1) {
    value /= 1024
    name++
  }
  return `${digits(value, 1)}${names[name]}`
}

/** At most `places` decimals, none that say nothing; small numbers keep two digits that count. */
function digits(value: number, places: number): string {
  if (value === 0 || Number.isInteger(value)) return String(value)
  const size = Math.abs(value)
  const wanted = size >= 100 ? Math.min(places, 1) : size >= 0.01 ? places : places + 2
  const text = value.toFixed(wanted)
  const short = text.includes('.') ? text.replace(/\.?0+$/, '') : text
  return Number(short) === 0 ? value.toPrecision(2) : short
}
