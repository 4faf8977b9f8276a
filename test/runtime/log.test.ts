import { expect, test } from 'vitest'
import { createLog, Situation } from '../../src/runtime/log.ts'
import { rememberSecret } from '../../src/runtime/secrets.ts'

function collecting(format: 'json' | 'text' = 'text') {
  const lines: string[] = []
  return { lines, log: createLog({ format, write: (line) => lines.push(line) }) }
}

test('a line names its part and its fields', () => {
  const { lines, log } = collecting()
  log.child('ingest').warn('bad line', { from: '10.0.0.7', column: 10 })
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d ingest: warn: bad line from=10\.0\.0\.7 column=10\n$/)
})

test('no secret reaches a line, in whatever field or form it comes', () => {
  rememberSecret('s3cret&value', '${PASSWORD}')
  for (const format of ['json', 'text'] as const) {
    const { lines, log } = collecting(format)
    log.info('connecting to amqp://u:s3cret%26value@h', {
      error: new Error('bad s3cret&value'),
      nested: { key: 's3cret&value' },
    })
    expect(lines.join('')).not.toMatch(/s3cret/)
  }
})

test('a situation is told when it begins, changes and ends, not in between', () => {
  const { lines, log } = collecting()
  const situation = new Situation(log)
  situation.good('connected')
  for (let i = 0; i < 5; i++) situation.bad('refused')
  situation.bad('timed out')
  situation.good('connected again')
  situation.good('connected again')
  expect(lines.map((line) => line.slice(9).trim())).toEqual(['warn: refused', 'warn: timed out', 'connected again'])
  expect(situation.problem).toBeUndefined()
})
