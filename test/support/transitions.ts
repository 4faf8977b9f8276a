/** Transitions for tests: the parts that matter to a test are given, the rest is plausible. */
import type { Level, Transition } from '../../src/model/transition.ts'

export interface Given extends Partial<Omit<Transition, 'group' | 'to'>> {
  /** `web/web1`; the kept names are `process` and, after a slash, `host`. */
  group?: string
}

/** `transition('crit', 5000)` is group `verifier` of `http_5xx_spike` going crit with the bucket that ends at 5000. */
export function transition(to: Level, bucketMs: number, given: Given = {}): Transition {
  const { group: groupKey = 'verifier', rule = 'http_5xx_spike', hidden = false, blind = false, ...rest } = given
  const names = ['process', 'host', 'third', 'fourth']
  const group = groupKey === 'all' ? [] : groupKey.split('/').map((value, i) => ({ name: names[i] as string, value }))
  const bad = to === 'warn' || to === 'crit'
  return {
    id: `${rule}/${groupKey}/${bucketMs}/${to}${hidden ? '/hidden' : ''}${blind ? '/blind' : ''}`,
    rule,
    group,
    groupKey,
    bucketMs,
    from: to === 'ok' ? 'crit' : 'ok',
    to,
    hidden,
    blind,
    sinceMs: bucketMs,
    say: bad ? `6.3% of requests to ${groupKey} fail.` : '',
    reason: bad ? 'errors / requests = 6.3% > 5% for 5s' : 'errors / requests = 0.1%',
    values: [
      { name: 'errors', value: 63, text: '63' },
      { name: 'requests', value: 1000, text: '1000' },
      { name: 'errors / requests', value: 0.063, text: '6.3%' },
    ],
    comparison: {
      expression: 'errors / requests',
      value: 0.063,
      operator: '>',
      threshold: 0.05,
      unit: '%',
      overMs: 5000,
    },
    series: { stepMs: 1000, values: [0, 0.001, 0.002, null, 0.02, 0.04, 0.063] },
    tags: {},
    ...rest,
  }
}
