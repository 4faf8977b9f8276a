/**
 * Child: one program that the supervisor keeps running, as a process of its own.
 *
 *     starting --ready--> up --exits--> waiting --backoff--> starting
 *                         up --kill for a time--> down --time is over, or heal--> starting
 *
 * The wait doubles with each exit from 0.25 s to 10 s and begins anew once the child has been up for 10 s.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Subscription } from 'rxjs'
import { type Clock, sleep } from '../src/runtime/clock.ts'
import type { ChildMessage } from './process.ts'

export type ChildState = 'starting' | 'up' | 'waiting' | 'down' | 'stopped'

export interface ChildOptions {
  name: string
  /** The program, a TypeScript file. */
  file: string
  args?: readonly string[]
  environment: Readonly<Record<string, string>>
  clock: Clock
  /** Told each line that the child prints. */
  print: (name: string, line: string) => void
}

const waitMinMs = 250
const waitMaxMs = 10_000
const steadyMs = 10_000
const stopGraceMs = 3000

export class Child {
  readonly name: string
  readonly #options: ChildOptions
  #state: ChildState = 'stopped'
  #process: ChildProcess | undefined
  #waitMs = waitMinMs
  #startedMs = 0
  #downMs: number | undefined
  #endsMs: number | undefined
  #timer: Subscription | undefined
  #onReady: () => void = () => {}
  readonly ready: Promise<void>
  restarts = 0

  constructor(options: ChildOptions) {
    this.name = options.name
    this.#options = options
    this.ready = new Promise((resolve) => {
      this.#onReady = resolve
    })
  }

  get state(): ChildState {
    return this.#state
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** When a killed child is started again, epoch ms. */
  get endsMs(): number | undefined {
    return this.#endsMs
  }

  start(): void {
    const { file, args = [], environment, clock } = this.#options
    this.#endsMs = undefined
    this.#state = 'starting'
    this.#startedMs = clock.now()
    const child = fork(file, args, {
      env: { ...process.env, ...environment },
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Its own process group: Ctrl-C reaches the supervisor alone, which then stops all in order.
      detached: true,
    })
    this.#process = child
    this.#printLines(child.stdout)
    this.#printLines(child.stderr)
    child.on('message', (message) => this.#hear(message as ChildMessage))
    child.on('error', (error) => this.#print(error.message))
    child.on('exit', (code, signal) => this.#exited(code, signal))
  }

  /** Kills it for real and starts it again after `forMs`. */
  kill(forMs: number): void {
    if (this.#state === 'stopped') return
    this.#downMs = forMs
    if (this.#process) this.#process.kill('SIGKILL')
    else this.#stayDown(forMs)
  }

  /** Ends the time that a killed child stays down. */
  heal(): void {
    if (this.#state !== 'down' && this.#state !== 'waiting') return
    this.#timer?.unsubscribe()
    this.#print('healed: starting again')
    this.start()
  }

  /** SIGTERM, and SIGKILL for one that does not end within 3 s. */
  async stop(): Promise<void> {
    this.#state = 'stopped'
    this.#timer?.unsubscribe()
    const child = this.#process
    if (!child) return
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const grace = new AbortController()
    child.kill('SIGTERM')
    sleep(stopGraceMs, this.#options.clock, grace.signal).then(() => grace.signal.aborted || child.kill('SIGKILL'))
    await exited
    grace.abort()
  }

  #hear(message: ChildMessage): void {
    if (this.#state === 'stopped') return
    if ('kill' in message) this.kill(message.kill.forMs)
    else {
      this.#state = 'up'
      this.#onReady()
    }
  }

  #exited(code: number | null, signal: NodeJS.Signals | null): void {
    this.#process = undefined
    if (this.#state === 'stopped') return
    if (this.#downMs !== undefined) this.#stayDown(this.#downMs)
    else this.#startAgain(signal ?? `exit code ${code}`)
  }

  #startAgain(ending: string): void {
    const { clock } = this.#options
    if (clock.now() - this.#startedMs >= steadyMs) this.#waitMs = waitMinMs
    this.#print(`ended with ${ending}; starting again in ${this.#waitMs / 1000} s`)
    this.#state = 'waiting'
    this.#startAfter(this.#waitMs)
    this.#waitMs = Math.min(this.#waitMs * 2, waitMaxMs)
  }

  #stayDown(forMs: number): void {
    this.#timer?.unsubscribe()
    this.#downMs = undefined
    this.#state = 'down'
    this.#endsMs = this.#options.clock.now() + forMs
    this.#print(`killed; stays down for ${forMs / 1000} s`)
    this.#startAfter(forMs)
  }

  #startAfter(waitMs: number): void {
    this.restarts++
    this.#timer = this.#options.clock.schedule(() => this.start(), waitMs)
  }

  #printLines(stream: Readable | null): void {
    if (stream) createInterface({ input: stream }).on('line', (line) => this.#print(line))
  }

  #print(line: string): void {
    this.#options.print(this.name, line)
  }
}
