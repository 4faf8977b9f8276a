/**
 * Runbook: where the runbook that a rule names can be read. Pure.
 *
 * A rule says either a web address or a place such as `docs/runbooks.md#bad_lines`, which the console serves under its own address.
 */

/** `docs/` and a Markdown file below it, at most one folder down; each name starts with a letter, a digit or `_`, so none is `..`. */
const servedPlace = /^\/?(docs\/(?:\w[\w.-]*\/)?\w[\w.-]*\.md(?:#[\w%.-]*)?)$/

/** The path at the console, `/docs/runbooks.md#bad_lines`; undefined for anything that the console does not serve. */
export function runbookPath(place: string): string | undefined {
  const served = servedPlace.exec(place)?.[1]
  return served === undefined ? undefined : `/${served}`
}

/** A place that the console serves as an address of it; anything else as written. */
export function runbookAddress(place: string, consoleUrl: string): string {
  const path = runbookPath(place)
  return path === undefined ? place : `${consoleUrl}${path}`
}
