/**
 * The only reader of argv, environment and signals. Each command gives back an Outcome; main prints it and sets the exit status.
 */
import fs from 'node:fs'
import { parseArgs } from 'node:util'
import type { Console } from './cli/api.ts'
import { type Outcome, print, problemsOutcome } from './cli/print.ts'
import { usage } from './cli/usage.ts'
import { systemClock } from './runtime/clock.ts'
import { type Config, loadConfig } from './runtime/config.ts'
import { createLog, type LogLevel } from './runtime/log.ts'
import { suggest } from './runtime/problem.ts'

const options = {
  config: { type: 'string', short: 'c' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
  json: { type: 'boolean' },
  strict: { type: 'boolean' },
  journal: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  golden: { type: 'string' },
  write: { type: 'boolean' },
  against: { type: 'string' },
  rules: { type: 'string', multiple: true },
  all: { type: 'boolean' },
  console: { type: 'string' },
  rule: { type: 'string' },
  group: { type: 'string' },
  tag: { type: 'string' },
  text: { type: 'string' },
  note: { type: 'string' },
  for: { type: 'string' },
  sticky: { type: 'boolean' },
  match: { type: 'string', multiple: true },
  reason: { type: 'string' },
  'end-when-quiet': { type: 'string' },
  confirm: { type: 'boolean' },
  yes: { type: 'boolean', short: 'y' },
  undo: { type: 'boolean' },
  every: { type: 'string' },
  zone: { type: 'string' },
  at: { type: 'string' },
  id: { type: 'string' },
  alert: { type: 'string' },
  html: { type: 'string' },
  'log-format': { type: 'string' },
  'log-level': { type: 'string' },
} as const

type Flags = ReturnType<typeof parse>['values']

function parse(argv: string[]) {
  return parseArgs({ args: argv, options, allowPositionals: true })
}

const commands: Readonly<Record<string, (words: string[], flags: Flags) => Promise<Outcome>>> = {
  up: async ([word], flags) =>
    word !== undefined
      ? misuse(`"up" takes no words, got "${word}"; one part runs with "tocsin run PART"`)
      : withConfig(flags, async (config) => serve((await import('./cli/parts.ts')).partsOf(config), config, flags)),
  run: runPart,
  config: configCommand,
  rules: rulesCommand,
  alerts: alertsCommand,
  ack: ackCommand,
  unack: (ids, flags) => ackCommand(ids, { ...flags, undo: true }),
  silence: silenceCommand,
  maintenance: maintenanceCommand,
  event: eventCommand,
  notify: notifyCommand,
}

async function main(argv: string[]): Promise<Outcome> {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(argv)
  } catch (error) {
    return wrongOption(error as Error)
  }
  const { values: flags, positionals } = parsed
  const [name = '', ...words] = positionals
  if (flags.version) return { exitCode: 0, text: version() }
  if (name === '' || name === 'help')
    return { exitCode: name === '' && !flags.help ? 2 : 0, text: usage[words[0] ?? ''] ?? (usage[''] as string) }
  const command = commands[name]
  if (!command) return misuse(`there is no command "${name}"`, suggest(name, Object.keys(commands)))
  if (flags.help) return { exitCode: 0, text: usage[`${name} ${words[0]}`] ?? (usage[name] as string) }
  return command(words, flags)
}

/** An option that there is not gets our own words and a guess; what else is wrong with one, Node's first sentence. */
function wrongOption({ message }: Error): Outcome {
  const unknown = /^Unknown option '(-[^']*)'/.exec(message)?.[1]
  if (unknown === undefined) return misuse(message.split('. ')[0] as string)
  const meant = suggest(unknown.replace(/^-+/, ''), Object.keys(options))
  return misuse(`there is no option ${unknown}`, meant && `--${meant}`)
}

