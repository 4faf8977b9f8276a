/** Saved rule: what is left of a rule that is not run any more, from its saved state alone. */
import type { Transition } from '../model/transition.ts'
import { groupKeyOf } from './groups.ts'
import type { CarriedGroup, SavedRule } from './rule-run.ts'

/** Each group's level, for the rule's next version. */
export function carriedOf({ compiled, states }: SavedRule): CarriedGroup[] {
  const all = compiled?.scopes[0]?.groups.values ?? []
  return all.flatMap((values, group) => {
    const state = states[group]
    if (!values || !state) return []
    return [{ values, level: state.level, isHidden: state.isHidden, troubleMs: state.troubleMs }]
  })
}

/** The last word on groups that fire, when their rule is gone. */
export function endOf(saved: SavedRule): Transition[] {
  return carriedOf(saved)
    .filter(({ level }) => level === 'warn' || level === 'crit')
    .map(({ values, level, troubleMs }) => ({
      id: `${saved.name}/${groupKeyOf(values)}/${saved.lastBucketMs}/forgotten/shown`,
      rule: saved.name,
      group: saved.names.map((name, i) => ({ name, value: values[i] as string })),
      groupKey: groupKeyOf(values),
      bucketMs: saved.lastBucketMs,
      from: level,
      to: 'forgotten',
      hidden: false,
      blind: false,
      sinceMs: troubleMs || saved.lastBucketMs,
      say: '',
      reason: '',
      values: [],
      series: { stepMs: 0, values: [] },
      tags: {},
    }))
}
