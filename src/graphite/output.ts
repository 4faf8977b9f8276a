/**
 * Output: how etsy's options say that series are named and which of them are written, worked out once.
 *
 *     legacy       stats.NAME                      stats_counts.NAME                stats.timers.NAME.FIGURE
 *     not legacy   globalPrefix.counters.NAME.rate  globalPrefix.counters.NAME.count  globalPrefix.timers.NAME.FIGURE
 *
 * `globalSuffix` ends every path; tags stay behind it.
 */
import type { StatsdOutput } from '../runtime/config-graphite.ts'
import { type IdlePolicy, repeatAll } from './idle.ts'
import type { TimerWishes } from './timer.ts'

/** What stands before and behind the name of a series. */
export interface Affixes {
  before: string
  behind: string
}

export interface Output {
  rate: Affixes
  /** Undefined where sums are not written. */
  count: Affixes | undefined
  /** The figure is between `behind`, a dot, and `suffix`. */
  timer: Affixes
  gauge: Affixes
  set: Affixes
  suffix: string
  /** The whole name of the number of series. */
  numStats: string
  /** What the daemon's own counters are called below. */
  prefixStats: string
  timers: TimerWishes
  idle: IdlePolicy
}

export function outputOf(settings: StatsdOutput, flushMs: number): Output {
  const suffix = settings.globalSuffix === '' ? '' : `.${settings.globalSuffix}`
  const names = settings.legacyNamespace ? legacyNames(settings, suffix) : newNames(settings, suffix)
  const { percentThreshold: percents, histogram, calculatedTimerMetrics, prefixStats } = settings
  const timers = { percents, histogram, only: new Set(calculatedTimerMetrics) }
  return { ...names, suffix, prefixStats, timers, idle: idlePolicy(settings, flushMs) }
}

type Names = Pick<Output, 'rate' | 'count' | 'timer' | 'gauge' | 'set' | 'numStats'>

function legacyNames({ flush_counts, prefixStats }: StatsdOutput, suffix: string): Names {
  return {
    rate: { before: 'stats.', behind: suffix },
    count: flush_counts ? { before: 'stats_counts.', behind: suffix } : undefined,
    timer: { before: 'stats.timers.', behind: '' },
    gauge: { before: 'stats.gauges.', behind: suffix },
    set: { before: 'stats.sets.', behind: `.count${suffix}` },
    numStats: `${prefixStats}.numStats${suffix}`,
  }
}

function newNames(settings: StatsdOutput, suffix: string): Names {
  const { globalPrefix, prefixCounter, prefixTimer, prefixGauge, prefixSet, prefixStats, flush_counts } = settings
  const below = (prefix: string) => [globalPrefix, prefix, ''].filter((word, i) => word !== '' || i === 2).join('.')
  return {
    rate: { before: below(prefixCounter), behind: `.rate${suffix}` },
    count: flush_counts ? { before: below(prefixCounter), behind: `.count${suffix}` } : undefined,
    timer: { before: below(prefixTimer), behind: '' },
    gauge: { before: below(prefixGauge), behind: suffix },
    set: { before: below(prefixSet), behind: `.count${suffix}` },
    numStats: `${below(prefixStats)}numStats${suffix}`,
  }
}

function idlePolicy(settings: StatsdOutput, flushMs: number): IdlePolicy {
  const { deleteIdleStats: all, deleteCounters, deleteTimers, deleteSets, deleteGauges, gaugesMaxTTL } = settings
  return {
    counters: !(deleteCounters ?? all),
    timers: !(deleteTimers ?? all),
    sets: !(deleteSets ?? all),
    gaugesForMs: (deleteGauges ?? all) ? gaugesMaxTTL * flushMs : repeatAll.gaugesForMs,
  }
}