/** Runs until a signal, then stops in order. Resolves with the outcome of the whole run. */
async function serve(
  names: readonly import('./cli/parts.ts').PartName[],
  config: Config,
  flags: Flags,
): Promise<Outcome> {
  const format = flags['log-format'] ?? (process.stderr.isTTY ? 'text' : 'json')
  if (format !== 'json' && format !== 'text') return misuse(`--log-format: expected text or json, got "${format}"`)
  const level = flags['log-level'] ?? 'info'
  if (!['debug', 'info', 'warn', 'error'].includes(level))
    return misuse(`--log-level: expected debug, info, warn or error, got "${level}"`)
  const log = createLog({ format, level: level as LogLevel })
  const { runParts } = await import('./cli/up.ts')
  const startedMs = systemClock.now()
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
  const running = await runParts(names, config, { clock: systemClock, log, environment: process.env })
  process.on('SIGHUP', () => running.reload())
  const console = names.includes('dashboards') ? `; console ${consoleUrl(config)}` : ''
  log.info(`ready after ${systemClock.now() - startedMs} ms: ${names.join(', ')}${console}`)
  const signal = await ended
  log.info(`${signal}: stopping in order`)
  for (const again of ['SIGTERM', 'SIGINT'] as const) {
    process.once(again, () => {
      log.warn('second signal: stopping at once')
      process.exit(1)
    })
  }
  await running.stop()
  log.info('stopped')
  return { exitCode: 0 }
}

async function runPart([name]: string[], flags: Flags): Promise<Outcome> {
  const { partNames } = await import('./cli/parts.ts')
  const public_ = partNames.filter((part) => part !== 'self')
  const part = public_.find((candidate) => candidate === name)
  if (!part)
    return misuse(
      name ? `there is no part "${name}"` : 'which part?',
      suggest(name ?? '', public_),
      `parts: ${public_.join(', ')}`,
    )
  return withConfig(flags, async (config) => {
    if (config.bus.url === 'memory') {
      return misuse(
        `"tocsin run ${part}" needs a bus between processes; this configuration has bus: memory`,
        undefined,
        'set bus: amqp://…, or use "tocsin up"',
      )
    }
    if ((part === 'graphite' || part === 'cloudwatch2graphite') && !config[part]) {
      return { exitCode: 2, error: `tocsin: ${config.file} has no section "${part}"` }
    }
    return serve([part, 'self'], config, flags)
  })
}

async function configCommand([what, more]: string[], flags: Flags): Promise<Outcome> {
  if (what !== 'check' && what !== 'show') return misuse('expected "config check" or "config show"')
  if (more !== undefined) return misuse(`"config ${what}" takes no words, got "${more}"; --config names the file`)
  const show = async (config: Config) => (await import('./cli/config-show.ts')).configShow(config, flags)
  const check = async (config: Config) =>
    (await import('./cli/config-check.ts')).configCheck(config, flags, process.env)
  return withConfig(flags, what === 'check' ? check : show, 1)
}

async function rulesCommand([what = '', ...words]: string[], flags: Flags): Promise<Outcome> {
  const { rules, ruleTools } = await import('./cli/rules.ts')
  const tool = ruleTools.find((known) => known === what)
  const expected = ruleTools.map((known) => `"rules ${known}"`).join(', ')
  if (!tool) return misuse(`expected one of ${expected}`, suggest(what, ruleTools))
  return rules(tool, words, flags, (run) => withConfig(flags, run))
}

async function alertsCommand(words: string[], flags: Flags): Promise<Outcome> {
  const [what, id] = words
  if (what === 'dead') return deadCommand(words.slice(1), flags)
  if (what !== undefined && (what !== 'why' || id === undefined)) {
    return misuse('expected "alerts", "alerts why ID" or "alerts dead"')
  }
  const { listAlerts, whyAlert } = await import('./cli/alerts.ts')
  return withConsole(flags, (asked) => (id === undefined ? listAlerts(asked, flags) : whyAlert(asked, id, flags)))
}

async function deadCommand([what, ...keys]: string[], flags: Flags): Promise<Outcome> {
  const { letterWords, listLetters, orderLetters } = await import('./cli/dead-letters.ts')
  if (what === undefined) return withConsole(flags, (asked) => listLetters(asked, flags))
  const word = letterWords.find((one) => one === what)
  if (!word)
    return misuse('expected "alerts dead", "alerts dead retry KEY" or "… dismiss KEY"', suggest(what, letterWords))
  if (keys.length === 0 && !flags.all) return misuse(`expected "alerts dead ${word} KEY", or --all`)
  return withConsole(flags, (asked) => orderLetters(asked, word, keys, flags))
}

