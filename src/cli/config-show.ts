/** `tocsin config show`. */
import fs from 'node:fs'
import { stringify } from 'yaml'
import { formatByteSize } from '../model/byte-size.ts'
import { formatDuration } from '../model/duration.ts'
import type { Config } from '../runtime/config.ts'
import type { Outcome } from './print.ts'

/** What is in force: defaults included, durations and addresses as people write them, secrets as they stand in the file. */
export function configShow(config: Config, { json }: { json?: boolean }): Outcome {
  const { file, written, ...settings } = config
  const shown = readable(settings, [], written)
  return {
    exitCode: 0,
    text: json
      ? JSON.stringify(shown, null, 2)
      : `# ${file}${fs.existsSync(file) ? '' : ' is not there: every default'}\n${stringify(shown)}`,
  }
}

const durationKeys = new Set([
  'flushInterval',
  'lateness',
  'interval',
  'checkInterval',
  'timeout',
  'retention',
  'giveUpAfter',
  'repeat',
  'within',
  'calm',
  'warnBefore',
])

function readable(value: unknown, at: (string | number)[], written: Config['written']): unknown {
  const asWritten = written.get(JSON.stringify(at))
  if (asWritten !== undefined) return asWritten
  if (at.at(-1) === 'secret') return '***'
  if (Array.isArray(value)) return value.map((item, i) => readable(item, [...at, i], written))
  if (typeof value === 'number' && durationKeys.has(String(at.at(-1)))) return formatDuration(value)
  if (typeof value === 'number' && ['cep.journal.bytesMax', 'cep.memoryMax'].includes(at.join('.')))
    return formatByteSize(value)
  if (typeof value === 'string') return value.replace(/^([a-z+]+:\/\/[^:@/]*):[^@]*@/, '$1:***@')
  if (typeof value !== 'object' || value === null) return value
  if ('host' in value && 'port' in value && Object.keys(value).length === 2) return `${value.host}:${value.port}`
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, readable(inner, [...at, key], written)]))
}
