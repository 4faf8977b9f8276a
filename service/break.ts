/**
 * Break: `npm run break -- verifier 5xx`. Tells the process to be broken for a while, and the person what should happen.
 *
 * Exit status: 0 done, 2 not understood or the service does not run.
 */
import path from 'node:path'
import { readRuleFiles } from '../src/cep/rule-files.ts'
import { loadChecks } from '../src/checks/load.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { type Config, loadConfig } from '../src/runtime/config.ts'
import { formatProblem } from '../src/runtime/problem.ts'
import { createPaint } from './banner.ts'
import { type BreakCommand, parseBreakCommand, usage } from './break-command.ts'
import { describeBreak } from './break-words.ts'
import type { Fault } from './fault.ts'
import { type Expected, type ForecastInput, forecast } from './forecast.ts'
import {
  addressOf,
  consoleUrlOf,
  controlPort,
  host,
  mailboxPorts,
  type ProcessName,
  readSettings,
  type Settings,
} from './settings.ts'

const answerMsMax = 5000

async function main(): Promise<number> {
  const command = parseBreakCommand(process.argv.slice(2))
  if (!command.ok) return refuse(`${command.error}\n"npm run break -- --help" tells more.`)
  if (command.value.do === 'help') return say(usage)
  const settings = readSettings(process.env)
  if (!settings.ok) return refuse(settings.error)
  const done = await carryOut(command.value, settings.value)
  if (done !== 'done') return refuse(whyNot(done, command.value.process, settings.value))
  if (command.value.do === 'heal')
    return say(`${command.value.process} is well again; a page that was sent is resolved soon.\n`)
  return explain(
    command.value,
    settings.value,
    command.value.config ?? path.resolve(import.meta.dirname, '../demo.yaml'),
  )
}

type Outcome = 'done' | 'not running' | 'process down' | { refused: string }

async function carryOut(command: Exclude<BreakCommand, { do: 'help' }>, { portBase }: Settings): Promise<Outcome> {
  const body = command.do === 'heal' ? { kind: 'heal' } : command.fault
  const asked = await post(`${addressOf(command.process, portBase)}/__break__`, body)
  if (asked !== 'no answer') return asked
  // The process itself is down; its supervisor may know more.
  const supervisor = `http://${host}:${controlPort(portBase)}`
  if (command.do === 'heal') {
    const healed = await post(`${supervisor}/processes/${command.process}/heal`, {})
    return healed === 'no answer' ? 'not running' : healed
  }
  const isRunning = await fetch(`${supervisor}/processes`).then(
    () => true,
    () => false,
  )
  return isRunning ? 'process down' : 'not running'
}

async function post(url: string, body: Fault | object): Promise<'done' | 'no answer' | { refused: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(answerMsMax),
    })
    const text = await response.text()
    return response.ok ? 'done' : { refused: `HTTP ${response.status}: ${text.slice(0, 200)}` }
  } catch {
    return 'no answer'
  }
}

function whyNot(outcome: Exclude<Outcome, 'done'>, process: ProcessName, { portBase }: Settings): string {
  if (outcome === 'process down')
    return `${process} is down already. "npm run break -- ${process} heal" starts it again at once.`
  if (outcome === 'not running') {
    return `The example service is not running: nothing answers at ${addressOf(process, portBase)}.\nStart it in another terminal with: npm start`
  }
  return `${process} refused: ${outcome.refused}`
}

/** Tells what to expect; what cannot be read is said beside it, for the service is broken already. */
function explain(
  { process: name, fault }: Extract<BreakCommand, { do: 'break' }>,
  settings: Settings,
  file: string,
): number {
  const nowMs = systemClock.now()
  const config = loadConfig(file, process.env)
  const consoleUrl = config.ok ? consoleUrlOf(config.value) : 'unknown: the configuration cannot be read'
  const expected = config.ok
    ? expect(config.value, { process: name, fault, nowMs, portBase: settings.portBase })
    : undefined
  const mailboxUrl = config.ok
    ? `${consoleUrl}/mailbox`
    : `http://${host}:${mailboxPorts(settings.portBase).http}/mails`
  if (!config.ok) process.stderr.write(`${config.error.map(formatProblem).join('\n')}\n`)
  const paint = createPaint(process.stdout.isTTY === true, process.env)
  return say(describeBreak({ process: name, fault, nowMs, expected, consoleUrl, mailboxUrl }, paint))
}

function expect(config: Config, fault: Omit<ForecastInput, 'rules' | 'checks'>): Expected[] | undefined {
  const { files, problems } = readRuleFiles(config.rules)
  const checks = loadChecks(config.checks, process.env)
  const wrong = [...problems, ...(checks.ok ? [] : checks.error)]
  if (wrong.length > 0) process.stderr.write(`${wrong.map(formatProblem).join('\n')}\n`)
  return checks.ok ? forecast({ ...fault, rules: files, checks: checks.value }) : undefined
}

function say(text: string): number {
  process.stdout.write(text)
  return 0
}

function refuse(message: string): number {
  process.stderr.write(`${message}\n`)
  return 2
}

process.exitCode = await main()
