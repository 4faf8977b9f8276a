/** A located problem in a file that a person wrote: config, rules, checks, dashboards. */
export interface Problem {
  file: string
  /** From 1; undefined when the whole file is meant. */
  line?: number
  column?: number
  /** What was expected and what came. */
  message: string
  /** How to mend it. */
  help?: string
}

/** `tocsin.yaml:12:10: ingest.flushInterval: expected …` and, on its own line, the help. */
export function formatProblem({ file, line, column, message, help }: Problem): string {
  const where = line === undefined ? file : column === undefined ? `${file}:${line}` : `${file}:${line}:${column}`
  return `${where}: ${message}${help ? `\n    help: ${help}` : ''}`
}

/** The candidate that a misspelled word most likely meant: at most a third of its letters differ. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      bestDistance = distance
      best = candidate
    }
  }
  return best
}

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours count one each. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let distance = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, substituted)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (beforeLast[j - 2] as number) + 1)
      }
      row.push(distance)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] as number
}
