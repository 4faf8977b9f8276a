/**
 * Rule files: from disk to the form in which they travel. A path is a file, or a folder that stands for every `*.yaml` in it.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import type { RulesMessage } from '../model/rules.ts'
import type { Problem } from '../runtime/problem.ts'

export interface RuleFile {
  path: string
  text: string
}

export interface ReadFiles {
  files: RuleFile[]
  /** What could not be read; `absent` where there is nothing at all. */
  problems: (Problem & { absent: boolean })[]
}

/** Reads all files in a settled order, each once; `nameOf` says how a path is shown. */
export function readRuleFiles(paths: readonly string[], nameOf: (path: string) => string = (name) => name): ReadFiles {
  const read: ReadFiles = { files: [], problems: [] }
  const seen = new Set<string>()
  for (const file of paths.flatMap((root) => filesUnder(root, read.problems))) {
    if (seen.has(path.resolve(file))) continue
    seen.add(path.resolve(file))
    try {
      read.files.push({ path: nameOf(file), text: fs.readFileSync(file, 'utf8') })
    } catch (error) {
      read.problems.push(unreadable(file, error))
    }
  }
  return read
}

function filesUnder(root: string, problems: ReadFiles['problems']): string[] {
  try {
    if (!fs.statSync(root).isDirectory()) return [root]
    const names = fs.readdirSync(root).filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
    return names.sort().map((name) => path.join(root, name))
  } catch (error) {
    problems.push(unreadable(root, error))
    return []
  }
}

function unreadable(file: string, error: unknown): ReadFiles['problems'][number] {
  const { code, message } = error as NodeJS.ErrnoException
  const absent = code === 'ENOENT'
  return { file, absent, message: absent ? 'there is no such file or folder' : `cannot be read: ${message}` }
}

/** The message that puts these files in force everywhere. */
export function rulesMessage(files: readonly RuleFile[]): RulesMessage {
  const hash = createHash('sha256')
  for (const { path: name, text } of files) hash.update(`${name}\0${text}\0`)
  return { hash: hash.digest('hex').slice(0, 16), files }
}
