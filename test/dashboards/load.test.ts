import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { checkDashboards, DashboardFiles } from '../../src/dashboards/load.ts'
import { formatProblem } from '../../src/runtime/problem.ts'

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-dashboards-'))
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }))

function write(files: Readonly<Record<string, string>>): string {
  fs.mkdirSync(dir, { recursive: true })
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), text)
  return dir
}

const good = 'title: Good\ngraphs:\n  - {title: G, targets: ["rate(a.b)", {name: five, target: "sum(a.5*)"}]}\n'

test('the dashboards that are shipped are fine', () => {
  expect(checkDashboards([path.resolve('dashboards')]).map(formatProblem)).toEqual([])
})

test('all problems of a file come at once, each with its place and what was expected', () => {
  const bad = [
    'titel: Requests',
    'graphs:',
    '  - title: One',
    '    targets: ["rate(a..b)"]',
    '  - title: Two',
    '    stacked: 3',
    '    targets: []',
  ].join('\n')
  const problems = checkDashboards([write({ 'bad.yaml': bad })]).map(({ line, message, help }) => [line, message, help])
  expect(problems).toEqual(
    expect.arrayContaining([
      [1, 'titel: there is no such key', 'did you mean "title"?'],
      [4, expect.stringContaining('a segment is empty'), undefined],
      [6, expect.stringMatching(/^graphs\[1\]\.stacked: expected true or false/), undefined],
      [7, expect.stringContaining('graphs[1].targets: expected at least one target'), undefined],
    ]),
  )
})

test('a bad file does not touch the others, and a file that comes back is taken again', () => {
  const files = new DashboardFiles()
  files.load([write({ 'a.yaml': good, 'b.yaml': 'title: [' })])
  expect(files.view().dashboards.map(({ name }) => name)).toEqual(['a'])
  expect(files.view().problems).toEqual([expect.stringMatching(/^b\.yaml:1:/)])
  files.load([write({ 'b.yaml': good.replace('Good', 'Better') })])
  expect(files.view()).toMatchObject({ dashboards: [{ name: 'a' }, { name: 'b', title: 'Better' }], problems: [] })
})

test('a removed file is gone', () => {
  const files = new DashboardFiles()
  files.load([write({ 'a.yaml': good })])
  fs.rmSync(path.join(dir, 'a.yaml'))
  files.load([dir])
  expect(files.view()).toEqual({ dashboards: [], problems: [] })
})

test('a directory that is not there has no dashboards; a file that was named has to be there', () => {
  expect(checkDashboards([path.join(dir, 'nowhere')])).toEqual([])
  expect(checkDashboards([path.join(dir, 'nowhere.yaml')])).toMatchObject([
    { message: expect.stringContaining('cannot be read') },
  ])
})

test('two files of one name cannot both be shown', () => {
  const twin = path.join(write({ 'a.yaml': good }), 'twin')
  fs.mkdirSync(twin)
  fs.writeFileSync(path.join(twin, 'a.yaml'), good)
  expect(checkDashboards([dir, twin])).toMatchObject([
    { message: expect.stringContaining('there is a dashboard "a" already') },
  ])
})
