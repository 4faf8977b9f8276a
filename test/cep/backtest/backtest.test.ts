import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BacktestFlags, rulesBacktest } from '../../../src/cep/tools/backtest.ts'
import type { LogEntry } from '../../../src/model/message.ts'
import { MadeLog, temporaryFolder, writeJournal } from '../../support/recording.ts'

const startMs = Date.parse('2024-03-01T00:00:00Z')
const nowMs = startMs + 86_400_000
let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder.remove())

const at = (name: string) => path.join(folder.path, name)
const write = (name: string, text: string) => {
  fs.mkdirSync(path.dirname(at(name)), { recursive: true })
  fs.writeFileSync(at(name), text)
  return at(name)
}

const rule = (condition: string, name = 'errors') => `metrics: [{match: "web.**", kind: count}]
rules:
  ${name}:
    every: 1s
    crit: ${condition}
`

/** Ten minutes: a has errors from 2:00 to 3:00, b from 6:00 to 6:30. */
function tenMinutes(): MadeLog {
  const log = new MadeLog(startMs)
  for (let i = 1; i <= 600; i++) {
    const a = i > 120 && i <= 180 ? 9 : 0
    const b = i > 360 && i <= 390 ? 5 : 0
    log.second({ 'web.a.errors': a, 'web.b.errors': b })
  }
  return log
}

/** The same traffic as lines that a person might have written. */
function asLines(entries: readonly LogEntry[]): string {
  const lines = entries.flatMap((entry) =>
    entry.kind !== 'metrics'
      ? []
      : entry.message.counters.names.map((series, i) => ({
          at: new Date(entry.message.bucketMs).toISOString(),
          series,
          kind: 'count',
          value: entry.message.counters.sums[i],
        })),
  )
  return lines.map((line) => JSON.stringify(line)).join('\n')
}

function backtest(rules: string, flags: Partial<BacktestFlags> = {}) {
  return rulesBacktest([rules], { journal: at('journal'), json: false, write: false, nowMs, ...flags })
}

describe('a backtest', () => {
  beforeEach(() => writeJournal(at('journal'), tenMinutes().entries))

  it('prints every alert that the rules would have raised, by rule', async () => {
    const { exitCode, text } = await backtest(write('rules.yaml', rule('web.{host}.errors > 3 for 10s')))
    expect(exitCode).toBe(0)
    expect(text).toContain(`errors
  a  crit 2024-03-01 00:02:10 → ok 00:03:01 UTC (51s)
  b  crit 2024-03-01 00:06:10 → ok 00:06:31 UTC (21s)
`)
    expect(text).toMatch(/^2 alerts of 1 rule in 9m59s of traffic .*: 1200 points in /m)
  })

  it('tells the same in JSON', async () => {
    const { text } = await backtest(write('rules.yaml', rule('web.{host}.errors > 3 for 10s')), { json: true })
    expect(JSON.parse(text as string)).toMatchObject({
      from: '2024-03-01T00:00:01Z',
      to: '2024-03-01T00:10:00Z',
      points: 1200,
      transitions: 4,
      late: { count: 0 },
      rules: {
        errors: {
          a: [
            { at: '2024-03-01T00:02:10Z', to: 'crit', hidden: false, blind: false },
            { at: '2024-03-01T00:03:01Z', to: 'ok', hidden: false, blind: false },
          ],
        },
      },
    })
  })

  it('over an archive of lines is the same', async () => {
    const rules = write('rules.yaml', rule('avg(web.{host}.errors) over 20s > 3 for 10s'))
    const alerts = async (journal: string) =>
      JSON.parse((await backtest(rules, { json: true, journal })).text as string)
    const fromJournal = await alerts(at('journal'))
    const fromLines = await alerts(write('2024-03-01.jsonl', asLines(tenMinutes().entries)))
    expect(fromLines.rules).toEqual(fromJournal.rules)
    expect(fromLines.transitions).toBe(4)
  })

  it('of a part of the time says there what the whole says there, since windows are warmed before it', async () => {
    const rules = write('rules.yaml', rule('sum(web.{host}.errors) over 1m > 100'))
    const part = await backtest(rules, { from: '2024-03-01T00:06:00Z', to: '2024-03-01T00:08:00Z', json: true })
    const whole = await backtest(rules, { json: true })
    const [ofPart, ofWhole] = [part, whole].map(({ text }) => JSON.parse(text as string).rules.errors)
    expect(ofPart).toEqual({ b: ofWhole.b })
    expect(ofWhole.b).toHaveLength(2)
  })

  it('says what was firing already when its time begins', async () => {
    const rules = write('rules.yaml', rule('web.{host}.errors > 3'))
    const { text } = await backtest(rules, { from: '2024-03-01T00:02:30Z', to: '2024-03-01T00:05:00Z' })
    expect(text).toContain('a  crit since before 2024-03-01 00:02:30 → ok 00:03:01 UTC')
  })

  it('shows how far it is', async () => {
    const seen: number[] = []
    const progress = (share: number) => seen.push(share)
    await backtest(write('rules.yaml', rule('web.{host}.errors > 3')), { progress })
    expect(seen.at(-1)).toBe(1)
  })
})

