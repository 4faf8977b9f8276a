import { expect, test } from 'vitest'
import { formatNumber, unitOf } from '../../../src/dashboards/web/format.ts'
import { ago } from '../../../src/dashboards/web/time.ts'

test.each([
  [0, '', '0'],
  [0, 'ms', '0 ms'],
  [null, 'ms', '–'],
  [12.345, '/s', '12.3 /s'],
  [1234, '', '1234'],
  [12_345, '', '12.3 k'],
  [2_500_000, '', '2.5 M'],
  [340, 'ms', '340 ms'],
  [1234, 'ms', '1.23 s'],
  [0.25, 's', '250 ms'],
  [0.063, 'share', '6.3%'],
  [5, '%', '5%'],
  [3_565_158, 'B', '3.4 MiB'],
  [-1500, 'ms', '-1.5 s'],
])('%s with unit "%s" reads %s', (value, unit, text) => {
  expect(formatNumber(value, unit)).toBe(text)
})

test.each([
  [0.063, '6.3%', 'share'],
  [340, '340ms', 'ms'],
  [1400, '1.4s', ''],
  [7, '7', ''],
  [null, '6%', ''],
])('%s beside "%s" is in "%s"', (value, text, unit) => {
  expect(unitOf(value, text)).toBe(unit)
})

test.each([
  [0, '0 s'],
  [59_900, '59 s'],
  [252_000, '4 m 12 s'],
  [11_100_000, '3 h 05 m'],
  [187_200_000, '2 d 4 h'],
  [-5, '0 s'],
])('%i ms is %s', (durationMs, text) => {
  expect(ago(durationMs)).toBe(text)
})
