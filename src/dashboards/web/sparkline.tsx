/** Sparkline: how the compared value got where it is, against its limit. The numbers stand beside it, so it is mute. */

const width = 130
const height = 34

interface SparklineProps {
  values: readonly (number | null)[]
  threshold: number | null
}

export function Sparkline({ values, threshold }: SparklineProps) {
  const known = values.filter((value) => value !== null)
  if (known.length < 2) return null
  const all = threshold === null ? known : [...known, threshold]
  const low = Math.min(0, ...all)
  const span = Math.max(...all) - low || 1
  const y = (value: number) => height - 2 - ((value - low) / span) * (height - 4)
  const x = (i: number) => (i / (values.length - 1)) * width
  return (
    <svg class="sparkline" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {threshold !== null && (
        <path class="limit" d={`M0 ${y(threshold)}H${width}`} stroke-width="1" stroke-dasharray="3 3" />
      )}
      <path d={pathOf(values, x, y)} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" />
    </svg>
  )
}

/** A line with a hole wherever a value is missing. */
function pathOf(values: readonly (number | null)[], x: (i: number) => number, y: (value: number) => number): string {
  return values
    .map((value, i) => {
      if (value === null) return ''
      const command = i === 0 || values[i - 1] === null ? 'M' : 'L'
      return `${command}${x(i).toFixed(1)} ${y(value).toFixed(1)}`
    })
    .join('')
}