describe('compared with a golden file', () => {
  beforeEach(() => writeJournal(at('journal'), tenMinutes().entries))
  const golden = async (rules: string) => {
    await backtest(rules, { golden: at('golden.yaml'), write: true })
    return fs.readFileSync(at('golden.yaml'), 'utf8')
  }

  it('writes one that people can read', async () => {
    expect(await golden(write('rules.yaml', rule('web.{host}.errors > 3 for 10s')))).toBe(
      `# Transitions of all rules over journal; "tocsin rules backtest --golden FILE" compares, with --write it writes.
from: 2024-03-01T00:00:01Z
to: 2024-03-01T00:10:00Z
rules:
  errors:
    a:
      - 2024-03-01T00:02:10Z crit
      - 2024-03-01T00:03:01Z ok
    b:
      - 2024-03-01T00:06:10Z crit
      - 2024-03-01T00:06:31Z ok
`,
    )
  })

  it('finds no difference where there is none', async () => {
    const rules = write('rules.yaml', rule('web.{host}.errors > 3 for 10s'))
    await golden(rules)
    const { exitCode, text } = await backtest(rules, { golden: at('golden.yaml') })
    expect(exitCode).toBe(0)
    expect(text).toContain('2 the same, 0 added, 0 lost, 0 moved')
  })

  it('tells alerts added, lost and moved, rule by rule', async () => {
    await golden(write('rules.yaml', rule('web.{host}.errors > 3 for 10s')))
    const moved = `${rule('web.{host}.errors > 7 for 20s')}  any:\n    every: 1s\n    crit: web.a.errors > 8\n`
    const { exitCode, text } = await backtest(write('rules.yaml', moved), { golden: at('golden.yaml') })
    expect(exitCode).toBe(1)
    expect(text).toContain(`any
  + all  crit 2024-03-01 00:02:01 → ok 00:03:01 UTC (1m)

errors
  ~ a  crit 2024-03-01 00:02:10 → ok 00:03:01 UTC (51s)
     → crit 2024-03-01 00:02:20 → ok 00:03:01 UTC (41s); begins 10s later
  - b  crit 2024-03-01 00:06:10 → ok 00:06:31 UTC (21s)

compared with ${at('golden.yaml')}: 0 the same, 1 added, 1 lost, 1 moved`)
  })

  it('compares the golden file’s time, where no other is asked for', async () => {
    const rules = write('rules.yaml', rule('web.{host}.errors > 3 for 10s'))
    await backtest(rules, { golden: at('golden.yaml'), write: true, to: '2024-03-01T00:05:00Z' })
    expect(await backtest(rules, { golden: at('golden.yaml') })).toMatchObject({ exitCode: 0 })
  })

  it('refuses a file that is none, with the place', async () => {
    write('golden.yaml', 'from: 2024-03-01T00:00:00Z\nto: 2024-03-02T00:00:00Z\nrules: {errors: {a: [soon crit]}}\n')
    const { exitCode, error } = await backtest(write('rules.yaml', rule('web.{host}.errors > 3')), {
      golden: at('golden.yaml'),
    })
    expect(exitCode).toBe(2)
    expect(error).toContain('golden.yaml:3:22: rules.errors.a[0]: expected a time and a level')
  })
})

describe('compared with a revision', () => {
  beforeEach(async () => {
    await writeJournal(at('journal'), tenMinutes().entries)
    const git = (...words: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...words], { cwd: at('repo'), stdio: 'pipe' })
    fs.mkdirSync(at('repo/rules'), { recursive: true })
    git('init', '-q')
    write('repo/rules/web.yaml', rule('web.{host}.errors > 3 for 10s'))
    write('repo/rules/old.yaml', 'rules:\n  gone:\n    every: 1s\n    crit: web.b.errors > 1\n')
    git('add', '.')
    git('commit', '-qm', 'before')
    fs.rmSync(at('repo/rules/old.yaml'))
    write('repo/rules/web.yaml', rule('web.{host}.errors > 3 for 30s'))
  })

  it('tells what a change would have done', async () => {
    const { exitCode, text } = await backtest(at('repo/rules'), { against: 'HEAD' })
    expect(exitCode).toBe(1)
    expect(text).toContain('compared with HEAD: 0 the same, 0 added, 1 lost, 2 moved')
    expect(text).toContain('gone\n  - all  crit 2024-03-01 00:06:01')
    expect(text).toContain('begins 20s later')
  })

  it('takes single files too', async () => {
    const { text } = await backtest(at('repo/rules/web.yaml'), { against: 'HEAD' })
    expect(text).toContain('0 added, 0 lost, 2 moved')
  })

  it('that git does not know could not run', async () => {
    const outcome = await backtest(at('repo/rules'), { against: 'nonsense' })
    expect(outcome).toMatchObject({ exitCode: 2, error: expect.stringContaining('git knows no revision "nonsense"') })
  })

  it('outside of a repository could not run', async () => {
    const outcome = await backtest(write('rules.yaml', rule('web.{host}.errors > 3')), { against: 'HEAD' })
    expect(outcome).toMatchObject({ exitCode: 2, error: expect.stringContaining('in no git repository') })
  })
})

