/** The keys under `ingest`: their defaults, and what is refused. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../../src/runtime/config.ts'

let folder: string
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-ingest-config-'))
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

function load(text: string) {
  const file = path.join(folder, 'tocsin.yaml')
  fs.writeFileSync(file, text)
  const loaded = loadConfig(file, {})
  return loaded.ok ? loaded.value.ingest : loaded.error.map(({ message }) => message).join('\n')
}

test('defaults are those of a lone machine: local ports, no optional way in', () => {
  expect(load('')).toMatchObject({
    statsd: {
      udp: { host: '127.0.0.1', port: 8125 },
      tags: 'dogstatsd',
      lateness: 5000,
      checkInterval: 60_000,
      management: false,
    },
    graphite: { udp: false },
  })
  expect(load('')).not.toHaveProperty('allow')
})

test.each([
  [
    'ingest: {statsd: {tags: librato, lateness: 2s, checkInterval: 30s}}',
    { statsd: { tags: 'librato', lateness: 2000 } },
  ],
  [
    'ingest: {allow: [10.0.0.0/8, "::1", 192.168.1.7], perSourceLinesMax: 1000, graphite: {udp: 2013}}',
    {
      allow: ['10.0.0.0/8', '::1', '192.168.1.7'],
      perSourceLinesMax: 1000,
      graphite: { udp: { host: '127.0.0.1', port: 2013 } },
    },
  ],
  [
    'ingest: {statsd: {management: 8126, repeat: "old.example.org:8125"}}',
    {
      statsd: {
        management: { host: '127.0.0.1', port: 8126 },
        repeat: { host: 'old.example.org', port: 8125 },
      },
    },
  ],
])('%s is taken', (text, expected) => {
  expect(load(text)).toMatchObject(expected)
})

test.each([
  ['ingest: {statsd: {tags: datadog}}', 'ingest.statsd.tags: '],
  ['ingest: {statsd: {lateness: 5}}', 'ingest.statsd.lateness: expected a duration'],
  ['ingest: {statsd: {checkInterval: often}}', 'ingest.statsd.checkInterval: expected a duration'],
  ['ingest: {allow: [10.0.0.0/33]}', 'ingest.allow[0]: expected a network such as "10.0.0.0/8"'],
  ['ingest: {allow: [example.org]}', 'ingest.allow[0]: expected a network'],
  ['ingest: {allow: []}', 'ingest.allow'],
  ['ingest: {perSourceLinesMax: 0}', 'ingest.perSourceLinesMax'],
  ['ingest: {workers: 0}', 'ingest.workers: expected a number of workers from 1 to 64'],
  ['ingest: {graphite: {udp: nowhere}}', 'ingest.graphite.udp: expected host:port'],
  ['ingest: {statsd: {management: true}}', 'ingest.statsd.management'],
  ['ingest: {statsd: {repeat: old}}', 'ingest.statsd.repeat: expected host:port'],
])('%s is refused', (text, problem) => {
  expect(load(text)).toContain(problem)
})
