/** What the README shows works as it is shown. */
import fs from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { rulesCheck, rulesTest } from '../src/cep/tools/index.ts'
import { loadConfig } from '../src/runtime/config.ts'
import { folderWith } from './support/tocsin.ts'

const readme = fs.readFileSync('README.md', 'utf8')
const blocks = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text as string)
const rule = blocks.find((text) => /^rules:/m.test(text)) as string
const config = blocks.find((text) => /^bus:/m.test(text)) as string
const folder = folderWith({
  'rule.yaml': rule,
  hook: 'a secret\n',
  'tocsin.yaml': config.replace('/run/secrets/hook', 'hook'),
})
afterAll(() => folder.remove())

test('its rule is right, and its test passes', async () => {
  const file = `${folder.path}/rule.yaml`
  expect(await rulesTest([file], { json: false })).toMatchObject({ exitCode: 0 })
  expect(await rulesCheck([file], { strict: true, json: false })).toMatchObject({ exitCode: 0 })
})

test('its configuration is right', () => {
  expect(loadConfig(`${folder.path}/tocsin.yaml`, { RABBITMQ_PASSWORD: 'rabbit' })).toMatchObject({ ok: true })
})

test('every file it links to is there', () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, link]) => link as string)
  expect(links.length).toBeGreaterThan(4)
  expect(links.filter((link) => !fs.existsSync(link))).toEqual([])
})
