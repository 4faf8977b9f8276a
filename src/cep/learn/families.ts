/**
 * Families: names of series merged into patterns of a catalogue. Names of one kind become a tree of segments; neighbours
 * whose subtrees look alike become a star, and what is still too varied becomes `**`.
 *
 *     browserid.router.response.200    ┐
 *     browserid.router.response.503    ├─▶ browserid.*.response.*
 *     browserid.verifier.response.200  ┘
 */

/** A family: its pattern, and its members. */
export interface Family {
  pattern: string
  names: string[]
}

/** Values of one segment that are listed before a star stands for them, at the end of a name and before it. */
const lastValuesMax = 2
const valuesMax = 20
/** Patterns under one beginning, beyond which `**` stands for them. */
const patternsMax = 12

export function familiesOf(names: Iterable<string>): Family[] {
  const tree = plainNames(names).map((name) => ({ segments: name.split('.'), name }))
  const families = split(tree, 0)
  return collapse(families)
}

/** Tags do not matter to a pattern that names none. */
function plainNames(names: Iterable<string>): string[] {
  return [...new Set([...names].map((name) => name.split(';', 1)[0] as string))].sort()
}

interface Named {
  segments: readonly string[]
  name: string
}

function split(all: readonly Named[], depth: number): Family[] {
  const ended = all.filter(({ segments }) => segments.length === depth)
  const families: Family[] = ended.length > 0 ? [{ pattern: '', names: ended.map(({ name }) => name) }] : []
  const byValue = Map.groupBy(
    all.filter(({ segments }) => segments.length > depth),
    ({ segments }) => segments[depth] as string,
  )
  const branches = [...byValue].map(([value, rest]) => ({ value, families: split(rest, depth + 1) }))
  for (const alike of alikes(branches, depth)) families.push(...merged(alike))
  return families
}

interface Branch {
  value: string
  families: Family[]
}

/** Branches in groups that one segment pattern may stand for. */
function alikes(branches: readonly Branch[], depth: number): Branch[][] {
  // The first segment is what people know a system by; a catalogue that stars it would claim everything.
  if (depth === 0) return branches.map((branch) => [branch])
  const groups: Branch[][] = []
  for (const branch of branches) {
    const home = groups.find((group) => isAlike(group[0] as Branch, branch))
    if (home) home.push(branch)
    else groups.push([branch])
  }
  const isLast = ({ families }: Branch) => families.every(({ pattern }) => pattern === '')
  return groups.flatMap((group) => {
    const max = group.every(isLast) ? lastValuesMax : 1
    const isNumbered = group.every(({ value }) => /\d/.test(value))
    const isMany = group.length > max || (isNumbered && group.length > 1) || branches.length > valuesMax
    return isMany ? [group] : group.map((branch) => [branch])
  })
}

/** At least half of the patterns below the smaller one are below both. */
function isAlike(a: Branch, b: Branch): boolean {
  const [ours, theirs] = [a, b].map(({ families }) => new Set(families.map(({ pattern }) => pattern)))
  const shared = [...(ours as Set<string>)].filter((pattern) => theirs?.has(pattern)).length
  return shared * 2 >= Math.min((ours as Set<string>).size, (theirs as Set<string>).size)
}

function merged(group: readonly Branch[]): Family[] {
  const [only] = group
  const head = group.length === 1 && only && !isNumber(only.value) ? only.value : '*'
  const byRest = Map.groupBy(
    group.flatMap(({ families }) => families),
    ({ pattern }) => pattern,
  )
  return [...byRest].map(([rest, families]) => ({
    pattern: rest === '' ? head : `${head}.${rest}`,
    names: families.flatMap(({ names }) => names),
  }))
}

/** Status codes, shards, process numbers: one today, others tomorrow. */
function isNumber(value: string): boolean {
  return /^\d+$/.test(value)
}

/** Where many patterns share a beginning, `**` stands for what follows it. */
function collapse(families: readonly Family[]): Family[] {
  let all = [...families]
  for (const depth of [3, 2, 1]) {
    const byHead = Map.groupBy(all, ({ pattern }) => pattern.split('.').slice(0, depth).join('.'))
    all = [...byHead].flatMap(([head, group]) => {
      const isLong = group.every(({ pattern }) => pattern.split('.').length > depth)
      if (group.length <= patternsMax || !isLong || head.endsWith('*')) return group
      return [{ pattern: `${head}.**`, names: group.flatMap(({ names }) => names) }]
    })
  }
  return all
}
