/**
 * The example service: seven processes, a mailbox and traffic, until it is told to stop.
 */
import { parseArgs } from 'node:util'
import { err, ok, type Result } from '../src/model/result.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { createLog } from '../src/runtime/log.ts'
import { endWithSupervisor, stopWith, tellSupervisor } from './process.ts'
import { host, mailboxPorts, portOf, processNames, readSettings, type Settings } from './settings.ts'
import { startSupervisor } from './supervisor.ts'

const usage = `Usage: node service/index.ts [--rate FACTOR]

Runs the example service that Tocsin watches: ${processNames.join(', ')},
a mailbox, and users who keep them busy. Break it with: npm run break -- --help

  --rate FACTOR   how busy: 1 is 30 to 60 requests a second over the day, 0 is nobody (default 1)
  --help          this text

  SERVICE_PORT_BASE   the first port (default 10000)
  TOCSIN_STATSD       where the metrics go (default 127.0.0.1:8125)
  SERVICE_LOGS        directory of the request logs (default var/demo/logs), or "off"
`

async function main(): Promise<void> {
  const log = createLog({ format: 'text' })
  const rate = parseOptions(process.argv.slice(2))
  if (!rate.ok) return stopWith(log, rate.error)
  if (rate.value === 'help') {
    process.stdout.write(usage)
    return
  }
  const settings = readSettings(process.env)
  if (!settings.ok) return stopWith(log, settings.error)
  await run(settings.value, rate.value).catch((error: Error) => stopWith(log, error.message))
}

async function run(settings: Settings, rate: number): Promise<void> {
  const print = (name: string, line: string) => void process.stdout.write(`${name.padEnd(9)} │ ${line}\n`)
  const supervisor = await startSupervisor({ settings, clock: systemClock, print, rate })
  endWithSupervisor(() => supervisor.stop())
  await supervisor.ready
  const { portBase } = settings
  const [first, last] = [portOf('router', portBase), portOf('proxy', portBase)]
  print(
    'service',
    `all is up: ${host}:${first} to ${last}, mailbox http://${host}:${mailboxPorts(portBase).http}/mails`,
  )
  tellSupervisor({ ready: true })
}

function parseOptions(args: string[]): Result<number | 'help', string> {
  try {
    const { values } = parseArgs({
      args,
      options: { rate: { type: 'string', default: '1' }, help: { type: 'boolean' } },
    })
    if (values.help) return ok('help')
    const factor = Number(values.rate)
    return factor >= 0 && factor <= 1000 ? ok(factor) : err(`--rate: expected 0 or more, got "${values.rate}"`)
  } catch (error) {
    return err((error as Error).message)
  }
}

await main()
