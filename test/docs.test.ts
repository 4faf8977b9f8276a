/** What the page for rule authors shows is run, and what there is to know stands on it. */
import fs from 'node:fs'
import path from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { builtInRules } from '../src/cep/built-in.ts'
import { ruleFileSchema } from '../src/cep/language/schema.ts'
import { fileKeys, functionNames, ruleKeys, seriesKinds } from '../src/cep/language/words.ts'
import { rulesCheck, rulesTest } from '../src/cep/tools/index.ts'
import { ruleTools } from '../src/cli/rules.ts'
import { folderWith } from './support/tocsin.ts'

const page = fs.readFileSync('docs/rules.md', 'utf8')
const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text as string)
const folder = folderWith(Object.fromEntries(examples.map((text, i) => [`${i}.yaml`, text])))
afterAll(() => folder.remove())

const nameOf = (text: string) => /^ {2}(\w+):$/m.exec(text.slice(text.indexOf('\nrules:')))?.[1] as string

describe('the examples of docs/rules.md', () => {
  it.each(examples.map((text, i) => [nameOf(text), i] as const))(
    '%s is right, and its tests pass',
    async (_name, i) => {
      const file = path.join(folder.path, `${i}.yaml`)
      const tested = await rulesTest([file], { json: false })
      expect(tested.exitCode, tested.text).toBe(0)
      const checked = await rulesCheck([file], { strict: true, json: false })
      expect(checked.exitCode, checked.text).toBe(0)
    },
  )

  it('fit the schema', () => {
    const accepts = new Ajv2020({ allowUnionTypes: true, formats: { 'uri-reference': true } }).compile(ruleFileSchema)
    for (const text of examples) expect(accepts(parse(text)), text).toBe(true)
  })

  it('are several', () => expect(examples.length).toBeGreaterThan(5))
})

describe('the page names', () => {
  it.each([...fileKeys, ...ruleKeys].map((key) => [key]))('the key %s', (key) => expect(page).toContain(`\`${key}\``))
  it.each(seriesKinds.map((kind) => [kind]))('the kind %s', (kind) => expect(page).toContain(`| \`${kind}\` |`))
  it.each([...functionNames].map((name) => [name]))('the function %s', (name) => {
    expect(page).toMatch(new RegExp(`[\` ]${name}[\`( ]`))
  })
  it.each(['syntax', 'name', 'unit', 'kind', 'many', 'group', 'step', 'file', 'memory', 'lint'])(
    'the code %s',
    (code) => {
      expect(page).toMatch(new RegExp(`^\\| \`${code}\``, 'm'))
    },
  )
  it.each(ruleTools.map((tool) => [tool]))('the tool %s', (tool) => expect(page).toContain(`tocsin rules ${tool}`))
  it.each(builtInRules().map(({ name }) => [name]))('the built-in rule %s', (name) => expect(page).toContain(name))
})

it('every link of the page leads somewhere', () => {
  const links = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link as string)
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    (title as string)
      .toLowerCase()
      .replace(/[^a-z0-9 -]/g, '')
      .replace(/ /g, '-'),
  )
  for (const link of links) {
    if (link.startsWith('#')) expect(headings).toContain(link.slice(1))
    else expect(fs.existsSync(path.join('docs', link)), link).toBe(true)
  }
})
