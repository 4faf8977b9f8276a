/**
 * Levels and timelines, naively (§8, §9, §11): every rule of a test, every group, every bucket.
 */
import type { CheckedRule, LoadedRules } from '../../../src/cep/language/load.ts'
import type { Leaf, LevelTree, Node, RuleTree } from '../../../src/cep/language/tree.ts'
import type { PreparedTest } from '../../../src/cep/testing/prepare.ts'
import { Evaluator, leavesIn, type Others } from './evaluate.ts'
import { hasPoint } from './leaves.ts'
import { type Bindings, keyOf, type World, worldOf } from './world.ts'

interface Tick {
  atMs: number
  state: 'ok' | 'warn' | 'crit' | 'nodata' | 'forgotten'
  hidden: boolean
  condition: boolean
}

interface GroupRun {
  group: Bindings
  bornMs: number
  ticks: Map<number, Tick>
}

/** Rule → group → timeline as text, only for groups that ever left ok. */
export function referenceTimelines(
  test: PreparedTest,
  loaded: LoadedRules,
): { timelines: Record<string, Record<string, string>>; closeCalls: number } {
  const world = worldOf(test)
  const runs = new Map<string, Map<string, GroupRun>>()
  const names = new Map(loaded.rules.map((rule) => [rule.name, rule.names]))
  const others: Others = {
    namesOf: (rule) => names.get(rule) ?? [],
    groupsOf: (rule) => [...(runs.get(rule)?.values() ?? [])],
    stateAt: (rule, key, atMs) =>
      ({ ok: 0, nodata: 4, forgotten: 0, warn: 1, crit: 2 })[runs.get(rule)?.get(key)?.ticks.get(atMs)?.state ?? 'ok'],
    conditionAt: (rule, key, atMs) => runs.get(rule)?.get(key)?.ticks.get(atMs)?.condition ?? false,
  }
  const found: Record<string, Record<string, string>> = {}
  for (const rule of loaded.rules) {
    const stepMs = rule.everyMs ?? test.raw.stepMs ?? 10_000
    const groups = runRule(rule, new Evaluator(world, rule.tree, stepMs, others), world)
    runs.set(rule.name, groups)
    const lines = [...groups].flatMap(([key, { ticks }]) => {
      const line = timeline([...ticks.values()])
      return line === 'ok' ? [] : [[key, line] as const]
    })
    found[rule.name] = Object.fromEntries(lines)
  }
  return { timelines: found, closeCalls: world.closeCalls }
}

function runRule(rule: CheckedRule, evaluator: Evaluator, world: World): Map<string, GroupRun> {
  const groups = new Map<string, GroupRun>()
  const add = (group: Bindings, bornMs: number) => {
    const key = keyOf(rule.names, group)
    const known = groups.get(key)
    if (!known || bornMs < known.bornMs) groups.set(key, { group, bornMs, ticks: new Map() })
  }
  if (rule.names.length === 0) add({}, 0)
  for (const node of nodesOf(rule.tree))
    for (const { group, bornMs } of evaluator.births(node, rule.names)) add(group, bornMs)
  for (const values of rule.tree.known?.groups ?? [])
    add(Object.fromEntries(rule.names.map((name, i) => [name, values[i] as string])), 0)
  for (const run of groups.values()) runGroup(rule.tree, evaluator, world, run)
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)))
}

interface LevelState {
  on: boolean
  history: (boolean | undefined)[]
  calm: number
}

function runGroup(tree: RuleTree, evaluator: Evaluator, world: World, run: GroupRun): void {
  const states = tree.levels.map((): LevelState => ({ on: false, history: [], calm: 0 }))
  const { stepMs } = evaluator
  let hidden = false
  let calm = 0
  const first = Math.max(stepMs, Math.ceil(run.bornMs / stepMs) * stepMs)
  for (let atMs = first; atMs <= world.endMs; atMs += stepMs) {
    if (isForgotten(tree, evaluator, world, run, atMs)) {
      const wasFiring = states.some(({ on }) => on)
      if (wasFiring) run.ticks.set(atMs, { atMs, state: 'forgotten', hidden: false, condition: false })
      return
    }
    const truths = tree.levels.map((level, i) => stepLevel(tree, level, states[i] as LevelState, evaluator, run, atMs))
    const level = tree.levels.findLast((_, i) => states[i]?.on)?.level
    const parent = tree.hide && evaluator.at(tree.hide, run.group, atMs)
    if (parent === true) {
      hidden = true
      calm = 0
    } else if (hidden && parent === false && ++calm >= Math.max(1, tree.settleMs / stepMs)) hidden = false
    const isSilent = level === undefined && hasNoData(tree, evaluator, world, run, atMs)
    const state = level ?? (isSilent ? 'nodata' : 'ok')
    run.ticks.set(atMs, {
      atMs,
      state,
      hidden: hidden && level !== undefined,
      condition: level !== undefined || truths.includes(true),
    })
  }
}

