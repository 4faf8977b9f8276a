/** Findings: what a reader of a recording comes upon beside its entries. */

export interface Span {
  fromMs: number
  toMs: number
}

/** A point that the live run had set aside because it came too late. */
export interface LatePoint {
  series: string
  bucketMs: number
}

/** What reading came upon, for people; bounded, with a count of all. */
export interface Findings {
  problems: { count: number; first: string[] }
  late: { count: number; first: LatePoint[] }
}

export const findingsMax = 20

export function noFindings(): Findings {
  return { problems: { count: 0, first: [] }, late: { count: 0, first: [] } }
}

export function note<T>(into: { count: number; first: T[] }, one: T): void {
  into.count++
  if (into.first.length < findingsMax) into.first.push(one)
}
