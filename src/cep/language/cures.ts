/**
 * Cures: what to write instead of what people write who come from other languages, or in a hurry. Each gives the help of
 * an error that has been found anyway; nothing is accepted here.
 */
import type { Token } from './lex.ts'
import { isUnit, unitNames } from './units.ts'

/** Signs of other languages, longest first. */
const signs: readonly (readonly [sign: string, help: string])[] = [
  ['===', 'write ='],
  ['!==', 'write !='],
  ['==', 'write ='],
  ['=>', 'write >='],
  ['=<', 'write <='],
  ['<>', 'write !='],
  ['=~', 'a path takes * and {name:a|b}; there are no regular expressions'],
  ['!~', 'a path takes * and {name:a|b}; there are no regular expressions'],
  ['&&', 'write and'],
  ['&', 'write and'],
  ['||', 'write or'],
  ['|', 'write or'],
  ['!', 'write not'],
  ['≥', 'write >='],
  ['≤', 'write <='],
  ['≠', 'write !='],
  ['×', 'write *'],
  ['÷', 'write /'],
  ['–', 'write -'],
  ['−', 'write -'],
  ['“', 'write "'],
  ['”', 'write "'],
  ['„', 'write "'],
  ['‘', "write '"],
  ['’', "write '"],
  ['}', 'there is no "{" before it'],
  [']', 'there is no "[" before it'],
  [';', 'a level is one sentence; a second one is another level or another rule'],
]

/** A sign that other languages have at this place, with what to write; undefined for others. */
export function foreignSign(text: string, at: number): { sign: string; help: string } | undefined {
  const found = signs.find(([sign]) => text.startsWith(sign, at) && !(sign === '!' && text[at + 1] === '='))
  return found && { sign: found[0], help: found[1] }
}

const functionCures: Readonly<Record<string, string>> = {
  mean: 'avg(…)',
  average: 'avg(…)',
  median: 'p50(…)',
  percentile: 'p95(…), or any other percentile by its number',
  quantile: 'p95(…), or any other percentile by its number',
  histogram_quantile: 'p95(…) of a timer',
  maximum: 'max(…)',
  minimum: 'min(…)',
  total: 'sum(…)',
  std: 'stddev(…)',
  stdev: 'stddev(…)',
  increase: 'sum(…) over 5m for counts, change(…) over 5m for gauges',
  delta: 'change(…) over 5m',
  deriv: 'change(…) over 5m, or forecast(…)',
  irate: 'rate(…)',
  predict_linear: 'forecast(x, from=6h, ahead=1d)',
  absent: 'no path for 5m, which is a condition of its own',
  missing: 'no path for 5m, which is a condition of its own',
  unique: 'distinct(event:…, "tag")',
  cardinality: 'distinct(event:…, "tag")',
  zscore: 'unusual(x, vs=1h)',
  anomaly: 'unusual(x, vs=1h) or unusual(x, season=1w)',
}

/** What a function of another language is called here. */
export function functionCure(name: string): string | undefined {
  const small = name.toLowerCase()
  const percentile = /^(?:p|perc|percentile|upper_)(\d+)$/.exec(small)?.[1]
  if (percentile !== undefined) return `p${percentile}(…)`
  return functionCures[small] ?? functionCures[small.replace(/_over_time$/, '')]
}

const unitCures: Readonly<Record<string, string>> = {
  msec: 'ms',
  millisecond: 'ms',
  sec: 's',
  second: 's',
  min: 'm',
  minute: 'm',
  hr: 'h',
  hour: 'h',
  day: 'd',
  week: 'w',
  percent: '%',
  pct: '%',
  byte: 'B',
  K: 'kB',
  M: 'MB',
  G: 'GB',
  Ki: 'KiB',
  Mi: 'MiB',
  Gi: 'GiB',
  kbps: 'kbit/s',
  Mbps: 'Mbit/s',
  Gbps: 'Gbit/s',
}

/** The unit that a word most likely means: `seconds` → s, `gb` → GB. */
export function meantUnit(word: string): string | undefined {
  if (isUnit(word)) return word
  const known = unitCures[word] ?? unitCures[word.replace(/s$/, '')] ?? unitCures[word.toLowerCase().replace(/s$/, '')]
  return known ?? unitNames.find((unit) => unit.toLowerCase() === word.toLowerCase())
}

