/**
 * `/metrics`: every part's own counters in Prometheus's text format.
 *
 *     # HELP tocsin_ingest_bad_lines_total Bad lines total, as part ingest counts it.
 *     # TYPE tocsin_ingest_bad_lines_total counter
 *     tocsin_ingest_bad_lines_total{instance="web1-lq3k9x",reason="type"} 3
 */
import type { Status } from '../model/status.ts'
import type { PartView } from './view.ts'

interface Family {
  help: string
  samples: string[]
}

/** Counters may carry labels in their name; the instance is put before them. */
export function metricsText(statuses: readonly Status[], parts: readonly PartView[], nowMs: number): string {
  const families = new Map<string, Family>()
  for (const { part, instance, state, heardMs } of parts) {
    const labels = `part="${escaped(part)}",instance="${escaped(instance)}"`
    add(families, 'tocsin_part_ready', labels, state === 'ready' ? 1 : 0, 'Whether the part is ready and reports.')
    const age = Math.max(0, nowMs - heardMs) / 1000
    add(families, 'tocsin_part_heard_seconds_ago', labels, age, 'Seconds since the part reported last.')
  }
  for (const { part, instance, counters } of statuses) {
    for (const [counter, value] of Object.entries(counters)) addCounter(families, part, instance, counter, value)
  }
  return [...families]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(familyText)
    .join('')
}

function addCounter(families: Map<string, Family>, part: string, instance: string, counter: string, value: number) {
  const [name = '', labels = ''] = counter.replace(/\}$/, '').split('{')
  const family = `tocsin_${clean(part)}_${clean(name)}`
  const words = name.replaceAll('_', ' ')
  const help = `${words.charAt(0).toUpperCase()}${words.slice(1)}, as part ${part} counts it.`
  add(families, family, `instance="${escaped(instance)}"${labels && `,${labels}`}`, value, help)
}

function add(families: Map<string, Family>, name: string, labels: string, value: number, help: string): void {
  let family = families.get(name)
  if (!family) {
    family = { help, samples: [] }
    families.set(name, family)
  }
  family.samples.push(`${name}{${labels}} ${numberText(value)}\n`)
}

function familyText([name, { help, samples }]: [string, Family]): string {
  const type = name.endsWith('_total') ? 'counter' : 'gauge'
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.join('')}`
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf'
}

function clean(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/g, '_')
}

function escaped(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
}
