/**
 * Demo run: starts the example service and Tocsin, waits until the console is ready, and stops both in order.
 *
 *     start   service → tocsin → the console's /readyz is 200 → banner
 *     stop    tocsin (its last bucket, `bye`, its outbox) → service, so that stopping pages nobody
 *
 * Works without a terminal. When this process or its parent dies, the rest ends too: the service with its IPC channel,
 * Tocsin by its leash.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { interval } from 'rxjs'
import { sleep, systemClock } from '../src/runtime/clock.ts'
import type { Config } from '../src/runtime/config.ts'
import { createLog } from '../src/runtime/log.ts'
import { watchAncestors } from './ancestors.ts'
import { banner, createPaint } from './banner.ts'
import { spawnLeashed } from './leash.ts'
import { LineFile } from './line-file.ts'
import { asEnvironment, consoleUrlOf, logFile, type Settings } from './settings.ts'

const root = path.resolve(import.meta.dirname, '..')
const impatientMs = 10_000
const stopMsMax = 15_000

export interface DemoOptions {
  /** Factor on the usual traffic, as written. */
  rate: string
  /** Shows all that Tocsin logs, not only warnings. */
  verbose: boolean
}

export class Demo {
  readonly #config: Config
  readonly #settings: Settings
  readonly #options: DemoOptions
  readonly #tocsinLog: LineFile
  readonly #paint = createPaint(process.stdout.isTTY === true, process.env)
  readonly #stopping = new AbortController()
  readonly #lastLines: string[] = []
  #service: ChildProcess | undefined
  #tocsin: ChildProcess | undefined
  #exitCode = 0

  constructor(config: Config, settings: Settings, options: DemoOptions) {
    this.#config = config
    this.#settings = settings
    this.#options = options
    this.#tocsinLog = new LineFile(logFile('tocsin', settings), createLog({ format: 'text' }).child('demo'))
  }

  /** Resolves with the exit code when all is stopped again. */
  async run(): Promise<number> {
    this.#stopOnSignals()
    say('Starting the example service …\n')
    this.#service = this.#startService()
    await this.#until(once(this.#service, 'message'))
    if (!this.#isStopping) {
      say('Starting Tocsin …\n')
      this.#tocsin = this.#startTocsin()
      await this.#waitUntilReady()
    }
    if (!this.#isStopping) this.#greet()
    await this.#until(new Promise(() => {}))
    await this.#stop()
    return this.#exitCode
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  #startService(): ChildProcess {
    const child = fork(path.join(import.meta.dirname, 'index.ts'), ['--rate', this.#options.rate], {
      env: { ...process.env, ...asEnvironment(this.#settings) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    })
    this.#follow(child, 'the example service', (line) => say(`${this.#paint.dim(line)}\n`))
    return child
  }

  #startTocsin(): ChildProcess {
    const args = ['up', '--config', this.#config.file, '--log-format', 'json']
    const child = spawnLeashed(path.join(root, 'bin/tocsin'), args, process.env)
    this.#follow(child, 'tocsin', (line) => this.#hearTocsin(line))
    return child
  }

  /** Shows a child's lines; when it ends by itself, that is the end of the demo. */
  #follow(child: ChildProcess, name: string, show: (line: string) => void): void {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', show)
    }
    child.on('error', (error) => this.#giveUp(`${name} cannot be started: ${error.message}`))
    child.on('exit', (code, signal) => this.#giveUp(`${name} has ended (${signal ?? `exit code ${code}`}).`))
  }

  #giveUp(message: string): void {
    if (this.#isStopping) return
    this.#exitCode = 1
    const context = this.#lastLines.map((line) => `    ${line}\n`).join('')
    process.stderr.write(`\n${message}\n${context}Stopping the rest.\n`)
    this.#stopping.abort()
  }

  #hearTocsin(line: string): void {
    this.#tocsinLog.write(line)
    const { level = 'error', part = '', msg = line } = parseLine(line)
    const text = `tocsin    │ ${part ? `${part}: ` : ''}${level === 'info' ? '' : `${level}: `}${msg}`
    this.#lastLines.push(text)
    if (this.#lastLines.length > 5) this.#lastLines.shift()
    if (this.#options.verbose || level === 'warn' || level === 'error') say(`${this.#paint.dim(text)}\n`)
  }

  async #waitUntilReady(): Promise<void> {
    const startedMs = systemClock.now()
    let saidMs = startedMs
    while (!this.#isStopping) {
      const missing = await whatIsMissing(consoleUrlOf(this.#config))
      if (missing === undefined) return
      if (systemClock.now() - saidMs >= impatientMs) {
        saidMs = systemClock.now()
        say(`Still waiting after ${Math.round((saidMs - startedMs) / 1000)} s: ${missing}\n`)
      }
      await sleep(100, systemClock, this.#stopping.signal)
    }
  }

  #greet(): void {
    const url = consoleUrlOf(this.#config)
    const logDirectory = this.#settings.logDirectory ?? 'no files (SERVICE_LOGS is off)'
    const facts = { consoleUrl: url, mailboxUrl: `${url}/mailbox`, logDirectory: path.relative('.', logDirectory) }
    say(banner(facts, this.#paint))
  }

  #stopOnSignals(): void {
    const stop = () => this.#stopping.abort()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
    // Nobody reads any more: whoever started this has gone.
    process.stdout.on('error', stop)
    process.stderr.on('error', stop)
    const areThere = watchAncestors(process.env.npm_lifecycle_event !== undefined)
    const watch = interval(500, systemClock).subscribe(() => areThere() || stop())
    this.#stopping.signal.addEventListener('abort', () => watch.unsubscribe())
  }

  async #stop(): Promise<void> {
    say('\n')
    await stopChild(this.#tocsin, 'Tocsin')
    await stopChild(this.#service, 'the example service')
    await this.#tocsinLog.close()
    say('Everything is stopped.\n')
  }

  /** Resolves when `event` has happened or the demo is to stop. */
  #until(event: Promise<unknown>): Promise<unknown> {
    const { signal } = this.#stopping
    if (signal.aborted) return Promise.resolve()
    return Promise.race([event, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))])
  }
}

/** SIGTERM, and SIGKILL for one that does not end in time; nothing for one that has ended. */
async function stopChild(child: ChildProcess | undefined, name: string): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  say(`Stopping ${name} …\n`)
  const exited = once(child, 'exit')
  const grace = new AbortController()
  child.kill('SIGTERM')
  sleep(stopMsMax, systemClock, grace.signal).then(() => grace.signal.aborted || child.kill('SIGKILL'))
  await exited
  grace.abort()
}

/** Undefined when the console says that all is ready. */
async function whatIsMissing(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) })
    const text = (await response.text()).trim().slice(0, 500)
    return response.ok ? undefined : `the console says: ${text || `HTTP ${response.status}`}`
  } catch {
    return `the console at ${url} does not answer yet`
  }
}

function parseLine(line: string): { level?: string; part?: string; msg?: string } {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null ? parsed : {}
  } catch {
    return {}
  }
}

function say(text: string): void {
  process.stdout.write(text)
}
