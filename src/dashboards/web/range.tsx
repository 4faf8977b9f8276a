/** Range: how much time the graphs of a page show; kept in the address. Keys 1, 2 and 3 choose. */
import { useEffect } from 'preact/hooks'
import { setQuery, useAddress } from './address.tsx'

const ranges = [
  ['15m', '15 min', 900_000],
  ['1h', '1 h', 3_600_000],
  ['2h', '2 h', 7_200_000],
] as const

export interface Range {
  name: string
  rangeMs: number
}

export function useRange(): Range {
  const { query } = useAddress()
  const chosen = ranges.find(([name]) => name === query.get('range')) ?? ranges[0]
  return { name: chosen[0], rangeMs: chosen[2] }
}

export function RangePicker({ range }: { range: Range }) {
  useEffect(() => {
    const listen = ({ key, target, metaKey, ctrlKey, altKey }: KeyboardEvent) => {
      if (target instanceof HTMLInputElement || metaKey || ctrlKey || altKey) return
      const picked = ranges[Number(key) - 1]
      if (picked) setQuery({ range: picked[0] })
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [])
  return (
    <fieldset class="range" aria-label="Time shown">
      {ranges.map(([name, label], i) => (
        <button
          key={name}
          type="button"
          aria-pressed={name === range.name}
          title={`key ${i + 1}`}
          onClick={() => setQuery({ range: name })}
        >
          {label}
        </button>
      ))}
    </fieldset>
  )
}
