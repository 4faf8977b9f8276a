/**
 * Load: dashboards/*.yaml, validated with located errors.
 *
 *     title: Example service
 *     graphs:
 *       - title: Requests
 *         unit: /s
 *         targets: ["rate(browserid.{process}.response.*)"]
 *
 * A file that cannot be used keeps its former version and is shown as a problem; the others are not affected.
 */
import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { err, type Result } from '../model/result.ts'
import { formatProblem, type Problem } from '../runtime/problem.ts'
import { readYaml } from '../runtime/yaml-file.ts'
import { parseTarget } from './target.ts'
import type { DashboardsView, DashboardView } from './view.ts'

const targetsMax = 20
const graphsMax = 60

const targetText = z.string().superRefine((text, context) => {
  const target = parseTarget(text)
  if (!target.ok) context.addIssue({ code: 'custom', message: target.error })
})

const target = z
  .union([targetText, z.strictObject({ target: targetText, name: z.string().min(1).max(60).optional() })])
  .transform((value) => (typeof value === 'string' ? { target: value } : value))

const graph = z.strictObject({
  title: z.string().min(1).max(120),
  unit: z.string().max(20).optional(),
  stacked: z.boolean().default(false),
  targets: z
    .array(target)
    .min(1, 'expected at least one target')
    .max(targetsMax, `expected at most ${targetsMax} targets`),
})

const dashboard = z.strictObject({
  title: z.string().min(1).max(120),
  about: z.string().max(500).optional(),
  graphs: z.array(graph).min(1, 'expected at least one graph').max(graphsMax, `expected at most ${graphsMax} graphs`),
})

/** The problems of all files; what `tocsin config check` prints. */
export function checkDashboards(roots: readonly string[]): Problem[] {
  const files = new DashboardFiles()
  return files.load(roots)
}

export class DashboardFiles {
  #byFile = new Map<string, DashboardView>()
  #problems: Problem[] = []

  /** Reads everything again and returns the problems. */
  load(roots: readonly string[]): Problem[] {
    const former = this.#byFile
    this.#byFile = new Map()
    this.#problems = []
    for (const file of roots.flatMap(yamlFiles)) {
      const read = readDashboard(file)
      if (!read.ok) this.#problems.push(...read.error)
      const view = read.ok ? read.value : former.get(file)
      if (view) this.#add(file, view)
    }
    return this.#problems
  }

  get(name: string): DashboardView | undefined {
    return [...this.#byFile.values()].find((view) => view.name === name)
  }

  view(): DashboardsView {
    return {
      dashboards: [...this.#byFile.values()].map(({ name, title, graphs }) => ({
        name,
        title,
        graphs: graphs.map((graph) => graph.title),
      })),
      problems: this.#problems.map(({ file, ...rest }) => formatProblem({ file: path.basename(file), ...rest })),
    }
  }

  #add(file: string, view: DashboardView): void {
    const twin = [...this.#byFile].find(([, other]) => other.name === view.name)
    if (twin) this.#problems.push({ file, message: `there is a dashboard "${view.name}" already, in ${twin[0]}` })
    else this.#byFile.set(file, view)
  }
}

/** A directory that does not exist has no dashboards; a file that was named has to be there. */
function yamlFiles(root: string): string[] {
  if (/\.ya?ml$/.test(root)) return [root]
  try {
    const names = fs.readdirSync(root).filter((name) => /\.ya?ml$/.test(name))
    return names.sort().map((name) => path.join(root, name))
  } catch {
    return []
  }
}

function readDashboard(file: string): Result<DashboardView, Problem[]> {
  let text: string
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (error) {
    return err([{ file, message: `cannot be read: ${(error as Error).message}` }])
  }
  const read = readYaml(file, text, dashboard)
  if (!read.ok) return read
  return { ok: true, value: asView(path.basename(file).replace(/\.ya?ml$/, ''), read.value.value) }
}

function asView(name: string, { title, about, graphs }: z.output<typeof dashboard>): DashboardView {
  return {
    name,
    title,
    ...(about !== undefined && { about }),
    graphs: graphs.map(({ title, unit, stacked, targets }) => ({
      title,
      stacked,
      ...(unit !== undefined && { unit }),
      targets: targets.map((one) => ({
        target: one.target,
        ...('name' in one && one.name !== undefined && { name: one.name }),
      })),
    })),
  }
}
