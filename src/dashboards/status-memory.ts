/**
 * Status memory: the newest word of every part, and what follows from who is silent.
 *
 * A part that has reported once is expected to go on; silent for `silentMs` it makes the console unready. An instance is
 * forgotten when a newer one of the same part on the same host has taken its place, or after a day.
 */
import type { EngineStatus, Status } from '../model/status.ts'
import type { Stats } from '../runtime/stats.ts'
import type { OutlookView, PartView, SourceView } from './view.ts'

export const silentMs = 5000
export const instancesMax = 500
const forgottenMs = 24 * 3_600_000
/** An engine whose last bucket is older than this does not see the present. */
export const engineLagMaxMs = 15_000

interface Heard {
  status: Status
  heardMs: number
}

export interface EngineView extends EngineStatus {
  heardMs: number
  lastBucketMs: number | undefined
}

export class StatusMemory {
  readonly #heard = new Map<string, Heard>()
  readonly #stats: Stats

  constructor(stats: Stats) {
    this.#stats = stats
  }

  hear(status: Status, nowMs: number): void {
    const key = `${status.part}.${status.instance}`
    if (!this.#heard.has(key) && this.#heard.size >= instancesMax) this.#makeRoom()
    this.#heard.set(key, { status, heardMs: nowMs })
    for (const [other, heard] of this.#heard) {
      if (other !== key && isReplaced(heard, status, nowMs)) this.#heard.delete(other)
      else if (nowMs - heard.heardMs > forgottenMs) this.#heard.delete(other)
    }
  }

  all(): readonly Status[] {
    return [...this.#heard.values()].map(({ status }) => status)
  }

  parts(nowMs: number): PartView[] {
    const views = [...this.#heard.values()].map((heard) => viewPart(heard, nowMs))
    return views.sort((a, b) => order(a.part, b.part) || order(a.instance, b.instance))
  }

  /** Why the pipeline is not ready, one clause each; empty when every known part has reported and is ready. */
  unready(nowMs: number): { part: string; instance: string; reason: string }[] {
    return this.parts(nowMs).flatMap(({ part, instance, state, heardMs, problem }) => {
      if (state === 'ready') return []
      const reason = state === 'silent' ? `silent for ${seconds(nowMs - heardMs)}` : (problem ?? 'not ready')
      return [{ part, instance, reason }]
    })
  }

  /** The leader's status, or the newest there is; also when it is old. */
  engine(): EngineView | undefined {
    const engines = [...this.#heard.values()].filter(({ status }) => status.engine !== undefined)
    engines.sort((a, b) => b.heardMs - a.heardMs)
    const newestMs = engines[0]?.heardMs ?? 0
    const fresh = engines.filter(({ heardMs }) => newestMs - heardMs < silentMs)
    const chosen = fresh.find(({ status }) => status.engine?.leader) ?? fresh[0]
    if (!chosen) return undefined
    const { engine, lastBucketMs } = chosen.status
    return { ...(engine as EngineStatus), heardMs: chosen.heardMs, lastBucketMs }
  }

  sources(): readonly SourceView[] {
    return this.engine()?.sources ?? []
  }

  outlook(nowMs: number): OutlookView {
    const engine = this.engine()
    const blinding = whyNothingIsSeen(engine, nowMs)
    const limiting = [...whatIsNotSeen(engine), ...this.#partsInTrouble(nowMs)]
    return {
      sight: blinding.length > 0 ? 'none' : limiting.length > 0 ? 'partial' : 'clear',
      reasons: [...blinding, ...limiting],
      ...(engine?.lastBucketMs !== undefined && { engineBucketMs: engine.lastBucketMs }),
    }
  }

  #partsInTrouble(nowMs: number): string[] {
    const troubled = this.unready(nowMs).filter(({ part }) => part !== 'cep')
    const reasons = troubled.map(({ part, reason }) => `${part}: ${reason}`)
    const pages = [...this.#heard.values()].some(({ status }) => status.part === 'alerts')
    return pages ? reasons : ['the alerts part has not reported: nobody would be paged', ...reasons]
  }

  #makeRoom(): void {
    const oldest = [...this.#heard].sort(([, a], [, b]) => a.heardMs - b.heardMs)[0]
    if (oldest) this.#heard.delete(oldest[0])
    this.#stats.count('instances_over_max_total')
  }
}

function isReplaced({ status, heardMs }: Heard, by: Status, nowMs: number): boolean {
  const isSame = status.part === by.part && status.host === by.host
  return isSame && status.startedMs < by.startedMs && nowMs - heardMs >= silentMs
}

function viewPart({ status, heardMs }: Heard, nowMs: number): PartView {
  const { part, instance, host, startedMs, ready, problem, lastBucketMs } = status
  const state = nowMs - heardMs >= silentMs ? 'silent' : ready ? 'ready' : 'unready'
  return {
    ...{ part, instance, host, state, heardMs, startedMs },
    ...(problem !== undefined && { problem }),
    ...(lastBucketMs !== undefined && { lastBucketMs }),
  }
}

function whyNothingIsSeen(engine: EngineView | undefined, nowMs: number): string[] {
  if (!engine) return ['the engine has not reported yet']
  const silence = nowMs - engine.heardMs
  if (silence >= silentMs) return [`the engine has been silent for ${seconds(silence)}`]
  if (!engine.leader) return ['no engine leads: rules are not being decided']
  if (engine.rules.length === 0) return ['no rules are running']
  if (engine.lastBucketMs === undefined) return ['the engine has not closed a bucket yet']
  const lag = nowMs - engine.lastBucketMs
  if (lag > engineLagMaxMs) return [`the engine's last bucket is ${seconds(lag)} old`]
  if (!engine.sources.some(({ state }) => state === 'live')) return ['no source is sending data']
  if (engine.rules.every(({ groupCount }) => groupCount === 0)) return ['no rule has seen a series yet']
  return []
}

function whatIsNotSeen(engine: EngineView | undefined): string[] {
  if (!engine) return []
  const dead = engine.sources.filter(({ state }) => state === 'dead').map(({ name }) => `source ${name} is dead`)
  const stopped = engine.rules.filter(({ problem }) => problem !== undefined)
  const blind = engine.rules.flatMap(({ groups }) => groups).filter((group) => group.blind).length
  return [
    ...dead,
    ...stopped.map(({ name }) => `rule ${name} has stopped`),
    ...(blind > 0 ? [`${blind} ${blind === 1 ? 'group is' : 'groups are'} blind`] : []),
    ...(engine.rulesProblem !== undefined ? ['the newest rule files were refused; the former rules run'] : []),
  ]
}

function seconds(durationMs: number): string {
  return `${Math.round(durationMs / 1000)} s`
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
