/**
 * Demo: what `npm start` runs. The example service and `tocsin up` beside each other, until Ctrl-C (demo-run.ts).
 *
 * Exit status: 0 stopped by somebody, 1 one of the two has ended by itself, 2 could not start.
 */
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Config, loadConfig } from '../src/runtime/config.ts'
import { formatProblem } from '../src/runtime/problem.ts'
import { formatTaken, neededPorts, takenPorts } from './demo-ports.ts'
import { Demo } from './demo-run.ts'
import { consoleUrlOf, controlPort, host, readSettings } from './settings.ts'

const root = path.resolve(import.meta.dirname, '..')

const usage = `Usage: npm start [-- --config FILE] [--rate FACTOR] [--verbose]

Runs Tocsin and the example service that it watches, until Ctrl-C.

  --config FILE   Tocsin's configuration (default demo.yaml)
  --rate FACTOR   how busy the example service is: 1 is 30 to 60 requests a second, 0 is nobody (default 1)
  --verbose       show all that Tocsin logs, not only warnings
  --help          this text
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      config: { type: 'string', default: path.join(root, 'demo.yaml') },
      rate: { type: 'string', default: '1' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    say(usage)
    return 0
  }
  const settings = readSettings(process.env)
  if (!settings.ok) return fail(settings.error)
  const config = loadConfig(values.config, process.env)
  if (!config.ok) return fail(config.error.map(formatProblem).join('\n'))
  const { udp } = config.value.ingest.statsd
  const taken = await whatIsInTheWay(config.value, settings.value.portBase)
  if (taken !== undefined) return fail(taken)
  return new Demo(config.value, { ...settings.value, ...(udp && { statsd: udp }) }, values).run()
}

async function whatIsInTheWay(config: Config, portBase: number): Promise<string | undefined> {
  const taken = await takenPorts(neededPorts(config, portBase))
  if (taken.length === 0) return undefined
  const isDemo = await fetch(`http://${host}:${controlPort(portBase)}/processes`).then(
    (response) => response.ok,
    () => false,
  )
  const running = `The demo is already running: ${consoleUrlOf(config)}\n    Stop it with Ctrl-C in its terminal, then start again.`
  return isDemo ? running : formatTaken(taken)
}

function say(text: string): void {
  process.stdout.write(text)
}

function fail(message: string): number {
  process.stderr.write(`${message.trimEnd()}\n`)
  return 2
}

main().then(
  (exitCode) => process.exit(exitCode),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(2)
  },
)