/** What stands behind a sentence that is already complete. */
export function cureAfterEnd(found: Token, next: Token, before: Token | undefined): string | undefined {
  const { text, kind } = found
  const small = text.toLowerCase()
  if (text !== small && ['and', 'or', 'not', 'for', 'until', 'keep', 'then', 'is'].includes(small))
    return `write ${small}`
  if (text === ')') return 'there is no "(" before it'
  if (text === ',' && before?.kind === 'number' && next.kind === 'number') {
    return `a number has no commas: ${before.text}${next.text}`
  }
  if (kind === 'mark' && /[<>=]/.test(text)) return 'compare twice: 3 < x and x < 5'
  if (small === 'between') return 'compare twice: x > 3 and x < 5'
  if (text === 'by')
    return 'what is kept are the {names} in the path; "by" stands behind the parenthesis: sum(…) by host'
  if (text === 'for' || text === 'until' || text === 'keep') {
    return 'in this order: condition, for how long, until what, keep how long'
  }
  if (text === 'in' || text === 'on' || text === 'where') return 'which series are meant is said by the path'
  return kind === 'word' && isUnit(text) ? `a number and its unit are one word` : undefined
}

/** A duration that is none, such as `5`, `5 m`, `5 minutes` or `5min`. */
export function durationCure(found: string, next: string): string | undefined {
  const [, digits, word = ''] = /^(\d+)\s*([A-Za-z]*)$/.exec(found) ?? []
  if (digits === undefined) return undefined
  const unit = meantUnit(word === '' ? next : word)
  if (unit !== undefined && /^(ms|[smhdw])$/.test(unit)) return `write ${digits}${unit}`
  return word === '' ? `write ${digits}s or ${digits}m` : 'durations have the units ms s m h d w'
}

/** A path that is none because something else was meant. */
export function pathCure(text: string): string | undefined {
  if (/\[\d+(ms|[smhdw])\]/.test(text)) return 'how long is said behind the parenthesis: sum(…) over 5m'
  if (/^\.\d+$/.test(text)) return `write 0${text}`
  if (/^\d+e\d+$/i.test(text)) return `write ${Number(text)}`
  if (/\{[^}]*[[\]()+^$\\]/.test(text)) return 'a hole takes globs, not regular expressions: {host:web*|db?}'
  if (/\.\.|\.$|^\./.test(text)) return 'a dot too many?'
  if (/\*\*/.test(text)) return 'write ** between dots, or * inside a segment'
  return undefined
}

const sentenceHelp = (word: string) => `it is part of the sentence: crit: … ${word}`
const keyCures: Readonly<Record<string, string>> = {
  critical: 'write crit',
  error: 'write crit',
  page: 'write crit',
  alert: 'write crit',
  warning: 'write warn',
  for: sentenceHelp('for 5m'),
  until: sentenceHelp('until < 3'),
  keep: sentenceHelp('keep 5m'),
  expr: 'the condition is the value of warn or crit',
  condition: 'the condition is the value of warn or crit',
  threshold: 'the limit is part of the sentence: crit: x > 5',
  severity: 'a level is a key: warn or crit',
  level: 'a level is a key: warn or crit',
  message: 'write say',
  summary: 'write say',
  description: 'write say',
  annotations: 'write say, runbook and tags',
  labels: 'write tags',
  interval: 'write every',
  step: 'write every',
  limit: 'write at most',
  'group by': 'groups are the {names} in the path',
  by: 'groups are the {names} in the path',
  hide: 'write hide when',
  missing: 'write if missing',
  'no data': 'write if missing',
  repeat: 'write remind',
  team: 'tags: {team: …}',
  groups: 'rule files have rules: {name: {crit: …}}; docs/rules.md says how Prometheus rules are written here',
  type: 'write kind',
  name: 'write match',
  path: 'write match',
  input: 'write given',
  expected: 'write expect',
  objective: 'write target',
  good: 'write bad: an objective counts what failed',
  total: 'write all',
}

/** What an unknown key most likely means, where that is known here. */
export function keyCure(key: string, known: readonly string[]): string | undefined {
  const cure = keyCures[key.toLowerCase().replace(/[_-]/g, ' ')]
  const meant = /^write (.+?)(:|,|$)/.exec(cure ?? '')?.[1]
  if (cure === undefined) return spelt(key, known)
  if (meant !== undefined) return known.includes(meant) ? cure : spelt(key, known)
  return known.includes('crit') || key === 'groups' ? cure : undefined
}

/** `if_missing`, `ifMissing`, `At Most`. */
function spelt(key: string, known: readonly string[]): string | undefined {
  const small = key
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]/g, ' ')
    .toLowerCase()
  return small !== key && known.includes(small) ? `write ${small}` : undefined
}