/** Steps one level; gives its condition. */
function stepLevel(
  tree: RuleTree,
  level: LevelTree,
  state: LevelState,
  evaluator: Evaluator,
  { group }: GroupRun,
  atMs: number,
): boolean | undefined {
  const { stepMs } = evaluator
  const condition = evaluator.at(level.condition, group, atMs) as boolean | undefined
  const truth = condition ?? assumed(tree, level)
  if (state.on) {
    const isAssumed = condition === undefined && truth !== undefined
    const until = isAssumed ? undefined : level.until
    const opposite = truth === undefined ? undefined : !truth
    const clear = until ? (evaluator.at(until, group, atMs) as boolean | undefined) : opposite
    if (clear !== undefined) state.calm = clear ? state.calm + 1 : 0
    if (state.calm >= Math.max(1, Math.ceil(level.keepMs / stepMs)))
      Object.assign(state, { on: false, history: [], calm: 0 })
  } else {
    if (level.hold.kind === 'for' || isFresh(level, evaluator, group, atMs)) state.history.push(truth)
    else return truth
    if (isHeld(level, state.history, stepMs)) Object.assign(state, { on: true, calm: 0 })
  }
  return truth
}

/** Checks count once per result, and once per step in which they are missing. */
function isFresh({ condition }: LevelTree, evaluator: Evaluator, group: Bindings, atMs: number): boolean {
  const { world, stepMs } = evaluator
  const checks = leavesIn(condition)
    .map((index) => evaluator.leafOf(index))
    .filter(({ source, fold }) => source === 'check' && fold === 'state')
  const isNew = (points: readonly { atMs: number }[]) => {
    const until = points.filter((point) => point.atMs <= atMs)
    const last = until.at(-1)?.atMs ?? 0
    return last > atMs - stepMs || atMs - last >= 3 * world.givenStepMs
  }
  return (
    checks.length === 0 ||
    checks.some((leaf) => {
      const members = evaluator.members(within(leaf, group), group)
      return members.length === 0 ? isNew([]) : members.some(({ points }) => isNew(points))
    })
  )
}

function assumed(tree: RuleTree, { level }: LevelTree): boolean | undefined {
  if (tree.ifMissing === 'ok') return false
  if (tree.ifMissing === 'crit') return true
  return tree.ifMissing === 'warn' ? level === 'warn' : undefined
}

function isHeld({ hold }: LevelTree, history: readonly (boolean | undefined)[], stepMs: number): boolean {
  if (hold.kind === 'row') {
    const known = history.filter((one) => one !== undefined).slice(-hold.count)
    return history.at(-1) === true && known.length === hold.count && !known.includes(false)
  }
  if (hold.kind === 'of') return history.slice(-hold.size).filter((one) => one === true).length >= hold.count
  const n = Math.max(1, Math.ceil(hold.durationMs / stepMs))
  const last = history.slice(-n)
  const yes = last.filter((one) => one === true).length
  return last.length === n && !last.includes(false) && yes * 2 >= n && last.at(-1) === true
}

/** No input point of any kind for five minutes, in a rule that has inputs whose absence is not a zero. */
function hasNoData(tree: RuleTree, evaluator: Evaluator, world: World, run: GroupRun, atMs: number): boolean {
  const leaves = [...new Set(nodesOf(tree).flatMap(leavesIn))].map((i) => evaluator.leafOf(i))
  const inputs = leaves.filter(({ source }) => source !== 'rule')
  const isFelt = inputs.some((leaf) => {
    if (leaf.source === 'event') return false
    const kind =
      leaf.kind ??
      world.series.find((series) => evaluator.members(within(leaf, run.group), run.group).includes(series))?.kind ??
      leaf.assumedKind
    return kind !== 'count' && kind !== 'set'
  })
  if (!isFelt || Math.max(0, run.bornMs - evaluator.stepMs) > atMs - 300_000) return false
  return !inputs.some((leaf) => hasPoint(world, within(leaf, run.group), run.group, atMs - 300_000, atMs))
}

/** Silent for as long as `forget` says; a group that comes back later is a new one, which this reading leaves out. */
function isForgotten(tree: RuleTree, evaluator: Evaluator, world: World, run: GroupRun, atMs: number): boolean {
  if (run.bornMs > atMs - tree.forgetMs || tree.known || Object.keys(run.group).length === 0) return false
  const inputs = leavesOf(tree, evaluator).filter(({ source }) => source !== 'rule')
  return (
    inputs.length > 0 &&
    !inputs.some((leaf) => hasPoint(world, within(leaf, run.group), run.group, atMs - tree.forgetMs, atMs))
  )
}

/** A leaf that keeps more names than the group, as inside a quorum, seen from the group. */
function within(leaf: Leaf, group: Bindings): Leaf {
  return { ...leaf, names: leaf.names.filter((name) => name in group) }
}

function timeline(ticks: readonly Tick[]): string {
  let last = 'ok'
  const parts = ['ok']
  for (const { atMs, state, hidden } of ticks) {
    const now = `${state}${hidden ? ' hidden' : ''}`
    if (now !== last) parts.push(`${now} at ${text(atMs)}`)
    last = now
  }
  return parts.join(', ')
}

function text(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'm'],
    [1000, 's'],
  ] as const
  let rest = ms
  return units
    .flatMap(([size, unit]) => {
      const count = Math.floor(rest / size)
      rest -= count * size
      return count > 0 ? [`${count}${unit}`] : []
    })
    .join('')
}

function leavesOf(tree: RuleTree, evaluator: Evaluator): Leaf[] {
  return [...new Set(nodesOf(tree).flatMap(leavesIn))].map((i) => evaluator.leafOf(i))
}

function nodesOf(tree: RuleTree): Node[] {
  return tree.levels.flatMap(({ condition, until }) => (until ? [condition, until] : [condition]))
}
