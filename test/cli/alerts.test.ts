/** A person's commands at a terminal, against a real console with a real alerts part. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAlerts } from '../../src/alerts/index.ts'
import type { Part } from '../../src/bus/part.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Feed, openFeed, rule, sayAll } from '../support/console-feed.ts'
import { freePort } from '../support/ports.ts'
import { runTocsin } from '../support/tocsin.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

let feed: Feed
let alerts: Part

beforeAll(async () => {
  feed = await openFeed({ settings: 'alerts: {receivers: {ops: {webhook: {url: "http://127.0.0.1:9/"}}}}' })
  const { bus, config } = feed
  alerts = await startAlerts(config, { bus, clock: systemClock, log: silentLog, instance: 'host1-a', host: 'host1' })
})
afterAll(async () => {
  await alerts.stop()
  await feed.stop()
})

const tocsin = (...words: string[]) => runTocsin([...words, '--console', feed.url], { USER: 'ann' })

async function fire(group: string, level: 'crit' | 'ok' = 'crit'): Promise<void> {
  await feed.bus.publish('transitions.x', transition(level, systemClock.now(), { group }))
  await until(async () => (await feed.get<object>('/api/alerts')).text.includes(`"groupKey":"${group}"`))
}

describe('alerts', () => {
  test('says that nothing fires, then lists what does, by pattern, and exits with 1', async () => {
    expect(await tocsin('alerts')).toMatchObject({ exitCode: 0, output: 'nothing is firing\n' })
    await fire('verifier')
    await fire('router')
    const listed = await tocsin('alerts', '--group', 'r*')
    expect(listed.exitCode).toBe(1)
    expect(listed.output).toMatch(
      /^CRIT {6}http_5xx_spike\/router {2}6\.3% of requests to router fail\. {2}\(since 20[-\d]+ [:\d]+ UTC\)\n$/,
    )
    const json = JSON.parse((await tocsin('alerts', '--json')).output)
    expect(json.alerts).toHaveLength(2)
  })

  test('ack takes one in hand, in the name of who is at the terminal, and why tells everything', async () => {
    const done = await tocsin('ack', 'http_5xx_spike/verifier', '--note', 'on it', '--for', '2h')
    expect(done.output).toContain('[acknowledged by ann: on it]')
    expect(done.exitCode).toBe(0)
    await until(async () =>
      (await tocsin('alerts', 'why', 'http_5xx_spike/verifier')).output.includes('acknowledge by'),
    )
    const why = await tocsin('alerts', 'why', 'http_5xx_spike/verifier')
    expect(why.output).toMatch(/UTC {2}told ops: raised\n.*UTC {2}by hand: acknowledge by ann/s)
  })

  test('unack takes it back; once more is refused', async () => {
    expect((await tocsin('unack', 'http_5xx_spike/verifier')).output).toMatch(
      /^CRIT {6}http_5xx_spike\/verifier {2}[^[]*$/,
    )
    expect(await tocsin('ack', '--undo', 'http_5xx_spike/verifier')).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('it is not acknowledged'),
    })
  })

  test('why names what keeps it quiet now, and the command that tells what the engine saw', async () => {
    await tocsin('silence', 'add', '--match', 'process=verifier', '--for', '1h', '--reason', 'x')
    const why = await tocsin('alerts', 'why', 'http_5xx_spike/verifier')
    expect(why.output).toMatch(/now quiet: silenced by s-\w+ \(ann\) until 20/)
    expect(why.output).toMatch(
      /what the engine saw: {2}tocsin rules why http_5xx_spike verifier --at 20[-\d]+T[:\d.]+Z\n$/,
    )
    const named = await tocsin('alerts', 'why', 'http_5xx_spike/verifier', '--config', feed.config.file)
    expect(named.output.trimEnd().endsWith(` --config ${feed.config.file}`)).toBe(true)
    for (const id of (await tocsin('silence', 'list')).output.match(/^s-\w+/gm) ?? [])
      await tocsin('silence', 'end', id)
  })

  test('of a page that did not come, why hands over to the engine’s journal', async () => {
    await sayAll(feed.bus, [rule('latency', [])])
    await until(async () => (await feed.get('/api/rules')).text.includes('latency'))
    const why = await tocsin('alerts', 'why', 'latency/web 1', '--at', '2026-03-01T03:10:00Z')
    expect(why).toMatchObject({ exitCode: 1 })
    expect(why.output).toBe(
      "no alert of latency web 1 in the time that is kept: nothing was to be told\n  why the rule did not fire:  tocsin rules why latency 'web 1' --at 2026-03-01T03:10:00Z\n",
    )
    expect((await tocsin('alerts', 'why', 'latencyy')).output).toContain('did you mean "latency"?')
  })

  test('an id that is no alert, or a rule of which many groups fire, is refused with a way on', async () => {
    expect(await tocsin('ack', 'nothing')).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('an id is rule/group'),
    })
    const many = await tocsin('ack', 'http_5xx_spike')
    expect(many.exitCode).toBe(1)
    expect(many.output).toMatch(/2 groups of "http_5xx_spike" fire; which one\?\n {4}http_5xx_spike\/\w+/)
    expect((await tocsin('ack', 'http_5xx_spike/router', '--for', 'soon')).output).toContain('for: expected a duration')
  })
})

describe('alerts dead', () => {
  test('lists what nobody was told of, and has it dismissed by the beginning of its key', async () => {
    expect(await tocsin('alerts', 'dead')).toMatchObject({ exitCode: 0, output: 'there are no dead letters\n' })
    const about = { key: 'abc123', receiver: 'ops', attempt: 3, by: 'host1-a', atMs: 1_760_000_000_000 }
    const told = { fingerprint: 'http_5xx_spike/gone', transition: 't', kind: 'firing' as const }
    const end = { outcome: 'dead' as const, detail: 'HTTP 404', title: 'crit: http_5xx_spike, gone' }
    await feed.bus.publish('receipts', { ...about, ...told, ...end })
    await until(async () => (await feed.get<object>('/api/dead-letters')).text.includes('abc123'))
    const listed = await tocsin('alerts', 'dead')
    expect(listed.exitCode).toBe(1)
    expect(listed.output).toBe(
      'abc123  2025-10-09 08:53:20 UTC  ops: crit: http_5xx_spike, gone\n    3 tries: HTTP 404\n',
    )
    const unknown = await tocsin('alerts', 'dead', 'retry', 'xyz')
    expect(unknown).toMatchObject({ exitCode: 1, output: expect.stringContaining('there is no dead letter "xyz"') })
    expect((await tocsin('alerts', 'dead', 'dismiss')).output).toContain('or --all')
    expect(await tocsin('alerts', 'dead', 'dismiss', 'abc')).toMatchObject({
      exitCode: 0,
      output: 'dismissed: crit: http_5xx_spike, gone for ops\n',
    })
    expect((await tocsin('alerts', 'dead')).exitCode).toBe(0)
    expect((await tocsin('alerts', 'dead', 'lose')).exitCode).toBe(2)
  })
})

describe('silence', () => {
  test('is previewed, added, listed and ended', async () => {
    const preview = await tocsin('silence', 'preview', '--match', 'rule=http_*')
    expect(preview.output).toBe('it would hide 2 now:\n  crit http_5xx_spike/router\n  crit http_5xx_spike/verifier\n')
    const words = ['--match', 'process=r*', '--for', '2h', '--reason', 'deploy']
    const added = await tocsin('silence', 'add', ...words)
    expect(added.output).toMatch(
      /^s-[0-9a-f]{8} {2}active {2}process=r\* {2}until 20.* UTC, hides 1 {2}\(ann: deploy\)\n$/,
    )
    const id = added.output.slice(0, 10)
    expect((await tocsin('silence', 'list')).output).toBe(added.output)
    const endOf = (output: string) => Date.parse(/until (.*) UTC/.exec(output)?.[1] ?? '')
    const extended = await tocsin('silence', 'extend', id, '--for', '1h')
    expect(endOf(extended.output) - endOf(added.output)).toBe(3_600_000)
    expect((await tocsin('silence', 'extend', id)).output).toContain('expected how much longer, such as --for 2h')
    expect((await tocsin('silence', 'end', id)).output).toContain('ended by ann')
    expect((await tocsin('silence', 'list')).output).toBe('nothing is silenced\n')
    expect((await tocsin('silence', 'end', id)).exitCode).toBe(1)
  })

  test('of everything has to be confirmed', async () => {
    const words = ['silence', 'add', '--match', 'rule=*', '--for', '1h', '--reason', 'x']
    const refused = await tocsin(...words)
    expect(refused).toMatchObject({ exitCode: 1, output: expect.stringContaining('matches every alert') })
    expect(refused.output).toContain('--yes')
    expect((await tocsin(...words, '--yes')).exitCode).toBe(0)
    for (const id of (await tocsin('silence', 'list')).output.match(/^s-\w+/gm) ?? [])
      await tocsin('silence', 'end', id)
  })

  test('may mean everything but', async () => {
    const preview = await tocsin('silence', 'preview', '--match', 'rule=http_*', '--match', 'process!=/r.*|static/')
    expect(preview.output).toBe('it would hide 1 now:\n  crit http_5xx_spike/verifier\n')
  })

  test.each([
    [['silence', 'add', '--match', 'rule'], '--match: expected name=pattern or name!=pattern'],
    [['silence', 'add'], 'expected --match name=pattern such as'],
    [['silence', 'add', '--match', 'rule=/(/'], '--match: rule: in the regular expression, at 2'],
    [['silence', 'extend'], 'expected "silence extend ID"'],
    [['maintenance', 'begin'], 'expected "maintenance start", "list", "end" or "preview"'],
    [['maintenance', 'end'], 'expected "maintenance end ID"'],
    [['silence', 'lst'], 'did you mean "list"?'],
    [['silence', 'end'], 'expected "silence end ID"'],
    [['ack'], 'expected "ack ID"'],
    [['alerts', 'whi', 'x'], 'expected "alerts", "alerts why ID" or "alerts dead"'],
  ])('%j is misuse: exit status 2', async (words, problem) => {
    expect(await tocsin(...words)).toMatchObject({ exitCode: 2, output: expect.stringContaining(problem) })
  })
})

describe('maintenance', () => {
  test('is previewed with its next times, started, listed and ended', async () => {
    const when = ['--every', 'sunday', '--at', '02:30', '--for', '2h', '--zone', 'Europe/Amsterdam']
    const preview = await tocsin('maintenance', 'preview', '--match', 'process=r*', ...when)
    expect(preview.output).toMatch(
      /^it would hide 1 now:\n {2}crit http_5xx_spike\/router\nit would last from\n( {2}20.* UTC until 20.* UTC\n){5}$/,
    )
    const started = await tocsin(
      'maintenance',
      'start',
      '--match',
      'process=r*',
      '--for',
      '2h',
      '--reason',
      'deploy 42',
    )
    expect(started.output).toMatch(
      /^m-[0-9a-f]{8} {2}active {2}process=r\* {2}until 20.* UTC, hides 1 {2}\(ann: deploy 42\)\n$/,
    )
    expect((await tocsin('alerts', '--group', 'router')).output).toContain('[in maintenance m-')
    const weekly = await tocsin('maintenance', 'start', '--match', 'process=web', '--reason', 'patching', ...when)
    expect(weekly.output).toMatch(/waiting process=web {2}from .* \[every sunday at 02:30 for 2h, Europe\/Amsterdam\]/)
    const ids = (await tocsin('maintenance', 'list')).output.match(/^m-\w+/gm) ?? []
    expect(ids).toHaveLength(2)
    expect((await tocsin('maintenance', 'end', ...ids)).output).toContain('ended by ann')
    expect((await tocsin('maintenance', 'list')).output).toBe('no maintenance is planned\n')
  })

  test('with times that are none is refused with each of them', async () => {
    const words = ['maintenance', 'start', '--match', 'rule=a', '--reason', 'x']
    const every = await tocsin(
      ...words,
      '--every',
      'someday',
      '--at',
      '25:00',
      '--for',
      '2h',
      '--zone',
      'Europe/Amsterdm',
    )
    expect(every.exitCode).toBe(1)
    expect(every.output).toMatch(
      /every: expected .*; at: expected .*; zone: expected .*did you mean "Europe\/Amsterdam"/,
    )
    expect((await tocsin(...words, '--zone', 'UTC', '--for', '1h')).output).toContain(
      'zone: expected it with "every" or "from"',
    )
    expect(
      (await tocsin('maintenance', 'start', '--match', 'severity=crit', '--reason', 'x', '--for', '1h')).output,
    ).toContain('this maintenance window matches every critical alert')
  })
})

test('a console that cannot be asked is exit status 2 with a way on', async () => {
  const url = `http://127.0.0.1:${await freePort()}`
  const { exitCode, output } = await runTocsin(['ack', 'a/b', '--console', url])
  expect(exitCode).toBe(2)
  expect(output).toContain('is "tocsin up" running?')
})
