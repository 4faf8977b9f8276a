/**
 * Begin: where an engine starts. From the newest snapshot that fits the log, behind the last entry that is in it; else
 * from the first entry that the log has.
 *
 * A snapshot fits when its last entry stands on the log where it stood. Where another stands there, or none yet, the log is
 * another one, or it lost its last second with the machine's power; an earlier snapshot may still fit. Where the entry has
 * left the log, the state is good, but the log does not go on from it: the engine passes over what is gone.
 */
import type { Bus, Offset } from '../bus/bus.ts'
import type { LogEntry } from '../model/message.ts'
import { err, type Result } from '../model/result.ts'
import { Engine, type EngineOptions } from './engine.ts'
import type { Snapshots } from './part-snapshots.ts'
import type { Snapshot } from './snapshot.ts'

export interface Beginning {
  /** Undefined: a new one, that reads the log from its first entry. */
  engine?: Engine
  from: Offset
  snapshot?: Snapshot
  /** There were snapshots, and none of them is of this log. */
  isAnotherLog: boolean
}

export async function beginning(bus: Bus, snapshots: Snapshots, options: EngineOptions): Promise<Beginning> {
  let isAnotherLog = false
  for await (const { name, snapshot } of snapshots.newest()) {
    if (!(await isOn(bus, snapshot))) {
      isAnotherLog = true
      snapshots.refuse(name, `entry ${snapshot.offset} of the log is not the one that it ends with`)
      continue
    }
    const restored = revived(options, snapshot)
    if (restored.ok) return { engine: restored.value, from: snapshot.offset + 1, snapshot, isAnotherLog: false }
    snapshots.refuse(name, restored.error)
  }
  return { from: 'first', isAnotherLog }
}

/** A snapshot that passed all checks and cannot be used all the same must not keep the engine from starting. */
function revived(options: EngineOptions, { engine }: Snapshot): Result<Engine, string> {
  try {
    return Engine.restored(options, engine)
  } catch (error) {
    return err(`the engine cannot take it up: ${(error as Error).message}`)
  }
}

/** False where another entry, or none, stands in the place of the snapshot's last one. */
async function isOn(bus: Bus, { offset, id }: Snapshot): Promise<boolean> {
  let hasLeft = false
  const { promise, resolve } = Promise.withResolvers<LogEntry | undefined>()
  const reader = bus.readLog('engine-log', offset, resolve, {
    lost: (wanted, first) => {
      hasLeft = wanted < first
    },
  })
  reader.caughtUp().then(() => resolve(undefined), resolve)
  const entry = await promise
  await reader.stop()
  if (hasLeft) return true
  // An entry that cannot be read is passed over by the reader; then its place is all we know.
  return entry !== undefined && (entry.offset > offset || (entry.offset === offset && entry.id === id))
}