describe('points that came too late', () => {
  it('in a journal are set aside as in the live run, and listed', async () => {
    const log = tenMinutes()
    const late = log.entries.find(({ kind, message }) => kind === 'metrics' && message.bucketMs === startMs + 100_000)
    log.entries.splice(600, 0, { ...(late as LogEntry), id: 'late:1' })
    await writeJournal(
      at('journal'),
      log.entries.map((entry, offset) => ({ ...entry, offset })),
    )
    const { error } = await backtest(write('rules.yaml', rule('web.{host}.errors > 3')))
    expect(error).toContain('2 points came too late for their buckets and were set aside, as in the live run:')
    expect(error).toContain('2024-03-01 00:01:40 UTC  web.a.errors')
  })

  it('checks and events too', async () => {
    const log = new MadeLog(startMs)
    const send = (bucketMs: number) => {
      const source = log.source
      const result = {
        name: 'web.a',
        sequence: bucketMs,
        atMs: bucketMs,
        state: 'ok' as const,
        output: '',
        durationMs: 1,
      }
      const results = [{ ...result, stepMs: 1000 }]
      log.add({ kind: 'checks', key: `checks.${source}`, message: { source, bucketMs, results } })
      const event = { source, sequence: bucketMs, atMs: bucketMs, bucketMs, name: 'deploy', tags: {} }
      log.add({ kind: 'events', key: 'events.deploy', message: event })
    }
    send(log.nowMs + 1000)
    for (let i = 0; i < 100; i++) log.second()
    send(startMs + 50_000)
    log.second()
    await writeJournal(at('journal'), log.entries)
    const events = '  deploys:\n    every: 1s\n    crit: count(event:deploy) over 10s > 5\n'
    const { error } = await backtest(write('rules.yaml', rule('check:web.{name} is not ok') + events))
    expect(error).toContain('2 points came too late for their buckets')
    expect(error).toContain('2024-03-01 00:00:50 UTC  check:web.{name}')
    expect(error).toContain('2024-03-01 00:00:50 UTC  event:deploy')
  })

  it('in an archive count, and are listed as what differs from the live run', async () => {
    const lines = `${asLines(tenMinutes().entries)}\n{"at": "2024-03-01T00:09:00Z", "series": "web.a.errors", "value": 9, "kind": "count", "late": true}`
    const journal = write('a.jsonl', lines)
    const { text, error } = await backtest(write('rules.yaml', rule('web.{host}.errors > 8')), { journal })
    expect(text).toContain('crit 2024-03-01 00:09:00 → ok 00:09:01')
    expect(error).toContain('1 point had come too late in the live run, which set them aside; here they count')
  })
})

describe('what cannot be run says why: exit status 2', () => {
  beforeEach(() => writeJournal(at('journal'), tenMinutes().entries))
  const good = () => write('rules.yaml', rule('web.{host}.errors > 3'))

  it.each<[Partial<BacktestFlags>, string]>([
    [{ journal: '/nowhere' }, '/nowhere: there is no such file or folder\n    --journal names a journal'],
    [{ from: 'noonish' }, '--from: expected a time such as 2024-03-01T13:00:00Z, 13:00 or "2h ago", got "noonish"'],
    [{ from: '1h ago' }, 'nothing was recorded then; '],
    [{ to: '2024-02-01' }, 'is from 2024-03-01 00:00:01 UTC to 2024-03-01 00:10:00 UTC (9m59s)'],
    [{ golden: 'a', against: 'b' }, '--golden and --against go one at a time'],
    [{ write: true }, '--write needs --golden FILE'],
    [{ golden: '/nowhere/golden.yaml' }, 'cannot be read: ENOENT'],
  ])('%j', async (flags, problem) => {
    const { exitCode, error } = await backtest(good(), flags)
    expect(exitCode).toBe(2)
    expect(error).toContain(problem)
  })

  it('wrong rules are found problems: exit status 1', async () => {
    const { exitCode, error } = await backtest(write('rules.yaml', 'rules: {a: {crit: "b.c >"}}'))
    expect(exitCode).toBe(1)
    expect(error).toContain('error[syntax]')
  })

  it('an empty journal', async () => {
    fs.mkdirSync(at('empty'))
    expect((await backtest(good(), { journal: at('empty') })).error).toContain('there is nothing recorded')
  })
})
