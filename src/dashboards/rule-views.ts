/** Rules as the pages show them, from the engine's status. What cannot be known is never shown as ok. */
import type { GroupStatus, RuleStatus } from '../model/status.ts'
import type { EngineView } from './status-memory.ts'
import { silentMs } from './status-memory.ts'
import type { GroupView, RuleState, RuleView } from './view.ts'

/** The gravest first: a rule's state is that of its gravest group. */
export const gravity: readonly RuleState[] = [
  'stopped',
  'crit',
  'warn',
  'pending',
  'blind',
  'nodata',
  'unknown',
  'ok',
  'empty',
]

export function viewRules(engine: EngineView | undefined, nowMs: number): RuleView[] {
  if (!engine) return []
  const isKnown = nowMs - engine.heardMs < silentMs
  const usual = usualBuckets(engine)
  return engine.rules.map((rule) => {
    const view = viewRule(rule, isKnown)
    return usual[rule.stepMs] === rule.lastBucketMs ? view : { ...view, lastBucketMs: rule.lastBucketMs }
  })
}

/** For each step the last bucket that most of its rules have: they are evaluated together, so one number tells all. */
export function usualBuckets(engine: EngineView | undefined): Record<string, number> {
  const votes = new Map<string, number>()
  const usual: Record<string, number> = {}
  for (const { stepMs, lastBucketMs } of engine?.rules ?? []) {
    const key = `${stepMs} ${lastBucketMs}`
    const count = (votes.get(key) ?? 0) + 1
    votes.set(key, count)
    const leader = usual[stepMs]
    if (leader === undefined || count > (votes.get(`${stepMs} ${leader}`) ?? 0)) usual[stepMs] = lastBucketMs
  }
  return usual
}

export function viewRule({ name, file, stepMs, problem, groupCount, groups }: RuleStatus, isKnown: boolean): RuleView {
  const counts: Partial<Record<RuleState, number>> = {}
  for (const group of groups) {
    const state = stateOfGroup(group)
    counts[state] = (counts[state] ?? 0) + 1
  }
  const gravest = gravity.find((state) => counts[state] !== undefined) ?? 'empty'
  const state = !isKnown ? 'unknown' : problem !== undefined ? 'stopped' : gravest
  return { name, file, state, stepMs, groupCount, counts, ...(problem !== undefined && { problem }) }
}

export function viewGroup(group: GroupStatus): GroupView {
  const { key, level, pending, hidden, partial, sinceMs, value, text, threshold } = group
  const state = stateOfGroup(group)
  return {
    ...{ key, level, state, hidden, partial, sinceMs, value, text },
    threshold: threshold ?? null,
    ...(pending && { pending }),
  }
}

function stateOfGroup({ level, blind, pending }: GroupStatus): RuleState {
  if (blind) return 'blind'
  if (level === 'ok') return pending ? 'pending' : 'ok'
  return level === 'forgotten' ? 'unknown' : level
}
