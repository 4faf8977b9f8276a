/**
 * Durations as people write them: `500ms`, `30s`, `1h30m`, `2w`. In code they are always milliseconds.
 */
const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** `1h30m` → 5400000; undefined for anything that is not digits and units, largest sense being the writer's own. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(ms|s|m|h|d|w))+$/.test(text)) return undefined
  let totalMs = 0
  for (const [, digits, unit] of text.matchAll(/(\d+)(ms|s|m|h|d|w)/g)) {
    totalMs += Number(digits) * (unitMs[unit as string] as number)
  }
  return totalMs
}

/** 5400000 → `1h30m`; days are the largest unit used, so that times in a week read alike. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0s'
  let rest = Math.abs(Math.round(durationMs))
  let text = durationMs < 0 ? '-' : ''
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = unitMs[unit] as number
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text
}

/** Two units at most, seconds at least: `6d23h`. */
export function roughDuration(durationMs: number): string {
  const text = formatDuration(Math.round(durationMs / 1000) * 1000)
  return text.match(/^(\d+[a-z]+){1,2}/)?.[0] ?? text
}
