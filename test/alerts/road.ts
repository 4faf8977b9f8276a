/** The alerts part on a memory bus in a directory of its own, with what tests want to say to it and ask of it. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { startAlerts } from '../../src/alerts/index.ts'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import type { Context, Part } from '../../src/bus/part.ts'
import type { Claim, Receipt } from '../../src/model/delivery.ts'
import type { Hops } from '../../src/model/message.ts'
import type { Status } from '../../src/model/status.ts'
import type { Transition } from '../../src/model/transition.ts'
import { type Clock, ManualClock, systemClock } from '../../src/runtime/clock.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { createLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

export interface Road {
  dir: string
  bus: Bus
  context: Context
  config: Config
  part: Part
  logged: string[]
  claims: Claim[]
  receipts: Receipt[]
  statuses: Status[]
  say(transition: Transition, hops?: Hops): Promise<void>
  tick(nowMs: number): Promise<void>
  /** Stops the part and the bus, and starts both again on the same directory, optionally with another configuration. */
  restart(alerts?: string): Promise<void>
  reload(alerts: string): Promise<void>
  stop(): Promise<void>
}

/** `alerts` is the YAML of that section. */
export async function startRoad(alerts: string, clock: Clock = systemClock): Promise<Road> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-alerts-'))
  const logged: string[] = []
  const log = createLog({ format: 'text', write: (line) => logged.push(line) })
  let starts = 0
  // Bus, part and the functions are put in below, before anybody gets it.
  const road = { dir, logged, claims: [], receipts: [], statuses: [] } as unknown as Road
  const open = async () => {
    const instance = `test-${++starts}`
    road.bus = await openMemoryBus({ dir: path.join(dir, 'log'), clock, log, stats: new Stats(), instance })
    road.context = { bus: road.bus, clock, log, instance, host: 'test', environment: {} }
    road.bus.readLog('alerts-log', 'next', (entry) => {
      if (entry.kind === 'claims') road.claims.push(entry.message)
      if (entry.kind === 'receipts') road.receipts.push(entry.message)
    })
    road.bus.onStatus((status) => road.statuses.push(status))
    road.part = await startAlerts(road.config, road.context)
  }
  road.config = configOf(dir, alerts)
  road.say = (transition, hops) => road.bus.publish(`transitions.${transition.rule}`, transition, hops)
  road.tick = (nowMs) => road.bus.publish('clock', { process: 'cep-1', nowMs })
  const stopPart = async () => {
    let isStopped = false
    const stopping = road.part.stop().finally(() => {
      isStopped = true
    })
    // A manual clock has to be moved along for the waits of an orderly stop.
    while (clock instanceof ManualClock && !isStopped) await clock.advanceBy(10)
    await stopping
  }
  road.restart = async (changed) => {
    await stopPart()
    await road.bus.close()
    if (changed !== undefined) road.config = configOf(dir, changed)
    await open()
  }
  road.reload = async (changed) => {
    road.config = configOf(dir, changed)
    await road.part.reload?.(road.config)
  }
  road.stop = async () => {
    await stopPart()
    await road.bus.close()
    fs.rmSync(dir, { recursive: true, force: true })
  }
  await open()
  return road
}

export function configOf(dir: string, alerts: string): Config {
  const file = path.join(dir, 'tocsin.yaml')
  fs.writeFileSync(file, `data: ${dir}\nalerts:\n${alerts.replace(/^/gm, '  ')}\n`)
  const loaded = loadConfig(file, {})
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error))
  return loaded.value
}
