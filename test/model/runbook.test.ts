import { expect, test } from 'vitest'
import { runbookAddress, runbookPath } from '../../src/model/runbook.ts'

const served = [
  'docs/runbooks.md',
  '/docs/runbooks.md',
  'docs/runbooks.md#http_5xx_spike',
  'docs/adr/0114-log-files.md',
]
const asWritten = [
  'https://wiki.example.org/docs/runbooks.md',
  'ask Ada',
  'docs/',
  'docs/notes.txt',
  'docs/../tocsin.yaml',
  'docs/../secrets.md',
  'docs/.hidden.md',
  'docs/a/b/c.md',
  'docs//x.md',
  'docs/runbooks.md?x',
  'docs/runbooks.md#a b',
  'javascript:docs/x.md',
  '',
]

test.each(served)('%j is read at the console', (place) => {
  expect(runbookAddress(place, 'https://tocsin.example.org')).toBe(
    `https://tocsin.example.org/${place.replace(/^\//, '')}`,
  )
})

test.each(asWritten)('%j is shown as it is written', (place) => {
  expect(runbookPath(place)).toBeUndefined()
  expect(runbookAddress(place, 'https://tocsin.example.org')).toBe(place)
})
