/** Words of the rule language that are no syntax: functions, their named arguments, comparators, the keys of files. */
export const comparators: ReadonlySet<string> = new Set(['>', '<', '>=', '<=', '=', '!='])
export const argumentNames: ReadonlySet<string> = new Set(['vs', 'season', 'floor', 'from', 'ahead'])
export const functionNames: ReadonlySet<string> = new Set(
  'sum avg min max stddev last change count rate share distinct unusual expected forecast abs since'.split(' '),
)
export const functionList = [...functionNames, 'p50', 'p90', 'p99'] as const

export const fileKeys = ['metrics', 'facts', 'rules', 'tests'] as const
export const catalogueKeys = ['match', 'kind', 'unit', 'step'] as const
export const seriesKinds = ['gauge', 'count', 'counter', 'timer', 'set', 'percentile', 'check'] as const
export const catalogueUnits = [
  ...['ms', 's', 'm', 'h', 'd'],
  ...['B', 'kB', 'MB', 'GB', 'TB', 'KiB', 'MiB', 'GiB', 'TiB', '%'],
] as const
export const sloKeys = ['bad', 'all', 'target', 'at least'] as const
export const testKeys = ['name', 'step', 'run', 'given', 'expect'] as const
export const missingWords = ['hold', 'ok', 'warn', 'crit'] as const
export const ruleKeys = [
  'let',
  'warn',
  'crit',
  'slo',
  'every',
  'if missing',
  'hide when',
  'settle',
  'known',
  'at most',
  'forget',
  'remind',
  'say',
  'runbook',
  'tags',
  'tests',
] as const
