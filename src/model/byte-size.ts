/** Sizes as people write them: `500MB`, `2GB` (powers of 1000), `512MiB` (powers of 1024). In code they are bytes. */
const unitBytes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** `2GB` → 2000000000, `4096` → 4096; undefined for what is not digits and a unit. */
export function parseByteSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?$/.exec(text)
  if (!match) return undefined
  return Math.round(Number(match[1]) * (unitBytes[match[2] ?? 'B'] as number))
}

/** 2000000000 → `2GB`, in the largest unit that is exact, so that it reads back as the same number. */
export function formatByteSize(bytes: number): string {
  const units = Object.entries(unitBytes).sort(([, a], [, b]) => b - a)
  const [name, size] = units.find(([, unit]) => bytes >= unit && bytes % unit === 0) ?? ['B', 1]
  return `${bytes / size}${name}`
}

/** 1234567 → `1.2 MB`, for reading only. */
export function roughByteSize(bytes: number): string {
  const [name, size] = (['TB', 'GB', 'MB', 'kB'] as const)
    .map((unit) => [unit, unitBytes[unit] as number] as const)
    .find(([, unit]) => bytes >= unit) ?? ['B', 1]
  const amount = bytes / size
  return `${amount >= 100 || name === 'B' ? Math.round(amount) : amount.toFixed(1)} ${name}`
}
