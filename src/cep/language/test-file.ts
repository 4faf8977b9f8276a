/**
 * Tests in rule files, as written; the harness turns them into messages and compares timelines.
 */
import { isMap, isScalar } from 'yaml'
import type { RawTest } from './load.ts'
import { readDuration } from './rule-file.ts'
import { testKeys } from './words.ts'
import { entriesOf, itemsOf, type SourceFile, textOf } from './yaml-rules.ts'

const oneEvent = 'an item of "events" is one event: its time and what it is, such as 10m3s: event:deploy'

/** The list under `tests:`; `rule` is the rule it stands in. */
export function readTests(file: SourceFile, node: unknown, rule: string | undefined): RawTest[] {
  return itemsOf(file, node, 'tests').flatMap((item) => readTest(file, item, rule) ?? [])
}

function readTest(file: SourceFile, item: unknown, rule: string | undefined): RawTest | undefined {
  const found = new Map(entriesOf(file, item, 'a test', testKeys).map(([key, node]) => [key, node]))
  for (const key of ['name', 'given', 'expect']) {
    if (!found.has(key)) {
      if (isMap(item)) file.reportNode(item, `a test needs "${key}"`)
      return undefined
    }
  }
  const name = textOf(file, found.get('name'), 'name')
  const stepMs = readDuration(file, found.get('step'), 'step')
  const runMs = readDuration(file, found.get('run'), 'run')
  const { given, events } = readGiven(file, found.get('given'))
  return {
    file: file.path,
    line: file.lineOf(item),
    rule,
    name: name?.text ?? '',
    ...(stepMs !== undefined && { stepMs }),
    ...(runMs !== undefined && { runMs }),
    given,
    events,
    expect: readExpect(file, found.get('expect')),
  }
}

function readGiven(file: SourceFile, node: unknown): Pick<RawTest, 'given' | 'events'> {
  const given: [string, string | number][] = []
  const events: [string, string][] = []
  for (const [path, value] of entriesOf(file, node, 'given')) {
    if (path === 'events') {
      for (const item of itemsOf(file, value, 'events')) {
        const found = entriesOf(file, item, 'events')
        if (isMap(item) && item.items.length !== 1) file.reportNode(item, oneEvent)
        for (const [at, event] of found) events.push([at, textOf(file, event, at)?.text ?? ''])
      }
    } else if (isScalar(value) && typeof value.value === 'number') given.push([path, value.value])
    else {
      const text = textOf(file, value, path)
      if (text) given.push([path, text.text])
    }
  }
  return { given, events }
}

function readExpect(file: SourceFile, node: unknown): Record<string, string | Record<string, string>> {
  const expect: Record<string, string | Record<string, string>> = {}
  for (const [key, value] of entriesOf(file, node, 'expect')) {
    if (isMap(value)) {
      expect[key] = Object.fromEntries(
        entriesOf(file, value, key).map(([group, timeline]) => [group, textOf(file, timeline, group)?.text ?? '']),
      )
    } else expect[key] = textOf(file, value, key)?.text ?? ''
  }
  return expect
}
