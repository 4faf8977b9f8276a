import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkCloudwatch, readSettings } from '../../src/cloudwatch2graphite/settings.ts'
import { formatProblem } from '../../src/runtime/problem.ts'

let dir: string
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-cloudwatch-'))
})
afterEach(() => fs.rmSync(dir, { recursive: true }))

function problems(text: string): string[] {
  const file = path.join(dir, 'cloudwatch.yaml')
  fs.writeFileSync(file, text)
  return checkCloudwatch(file).map((problem) => formatProblem(problem).replace(`${dir}/`, ''))
}

test('the shipped file is fine and asks for all load balancers', () => {
  const read = readSettings(path.resolve(import.meta.dirname, '../../cloudwatch.yaml'))
  expect(read).toMatchObject({ ok: true, value: { watch: [{ namespace: 'AWS/ELB', names: ['*'] }] } })
})

test('an empty file asks for the load balancer metrics of old', () => {
  fs.writeFileSync(path.join(dir, 'cloudwatch.yaml'), '')
  const read = readSettings(path.join(dir, 'cloudwatch.yaml'))
  const metrics = read.ok ? read.value.watch[0]?.metrics.map(({ name, statistics }) => `${name} ${statistics}`) : []
  expect(metrics).toEqual([
    'HealthyHostCount Sum',
    'HTTPCode_Backend_2XX Sum',
    'HTTPCode_Backend_3XX Sum',
    'HTTPCode_Backend_4XX Sum',
    'HTTPCode_Backend_5XX Sum',
    'RequestCount Sum',
    'Latency Average,Maximum',
  ])
})

test('every problem is told at once, with its place', () => {
  expect(
    problems(`lateness: 3
watch:
  - names: []
    renam: {a: b}
  - namespace: AWS/RDS
    metrics: [{name: CPUUtilization, statistics: [Mean], unit: Percent}]
`),
  ).toEqual([
    'cloudwatch.yaml:1:11: lateness: expected a duration such as "1s", got 3',
    'cloudwatch.yaml:3:5: watch[0].names: expected at least one name, or none of this for all, got []',
    'cloudwatch.yaml:4:5: watch[0].renam: there is no such key\n    help: did you mean "rename"?',
    expect.stringContaining('cloudwatch.yaml:6:51: watch[1].metrics[0].statistics[0]: expected Sum, Average'),
  ])
})

test('a namespace without defaults has to say its dimension and metrics', () => {
  expect(problems('watch: [{namespace: AWS/RDS}]').map((problem) => problem.replace(/;.*/, ''))).toEqual([
    'cloudwatch.yaml:1:9: watch[0].dimension: is missing',
    'cloudwatch.yaml:1:9: watch[0].metrics: is missing',
  ])
})

test('a file that is not there is told as such', () => {
  expect(checkCloudwatch('/nowhere/cloudwatch.yaml')).toMatchObject([
    { file: '/nowhere/cloudwatch.yaml', message: expect.stringContaining('cannot be read: ENOENT') },
  ])
})
