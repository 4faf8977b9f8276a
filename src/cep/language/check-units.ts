import { CheckBase, type Typed } from './check-base.ts'
import type { Expression } from './syntax.ts'
import { convert, describeUnit, isPlain, sameDimension, type Unit, unitExamples } from './units.ts'

export abstract class UnitChecker extends CheckBase {
  /** Both sides in one unit: a literal is converted, data only where both sides are data of different scales. */
  protected aligned(
    left: Typed,
    right: Typed,
    expression: Expression & { left: Expression; right: Expression },
    verb: string,
  ): [Typed, Typed] {
    this.matchUnits(left, right, expression, verb)
    if (left.literal && !right.literal) return [inUnitOf(left, right.unit), right]
    if (right.literal) return [left, inUnitOf(right, left.unit)]
    if (left.unit.isUnknown || right.unit.isUnknown) return [left, right]
    const numerator = right.unit.numerator * left.unit.denominator
    const denominator = right.unit.denominator * left.unit.numerator
    if (numerator === denominator) return [left, right]
    return [left, { ...right, unit: left.unit, node: { op: 'scale', of: right.node, numerator, denominator } }]
  }

  protected matchUnits(
    left: Typed,
    right: Typed,
    expression: Expression & { left: Expression; right: Expression },
    verb: string,
  ): void {
    const sides = [
      [left, right, expression.left],
      [right, left, expression.right],
    ] as const
    for (const [literal, other, range] of sides) {
      if (!literal.literal || other.literal) continue
      const isZero = literal.node.op === 'constant' && literal.node.value === 0
      if (isZero && literal.literal.unit === '') return
      if (other.unit.isUnknown) {
        this.noteUnknown(literal, other, range)
        return
      }
      if (literal.literal.unit !== '') continue
      if (isPlain(other.unit) || (other.unit.count === 1 && other.unit.time === 0 && other.unit.data === 0)) return
      const examples = unitExamples(other.unit)
      const text = literal.literal.text
      const help = examples.length > 0 ? `write ${examples.map((unit) => text + unit).join(' or ')}` : undefined
      this.fail('unit', range, `${text} what? the other side is ${describeUnit(other.unit)}`, help)
    }
    if (left.unit.isUnknown || right.unit.isUnknown || sameDimension(left.unit, right.unit)) return
    const isPercentage = left.literal?.unit === '%' || right.literal?.unit === '%'
    const joined = verb === 'compare' ? 'with' : verb === 'add' ? 'and' : 'and'
    this.fail(
      'unit',
      expression,
      `cannot ${verb} ${describeUnit(left.unit)} ${joined} ${describeUnit(right.unit)}`,
      isPercentage && verb === 'compare' ? 'a percentage needs a ratio, e.g. bad / all > 5%' : undefined,
    )
  }

  protected noteUnknown(literal: Typed, other: Typed, range: Expression): void {
    const unit = literal.literal?.unit ?? ''
    if (unit === '' || (unit.startsWith('/') && other.unit.time === -1)) return
    const message = `the unit of the other side is not known; ${literal.literal?.text} is taken as ${literal.literal?.unit === '%' ? 'a plain ratio' : 'ms, bytes or per second'}`
    this.surroundings.warn(this.where, range, 'unit', message, 'declare the metric under "metrics", with its unit')
  }
}

function inUnitOf(literal: Typed, unit: Unit): Typed {
  if (literal.node.op !== 'constant') return literal
  const isBare = literal.literal?.unit === ''
  const value = isBare ? literal.node.value : convert(literal.node.value, literal.unit, unit)
  return { ...literal, unit, node: { op: 'constant', value } }
}