async function ackCommand(ids: string[], flags: Flags): Promise<Outcome> {
  if (ids.length === 0) return misuse('expected "ack ID"', undefined, '"tocsin alerts" lists them; an id is rule/group')
  const { acknowledge, unacknowledge } = await import('./cli/alerts.ts')
  return withConsole(flags, (asked) => (flags.undo ? unacknowledge : acknowledge)(asked, ids, flags))
}

async function silenceCommand([what = '', ...ids]: string[], flags: Flags): Promise<Outcome> {
  const { silence, silenceWords } = await import('./cli/silence.ts')
  const word = silenceWords.find((one) => one === what)
  if (!word) return misuse('expected "silence add", "list", "extend", "end" or "preview"', suggest(what, silenceWords))
  if ((word === 'end' || word === 'extend') && ids.length === 0) return misuse(`expected "silence ${word} ID"`)
  return withConsole(flags, (asked) => silence(asked, word, ids, flags))
}

async function eventCommand([name, ...tags]: string[], flags: Flags): Promise<Outcome> {
  if (name === undefined) return misuse('expected "event NAME [TAG=VALUE …]", such as "event deploy process=verifier"')
  const { postEvent } = await import('./cli/event.ts')
  return withConsole(flags, (asked) => postEvent(asked, name, tags, flags))
}

async function maintenanceCommand([what = '', ...ids]: string[], flags: Flags): Promise<Outcome> {
  const { maintenance, maintenanceWords } = await import('./cli/maintenance.ts')
  const word = maintenanceWords.find((one) => one === what)
  if (!word) {
    return misuse('expected "maintenance start", "list", "end" or "preview"', suggest(what, maintenanceWords))
  }
  if (word === 'end' && ids.length === 0) return misuse('expected "maintenance end ID"')
  return withConsole(flags, (asked) => maintenance(asked, word, ids, flags))
}

/** The console's API, asked in the name of the person at this terminal. With --console the configuration, and its secrets, are not needed. */
function withConsole(flags: Flags, run: (asked: Console) => Promise<Outcome>): Promise<Outcome> {
  const { TOCSIN_TOKEN: token, USER: by } = process.env
  if (flags.console !== undefined) return run({ url: flags.console.replace(/\/+$/, ''), token, by })
  return withConfig(flags, (config) => run({ url: consoleUrl(config), token, by }))
}

async function notifyCommand([what = '', receiver]: string[], flags: Flags): Promise<Outcome> {
  const words = ['test', 'preview']
  if (!words.includes(what) || receiver === undefined) {
    return misuse('expected "notify test RECEIVER" or "notify preview RECEIVER"', suggest(what, words))
  }
  return withConfig(flags, async (config) => {
    if (what === 'test') return (await import('./alerts/notify-test.ts')).notifyTest(config, receiver, systemClock)
    const { previewNotification } = await import('./cli/notify-preview.ts')
    const asked = { url: flags.console ?? consoleUrl(config), token: process.env.TOCSIN_TOKEN }
    return previewNotification(config, receiver, asked, flags)
  })
}

/** Loads the configuration, or tells all that is wrong with it. Without --config, a missing file means every default. */
async function withConfig(
  flags: Flags,
  run: (config: Config) => Promise<Outcome> | Outcome,
  whenWrong: 1 | 2 = 2,
): Promise<Outcome> {
  const loaded = loadConfig(flags.config ?? 'tocsin.yaml', process.env, flags.config === undefined)
  return loaded.ok ? run(loaded.value) : problemsOutcome(loaded.error, flags.json ?? false, whenWrong)
}

function consoleUrl({ dashboards, alerts }: Config): string {
  const { host, port } = dashboards.listen
  const url = alerts.consoleUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  return url.replace(/\/+$/, '')
}

function misuse(message: string, meant?: string, help?: string): Outcome {
  const more = meant ? `\n    did you mean "${meant}"?` : help ? `\n    ${help}` : ''
  return { exitCode: 2, error: `tocsin: ${message}${more}\n"tocsin --help" lists the commands.` }
}

function version(): string {
  const { version } = JSON.parse(fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return `tocsin ${version} (Node ${process.version})`
}

main(process.argv.slice(2)).then(
  (outcome) => {
    print(outcome)
    process.exitCode = outcome.exitCode
  },
  (error: Error) => {
    print({ exitCode: 2, error: `tocsin: ${error.message}` })
    process.exit(2)
  },
)
