/** Revision: rule files as they stood in a revision of the git repository they are in. */
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { err, ok, type Result } from '../../model/result.ts'
import type { RuleFile } from '../rule-files.ts'

const run = promisify(execFile)

/** The files of the same paths; those that were not there yet are left out. The error is one clause for people. */
export async function filesAt(revision: string, paths: readonly string[]): Promise<Result<RuleFile[], string>> {
  if (revision.startsWith('-')) return err(`"${revision}" is no revision`)
  const files: RuleFile[] = []
  for (const name of paths) {
    const isFolder = fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() === true
    const dir = isFolder ? name : path.dirname(name)
    try {
      await git(dir, ['rev-parse', '--verify', '--quiet', `${revision}^{commit}`])
    } catch (error) {
      return err(whyNot(error, `git knows no revision "${revision}" in ${path.resolve(dir)}`))
    }
    const listed = (
      await git(dir, ['ls-tree', '--name-only', '-z', revision, ...(isFolder ? [] : ['--', path.basename(name)])])
    )
      .split('\0')
      .filter((file) => (isFolder ? /\.ya?ml$/.test(file) && !file.startsWith('.') : file !== ''))
    for (const file of listed.sort()) {
      const text = await git(dir, ['show', `${revision}:./${file}`])
      files.push({ path: isFolder ? path.join(name, file) : name, text })
    }
  }
  return ok(files)
}

async function git(cwd: string, words: readonly string[]): Promise<string> {
  return (await run('git', words, { cwd, maxBuffer: 64 * 1024 ** 2 })).stdout
}

function whyNot(error: unknown, message: string): string {
  const { code, stderr } = error as { code?: unknown; stderr?: string }
  if (code === 'ENOENT') return 'git cannot be run'
  return stderr?.includes('not a git repository') ? 'the rule files are in no git repository' : message
}
