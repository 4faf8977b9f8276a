/**
 * Directory lock: one process at a time on a data directory. The file `lock` names its holder by pid and start, so the
 * lock of a process that was killed is taken over, also when its pid has been given to another since.
 */
import fs from 'node:fs'
import path from 'node:path'

/** Directories held by this very process. */
const ours = new Set<string>()

/** Takes the lock or throws, naming the holder; the returned function lets go. */
export function lockDirectory(dir: string): () => void {
  const file = path.join(fs.realpathSync(dir), 'lock')
  if (ours.has(file)) throw new Error(`${dir} is in use by this process (pid ${process.pid}) already`)
  const us = `${process.pid} ${startOf(process.pid) ?? ''}\n`
  if (!create(file, us)) {
    const holder = readHolder(file)
    if (isAlive(holder)) {
      throw new Error(
        `${dir} is in use by another process (pid ${holder.split(' ')[0]}); stop it, or use another data directory`,
      )
    }
    fs.rmSync(file, { force: true })
    // Of several that found it stale at the same time, one creates it.
    if (!create(file, us)) throw new Error(`${dir} has just been taken by another process`)
  }
  ours.add(file)
  return () => {
    ours.delete(file)
    fs.rmSync(file, { force: true })
  }
}

function create(file: string, text: string): boolean {
  try {
    fs.writeFileSync(file, text, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function readHolder(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

function isAlive(holder: string): boolean {
  const [pid, start] = holder.split(' ')
  if (!/^\d+$/.test(pid ?? '') || Number(pid) === process.pid) return false
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    // Not permitted means that it exists.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const startNow = startOf(Number(pid))
  return startNow === undefined || start === undefined || start === startNow
}

/** When a process started, in the machine's own terms; undefined where there is no /proc. A zombie has ended. */
function startOf(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold anything; the state follows it, the start time is the 20th field from there.
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === 'Z') return 'ended'
    return `${fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}-${rest[18]}`
  } catch {
    return undefined
  }
}
