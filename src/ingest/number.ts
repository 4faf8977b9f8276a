/**
 * Number: decimals straight from bytes, without a string where that can be avoided.
 */

/**
 * A finite decimal with optional sign, fraction and exponent, correctly rounded; NaN for anything else. Up to 15 digits
 * and no exponent (nearly all there are) go without a string: both the digits and the power of ten are exact floats, so
 * their quotient is the nearest float.
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number): number {
  const isNegative = bytes[start] === minus
  let here = isNegative || bytes[start] === plus ? start + 1 : start
  const digitsAt = here
  let digits = 0
  let fractionAt = -1
  if (here >= end || end - here > 16) return parseLongNumber(bytes, start, end)
  for (; here < end; here++) {
    const digit = (bytes[here] as number) - zero
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit
    else if (bytes[here] === dot && fractionAt < 0) fractionAt = here + 1
    else return parseLongNumber(bytes, start, end)
  }
  const places = fractionAt < 0 ? 0 : end - fractionAt
  const digitCount = end - digitsAt - (fractionAt < 0 ? 0 : 1)
  if (digitCount === 0 || digitCount > 15) return parseLongNumber(bytes, start, end)
  const value = places === 0 ? digits : digits / (powersOfTen[places] as number)
  return isNegative ? -value : value
}

const plus = 0x2b
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const powersOfTen = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent)
const numberBytesMax = 400

function parseLongNumber(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > numberBytesMax) return Number.NaN
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.max(0, end - start)).toString('latin1')
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number.NaN
  const value = Number(text)
  return Number.isFinite(value) ? value : Number.NaN
}
