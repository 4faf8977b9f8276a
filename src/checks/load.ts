/**
 * Load: all check files of a configuration. Names are global over the files; every problem of every file is reported.
 */
import fs from 'node:fs'
import path from 'node:path'
import { err, ok, type Result } from '../model/result.ts'
import type { Problem } from '../runtime/problem.ts'
import type { YamlOptions } from '../runtime/yaml-file.ts'
import { type HttpCheck, readCheckFile, type WrittenCheck } from './check-file.ts'

export const checksMax = 5000

/** `paths` are files, or directories whose `.yaml` files are read; one that does not exist holds no checks. */
export function loadChecks(
  paths: readonly string[],
  environment?: YamlOptions['environment'],
): Result<HttpCheck[], Problem[]> {
  const problems: Problem[] = []
  const written: WrittenCheck[] = []
  for (const file of paths.flatMap(filesAt)) {
    const read = readFile(file, environment)
    if (read.ok) written.push(...read.value)
    else problems.push(...read.error)
  }
  problems.push(...duplicates(written))
  if (written.length > checksMax) {
    const file = (written[checksMax] as WrittenCheck).at.file
    problems.push({ file, message: `more than ${checksMax} checks; run the rest in another Tocsin` })
  }
  return problems.length > 0 ? err(problems) : ok(written.map(({ check }) => check))
}

/** Everything that is wrong with the check files; for `tocsin config check`. */
export function checkChecks(paths: readonly string[], environment?: YamlOptions['environment']): Problem[] {
  const loaded = loadChecks(paths, environment)
  return loaded.ok ? [] : loaded.error
}

function readFile(file: string, environment?: YamlOptions['environment']): Result<WrittenCheck[], Problem[]> {
  try {
    return readCheckFile(file, fs.readFileSync(file, 'utf8'), environment)
  } catch (error) {
    return err([{ file, message: `cannot be read: ${(error as Error).message}` }])
  }
}

function duplicates(written: readonly WrittenCheck[]): Problem[] {
  const first = new Map<string, WrittenCheck>()
  const problems: Problem[] = []
  for (const one of written) {
    const { name } = one.check
    const other = first.get(name)
    if (!other) first.set(name, one)
    else {
      const { file, line, column } = other.at
      problems.push({
        ...one.at,
        message: `${name}: there is already a check of this name at ${file}:${line}:${column}`,
      })
    }
  }
  return problems
}

function filesAt(where: string): string[] {
  const stat = fs.statSync(where, { throwIfNoEntry: false })
  if (!stat) return []
  if (!stat.isDirectory()) return [where]
  const names = fs.readdirSync(where).filter((name) => /\.ya?ml$/.test(name))
  return names.sort().map((name) => path.join(where, name))
}
