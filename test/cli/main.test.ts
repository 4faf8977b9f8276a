import fs from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { folderWith, runTocsin } from '../support/tocsin.ts'

const folder = folderWith({
  'good.yaml':
    'rules: [rules]\nchecks: []\ndashboards: {files: []}\nalerts: {receivers: {hook: {webhook: {url: "http://127.0.0.1:1/", secret: "${HOOK_KEY}"}}}}\n',
  'bad.yaml': 'ingest: {flushIntervl: 1s}\nrules: 7\n',
  'rules/one.yaml': `metrics: [{match: "a.*", kind: count}]
rules:
  one:
    every: 1s
    crit: sum(a.*) over 10s > 5
    say: "{sum(a.*) over 10s}"
`,
})
afterAll(() => folder.remove())
const at = (name: string) => `${folder.path}/${name}`

describe('help', () => {
  test('lists the commands, and each command tells its own', async () => {
    const { exitCode, output } = await runTocsin(['--help'])
    expect(exitCode).toBe(0)
    for (const command of ['up', 'run', 'config', 'rules', 'alerts', 'ack', 'silence', 'notify']) {
      expect(output).toMatch(new RegExp(`^ {2}${command} `, 'm'))
      const own = await runTocsin([command, '--help'])
      expect(own).toMatchObject({ exitCode: 0, output: expect.stringContaining(`usage: tocsin ${command}`) })
    }
  })

  test.each([
    [['upp'], 'there is no command "upp"', 'did you mean "up"?'],
    [['run', 'ingst'], 'there is no part "ingst"', 'did you mean "ingest"?'],
    [['run'], 'which part?', 'cloudwatch2graphite'],
    [['up', '--confg', 'x'], 'there is no option --confg\n    did you mean "--config"?', 'tocsin --help'],
    [['up', 'ingest'], '"up" takes no words, got "ingest"', 'tocsin run PART'],
    [['config', 'check', 'mine.yaml'], 'takes no words, got "mine.yaml"', '--config names the file'],
    [['rules', 'chek'], 'expected one of "rules check", "rules test"', 'did you mean "check"?'],
  ])('%j is misuse: exit status 2 and a way on', async (words, problem, help) => {
    const { exitCode, output } = await runTocsin(words)
    expect(exitCode).toBe(2)
    expect(output).toContain(problem)
    expect(output).toContain(help)
  })
})

describe('config', () => {
  test('check tells all problems with their places and exits with 1', async () => {
    const { exitCode, output } = await runTocsin(['config', 'check', '--config', at('bad.yaml')])
    expect(exitCode).toBe(1)
    expect(output).toContain(
      'bad.yaml:1:10: ingest.flushIntervl: there is no such key\n    help: did you mean "flushInterval"?',
    )
    expect(output).toContain('bad.yaml:2:8: rules: expected a list, got 7')
  })

  test('check reads the files it names too', async () => {
    fs.writeFileSync(at('checks.yaml'), 'checks: {web.a: {htp: "http://127.0.0.1/"}}\n')
    fs.writeFileSync(
      at('with-checks.yaml'),
      `${fs.readFileSync(at('good.yaml'), 'utf8').replace('checks: []', 'checks: [checks.yaml]')}`,
    )
    const { exitCode, output } = await runTocsin(['config', 'check', '--config', at('with-checks.yaml')], {
      HOOK_KEY: 'key-of-hook',
    })
    expect(exitCode).toBe(1)
    expect(output).toMatch(/checks\.yaml:1:\d+: .*htp.*\n.*did you mean "http"/)
  })

  test('show prints defaults, and no secret', async () => {
    const { exitCode, output } = await runTocsin(['config', 'show', '--config', at('good.yaml')], {
      HOOK_KEY: 'key-of-hook',
    })
    expect(exitCode).toBe(0)
    expect(output).toContain('flushInterval: 1s')
    expect(output).toContain('secret: ${HOOK_KEY}')
    expect(output).not.toContain('key-of-hook')
  })

  test('up with a wrong configuration could not run: exit status 2', async () => {
    expect(await runTocsin(['up', '--config', at('bad.yaml')])).toMatchObject({ exitCode: 2 })
    expect(await runTocsin(['up', '--config', at('absent.yaml')])).toMatchObject({
      exitCode: 2,
      output: expect.stringContaining('absent.yaml: cannot be read'),
    })
  })

  test('one part alone needs a bus between processes', async () => {
    const { exitCode, output } = await runTocsin(['run', 'cep', '--config', at('good.yaml')], { HOOK_KEY: 'x' })
    expect(exitCode).toBe(2)
    expect(output).toContain('set bus: amqp://')
  })
})

test('alerts says when the console cannot be asked, and how to ask another', async () => {
  const { exitCode, output } = await runTocsin(['alerts', '--console', 'http://127.0.0.1:1'])
  expect(exitCode).toBe(2)
  expect(output).toContain('cannot ask the console at http://127.0.0.1:1')
})

describe('rules', () => {
  const environment = { HOOK_KEY: 'key-of-hook' }

  test('explain takes names of rules, and files or the configuration', async () => {
    const configured = await runTocsin(['rules', 'explain', 'one', '--config', at('good.yaml')], environment)
    expect(configured).toMatchObject({ exitCode: 0, output: expect.stringMatching(/^one {3}one for everything/) })
    const named = await runTocsin(['rules', 'explain', '--json', at('rules/one.yaml'), 'one'])
    expect(JSON.parse(named.output)).toMatchObject({ rules: [{ rule: 'one', everyMs: 1000 }] })
    const wrong = await runTocsin(['rules', 'explain', 'on', at('rules/one.yaml')])
    expect(wrong).toMatchObject({ exitCode: 2, output: expect.stringContaining('did you mean "one"?') })
  })

  test('schema prints what the published copy holds', async () => {
    const { exitCode, output } = await runTocsin(['rules', 'schema'])
    expect(exitCode).toBe(0)
    expect(JSON.parse(output)).toEqual(JSON.parse(fs.readFileSync('docs/rules.schema.json', 'utf8')))
  })

  test('a tool may have a help of its own', async () => {
    const { output } = await runTocsin(['rules', 'explain', '--help'])
    expect(output).toMatch(/^usage: tocsin rules explain/)
  })

  test('check refuses what is beyond cep.memoryMax of the configuration', async () => {
    fs.writeFileSync(at('small.yaml'), 'rules: [rules]\ncep: {memoryMax: 1kB}\n')
    const { exitCode, output } = await runTocsin(['rules', 'check', '--config', at('small.yaml')])
    expect(exitCode).toBe(1)
    expect(output).toMatch(
      /one\.yaml:3:3 {2}error\[memory\]: rule one may need 2\.\d kB of memory, and 1\.0 kB are allowed/,
    )
    expect(await runTocsin(['config', 'check', '--config', at('small.yaml')])).toMatchObject({ exitCode: 1 })
  })
})
