/**
 * Budget: whether the rules fit into the memory that the engine may take when every group that they may have exists. A rule
 * set beyond it is refused before anything runs, with the arithmetic at the rule that needs most.
 */
import { roughByteSize } from '../../model/byte-size.ts'
import { type RuleMemory, ruleMemory } from '../memory.ts'
import type { CheckedRule } from './load.ts'
import type { RawRule } from './rule-file.ts'
import { reportRange } from './yaml-rules.ts'

/** What rules without `every` run at. */
const liveStepMs = 1000
/** Rules that a message names one by one. */
const namedMax = 4

interface Need {
  raw: RawRule
  memory: RuleMemory
}

/** Reports rules that need more than `bytesMax`, each alone or all together. */
export function reportBudget(
  rules: readonly CheckedRule[],
  rawOf: (name: string) => RawRule | undefined,
  bytesMax: number,
): void {
  const needs = rules
    .flatMap((rule): Need[] => {
      const raw = rawOf(rule.name)
      return raw ? [{ raw, memory: ruleMemory(rule, rule.everyMs ?? liveStepMs) }] : []
    })
    .sort((a, b) => b.memory.totalBytes - a.memory.totalBytes)
  const tooBig = needs.filter(({ memory }) => memory.totalBytes > bytesMax)
  for (const need of tooBig) refuse(need, alone(need, bytesMax), bytesMax)
  const sum = needs.reduce((total, { memory }) => total + memory.totalBytes, 0)
  const [most] = needs
  if (tooBig.length === 0 && most && sum > bytesMax) {
    refuse(most, together(needs, sum, bytesMax), bytesMax - (sum - most.memory.totalBytes))
  }
}

function alone({ raw, memory }: Need, bytesMax: number): string {
  const need = roughByteSize(memory.totalBytes)
  return `rule ${raw.name} may need ${need} of memory, and ${roughByteSize(bytesMax)} are allowed: ${arithmetic(memory)}`
}

function together(needs: readonly Need[], sum: number, bytesMax: number): string {
  const named = needs.slice(0, namedMax)
  const others = needs.slice(namedMax)
  const othersBytes = others.reduce((total, { memory }) => total + memory.totalBytes, 0)
  const parts = named.map(
    ({ raw, memory }) => `${raw.name} ${roughByteSize(memory.totalBytes)} (${arithmetic(memory)})`,
  )
  if (others.length > 0) parts.push(`${others.length} more ${roughByteSize(othersBytes)}`)
  return `the rules together may need ${roughByteSize(sum)} of memory, and ${roughByteSize(bytesMax)} are allowed: ${parts.join(', ')}`
}

/** `6.1 kB a group × 1000 groups + 2.0 kB × 10000 members`. */
export function arithmetic({ parts, groups }: RuleMemory): string {
  const byGroups = Map.groupBy(parts, (part) => part.groups)
  return [...byGroups]
    .sort(([a], [b]) => Number(b === groups) - Number(a === groups))
    .map(([count, ofCount]) => {
      const bytes = ofCount.reduce((total, { bytesPerGroup }) => total + bytesPerGroup, 0)
      const each = count === groups ? ' a group' : ''
      return `${roughByteSize(bytes)}${each} × ${count} ${count === groups ? (count === 1 ? 'group' : 'groups') : 'members'}`
    })
    .join(' + ')
}

function refuse({ raw, memory }: Need, message: string, leftBytes: number): void {
  const { at, groupsAt } = raw
  const where = groupsAt ?? at
  const rest = memory.totalBytes - memory.bytesPerGroup * memory.groups
  const fitting = Math.floor((leftBytes - rest) / memory.bytesPerGroup)
  const noun = groupsAt?.text.replace(/^\d+ ?/, '') || 'groups'
  const fewer = fitting > 0 ? `(at most: ${roughly(fitting)} ${noun})` : '(at most: …) in several rules'
  const cure = memory.groups > 1 ? `say fewer groups ${fewer}, or ` : ''
  const help = `${cure}shorter windows or a longer "every", or raise cep.memoryMax in the configuration`
  reportRange(where, { start: 0, end: where.text.length }, 'memory', message, help)
}

/** Two digits that count, downwards. */
function roughly(count: number): number {
  const scale = 10 ** Math.max(0, Math.floor(Math.log10(count)) - 1)
  return Math.floor(count / scale) * scale
}
