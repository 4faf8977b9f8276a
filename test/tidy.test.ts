/**
 * Guards what the compiler cannot: which way imports point, who may look at a clock, tests beside rules.
 * Each failure names its cure.
 */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '..')
const sources = filesUnder('src')

/** Lower layers never import higher ones; parts share a layer and never import each other. */
const layers: readonly (readonly string[])[] = [
  ['model'],
  ['runtime'],
  ['bus'],
  ['ingest', 'cep', 'checks', 'alerts', 'graphite', 'cloudwatch2graphite', 'dashboards', 'self'],
  ['cli'],
  ['main.ts'],
]

test('imports point one way: main → parts → bus → runtime → model, and no part imports a part', () => {
  const wrong = sources.flatMap((file) =>
    importsOf(file)
      .filter((target) => !mayImport(file, target))
      .map((target) => `${file} imports ${target}`),
  )
  expect(wrong, 'move what is shared down a layer, or let the parts meet on the bus').toEqual([])
})

test('only clock.ts knows the time and only the browser, which has no replay, has timers of its own', () => {
  const forbidden = /\bDate\.now\b|\bnew Date\b|\bset(Timeout|Interval)\(|\bperformance\.now\b|\bMath\.random\b/
  const wrong = sources
    .filter((file) => file !== 'src/runtime/clock.ts' && !file.startsWith('src/dashboards/web/'))
    .flatMap((file) => linesMatching(file, forbidden))
  expect(wrong, 'take a Clock and use clock.now(), aligned(), sleep() or interval(ms, clock)').toEqual([])
})

test('only main.ts reads argv, environment and signals', () => {
  const wrong = sources
    .filter((file) => file !== 'src/main.ts')
    .flatMap((file) => linesMatching(file, /process\.(argv|env|on|once)\b/))
  expect(wrong, 'let main.ts read it and hand it in').toEqual([])
})

test('each library stays in one folder', () => {
  const homes: Record<string, RegExp> = {
    amqplib: /^src\/bus\//,
    '@aws-sdk/client-cloudwatch': /^src\/cloudwatch2graphite\//,
    nodemailer: /^src\/alerts\//,
    '@resvg/resvg-js': /^src\/alerts\/graph\//,
    express: /^src\/dashboards\//,
    preact: /^src\/dashboards\/web\//,
    uplot: /^src\/dashboards\/web\//,
    pino: /^src\/runtime\//,
    'node:sqlite': /^src\/alerts\//,
  }
  const wrong = sources.flatMap((file) =>
    specifiersOf(file)
      .filter((specifier) =>
        Object.entries(homes).some(
          ([name, home]) => (specifier === name || specifier.startsWith(`${name}/`)) && !home.test(file),
        ),
      )
      .map((specifier) => `${file} imports ${specifier}`),
  )
  expect(wrong).toEqual([])
})

test('every shipped rule file carries its tests', () => {
  const without = filesUnder('rules').filter((file) => file.endsWith('.yaml') && !/^\s*tests:/m.test(read(file)))
  expect(without, 'a rule shows that it fires, and that it does not').toEqual([])
})

function mayImport(file: string, target: string): boolean {
  const [from, to] = [folderOf(file), folderOf(target)]
  if (from === to) return true
  return layerOf(to) < layerOf(from)
}

function folderOf(file: string): string {
  return file.split('/')[1] as string
}

function layerOf(folder: string): number {
  const layer = layers.findIndex((names) => names.includes(folder))
  expect(layer, `${folder} belongs to no layer; add it to test/tidy.test.ts`).toBeGreaterThanOrEqual(0)
  return layer
}

function specifiersOf(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier]) => specifier as string)
}

function importsOf(file: string): string[] {
  return specifiersOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => path.posix.join(path.posix.dirname(file), specifier))
    .filter((target) => target.startsWith('src/'))
}

function linesMatching(file: string, pattern: RegExp): string[] {
  return read(file)
    .split('\n')
    .flatMap((line, i) =>
      pattern.test(line.replace(/^\s*(\*|\/\/|\/\*).*/, '')) ? [`${file}:${i + 1}: ${line.trim()}`] : [],
    )
}

function read(file: string): string {
  return fs.readFileSync(path.join(root, file), 'utf8')
}

function filesUnder(folder: string): string[] {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(tsx?|yaml)$/.test(entry.name))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
}
