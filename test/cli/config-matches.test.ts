/** What routes and maintenance match, held against the rules that there are. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { matchProblems } from '../../src/cli/config-matches.ts'
import { loadConfig } from '../../src/runtime/config.ts'

let dir: string
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-matches-'))
  const rule = 'rules: {http_5xx: {crit: "x.{process} > 5", tags: {team: core}}}'
  fs.writeFileSync(path.join(dir, 'rules.yaml'), rule)
})
afterEach(() => fs.rmSync(dir, { recursive: true }))

function problems(match: string, rules = 'rules.yaml'): string[] {
  const file = path.join(dir, 'tocsin.yaml')
  const route = `{receiver: a, routes: [{match: ${match}, receiver: a}]}`
  fs.writeFileSync(
    file,
    `rules: [${rules}]\nalerts:\n  receivers: {a: {email: {to: x@example.org}}}\n  route: ${route}\n`,
  )
  const loaded = loadConfig(file, {})
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error))
  return matchProblems(loaded.value).map(({ message, help }) => `${message} (${help})`)
}

test.each([
  '{severity: warn, rule: "http_*", group: a, process: web, team: "!core"}',
  '{rule: source_dead}',
  '{rule: page_undelivered, receiver: a}',
  '{rule: "!http_5xx"}',
])('%s may be met', (match) => expect(problems(match)).toEqual([]))

test('a name that no rule has, and a pattern that no rule meets, are named with what was meant', () => {
  expect(problems('{sevrity: crit, rule: "htpp_*", team: x}')).toEqual([
    'alerts.route.routes[0].match.sevrity: no rule has such a name or tag (did you mean "severity"?)',
    expect.stringMatching(/^alerts.route.routes\[0\].match.rule: no rule is called so, got "htpp_\*"/),
  ])
})

test('where the rules cannot be read nothing is said', () => {
  expect(problems('{sevrity: crit}', 'nowhere.yaml')).toEqual([])
})
