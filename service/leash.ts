/**
 * Leash: runs a program that ends when we do, however we end.
 *
 * A small shell waits on a pipe from us. When the pipe closes unannounced, we have died: it asks the program's process
 * group to stop and, ten seconds later, kills what is left. An announced end (`done`) leaves the program to us.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

const script = `
read -r word
[ "$word" = done ] && exit 0
kill -s TERM -- "-$1" 2>/dev/null
for tenth in 1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 10 \
  1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 10; do
  kill -s 0 -- "-$1" 2>/dev/null || exit 0
  sleep 0.1
done
kill -s KILL -- "-$1" 2>/dev/null
`

/** Starts `command` in a process group of its own, with its output in pipes. */
export function spawnLeashed(command: string, args: readonly string[], environment: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  if (child.pid === undefined) return child
  const leash = spawn('sh', ['-c', script, 'leash', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  leash.stdin.on('error', () => {})
  once(child, 'exit').then(() => leash.stdin.end('done\n'))
  return child
}
