/** Words of the rule language that are no syntax: functions, their named arguments, comparators. */
export const comparators: ReadonlySet<string> = new Set(['>', '<', '>=', '<=', '=', '!='])
export const argumentNames: ReadonlySet<string> = new Set(['vs', 'season', 'floor', 'from', 'ahead'])
export const functionNames: ReadonlySet<string> = new Set(
  'sum avg min max stddev last change count rate share distinct unusual expected forecast abs since'.split(' '),
)
export const functionList = [...functionNames, 'p50', 'p90', 'p99'] as const
