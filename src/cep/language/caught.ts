/** Caught: runs a check and reports what it throws, once and at its place. */
import { AlreadyReported, CheckError } from './check.ts'
import { reportRange } from './yaml-rules.ts'

/** Runs a check; what it throws is reported, once. */
export function caught<T>(check: () => T): T | undefined {
  try {
    return check()
  } catch (error) {
    report(error)
    return undefined
  }
}

/** Runs a check whose failure means only that there is nothing to show. */
export function quietly<T>(check: () => T): T | undefined {
  try {
    return check()
  } catch (error) {
    if (error instanceof CheckError || error instanceof AlreadyReported) return undefined
    throw error
  }
}

export function report(error: unknown): void {
  if (error instanceof AlreadyReported) return
  if (!(error instanceof CheckError)) throw error
  reportRange(error.where, error.range, error.code, error.message, error.help)
}
