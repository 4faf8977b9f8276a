/** Runs `bin/tocsin` as a user would: a process, a configuration file, signals. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { until } from './until.ts'

const root = path.resolve(import.meta.dirname, '..', '..')

export interface TocsinProcess {
  child: ChildProcess
  /** Everything printed so far, both streams. */
  output: () => string
  /** Sends a signal and resolves with the exit status. */
  end: (signal?: NodeJS.Signals) => Promise<number | null>
}

/** Starts `bin/tocsin <words>`; the caller ends it. */
export function startTocsin(words: readonly string[], environment: Record<string, string> = {}): TocsinProcess {
  const child = spawn(path.join(root, 'bin', 'tocsin'), words, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  return {
    child,
    output: () => printed,
    end: async (signal = 'SIGTERM') => {
      child.kill(signal)
      return exited
    },
  }
}

/** Runs `bin/tocsin <words>` to its end. */
export async function runTocsin(words: readonly string[], environment: Record<string, string> = {}) {
  const run = startTocsin(words, environment)
  const exitCode = await new Promise<number | null>((resolve) => run.child.once('close', resolve))
  return { exitCode, output: run.output() }
}

/** Waits until the console on `port` says that all parts are ready; fails with its answer and what Tocsin printed. */
export async function untilReady(port: number, runs: readonly TocsinProcess[]): Promise<void> {
  await until(
    async () => {
      const response = await fetch(`http://127.0.0.1:${port}/readyz`)
      if (response.ok) return true
      throw new Error(`${response.status} ${await response.text()}`)
    },
    { timeoutMs: 20_000, what: 'the console to be ready' },
  ).catch((error: Error) => {
    throw new Error(`${error.message}\n${runs.map((run) => run.output()).join('\n')}`)
  })
}

/** A temporary folder with the given files; `remove` it afterwards. */
export function folderWith(files: Readonly<Record<string, string>>): { path: string; remove: () => void } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-story-'))
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    fs.writeFileSync(path.join(folder, name), text)
  }
  return { path: folder, remove: () => fs.rmSync(folder, { recursive: true, force: true }) }
}
