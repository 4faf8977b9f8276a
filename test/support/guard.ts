/**
 * Guard: makes sure that what a test starts ends with it, however the test process ends, even by SIGKILL.
 *
 * A small shell of its own session reads the process groups to end from a pipe. When the pipe closes, because the test
 * closed it or died, it kills them all and removes the directory.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const script = `
groups=
while read -r group; do groups="$groups $group"; done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
# What was just killed may still be writing.
for attempt in 1 2 3 4 5; do rm -rf -- "$1" 2>/dev/null && exit 0; sleep 0.1; done
`

export interface Guarded {
  /** A fresh directory that goes when the guard ends. */
  dir: string
  /** Starts a process as the leader of its own group; its output goes to `<dir>/<name>.out`. */
  spawn(name: string, command: string, args: readonly string[], environment?: NodeJS.ProcessEnv): GuardedProcess
  /** Kills what still runs and removes the directory. */
  end(): Promise<void>
}

export interface GuardedProcess {
  pid: number
  /** Sends a signal to the whole group; false when nothing is left of it. */
  signal(name: NodeJS.Signals): boolean
  /** Resolves when the leader has ended. */
  ended: Promise<void>
  running(): boolean
}

export function guard(name: string): Guarded {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), `tocsin-${name}-`))
  const shell = spawn('sh', ['-c', script, 'guard', dir], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  const gone = once(shell, 'exit')
  const started: GuardedProcess[] = []
  return {
    dir,
    spawn: (process, command, args, environment) => {
      const child = start(dir, process, command, args, environment)
      shell.stdin?.write(`${child.pid}\n`)
      started.push(child)
      return child
    },
    end: async () => {
      shell.stdin?.end()
      await Promise.all([gone, ...started.map((process) => process.ended)])
    },
  }
}

function start(
  dir: string,
  name: string,
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): GuardedProcess {
  const output = fs.openSync(path.join(dir, `${name}.out`), 'a')
  const child: ChildProcess = spawn(command, args, {
    cwd: dir,
    env: environment,
    detached: true,
    stdio: ['ignore', output, output],
  })
  fs.closeSync(output)
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} cannot be started`)
  return {
    pid,
    ended: once(child, 'exit').then(() => {}),
    running: () => child.exitCode === null && child.signalCode === null,
    signal: (signal) => {
      try {
        return process.kill(-pid, signal)
      } catch {
        return false
      }
    },
  }
}
