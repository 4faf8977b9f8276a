/**
 * Pattern: what a person writes to mean some texts; the same in routes, silences, maintenance and filters.
 *
 *     http_*        * stands for any text, also none
 *     !router       everything else
 *     /web\d+/      a regular expression (model/regular.ts) that the whole text has to meet; also !/…/
 *     \!odd         what begins with "!", "/" or "\" itself
 */
import { compileRegular } from './regular.ts'
import { err, ok, type Result } from './result.ts'

export type Test = (text: string) => boolean

export const patternCharsMax = 200

/** A test for whole texts; the error says what is wrong. */
export function readPattern(pattern: string): Result<Test, string> {
  if (pattern.length > patternCharsMax) return err(`expected at most ${patternCharsMax} characters`)
  if (pattern.startsWith('!')) {
    if (pattern.length === 1) return err('expected a pattern after "!"')
    const inner = readPattern(pattern.slice(1))
    return inner.ok ? ok((text) => !inner.value(text)) : inner
  }
  if (pattern.startsWith('\\')) return ok(globTest(pattern.slice(1)))
  const isRegular = pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/')
  if (!isRegular) return ok(globTest(pattern))
  const regular = compileRegular(pattern.slice(1, -1))
  return regular.ok ? regular : err(`in the regular expression, ${regular.error}`)
}

/** One that cannot be read matches nothing; whoever takes patterns from people reads them first. */
export function patternTest(pattern: string): Test {
  const read = readPattern(pattern)
  return read.ok ? read.value : () => false
}

/** `*` stands for any text, also none. Linear: each piece is taken at its first place. */
function globTest(pattern: string): Test {
  const pieces = pattern.split('*')
  const first = pieces.shift() as string
  const last = pieces.pop()
  if (last === undefined) return (text) => text === first
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
    let at = first.length
    for (const piece of pieces) {
      const found = text.indexOf(piece, at)
      if (found === -1) return false
      at = found + piece.length
    }
    return at <= text.length - last.length
  }
}
