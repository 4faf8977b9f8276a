/** The documents that rules name as runbooks, as the console serves them. */
import fs from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { anchorOf, markdownToHtml } from '../../src/dashboards/markdown.ts'
import { runbookPath } from '../../src/model/runbook.ts'
import { type Feed, openFeed } from '../support/console-feed.ts'

const root = new URL('../../', import.meta.url).pathname

describe('the console', () => {
  let feed: Feed
  beforeAll(async () => {
    const files = {
      'docs/shop.md':
        '# The shop\n\n## checkout_5xx\n\nAsk <b>Ada</b>, see [more](more/deep.md) and [the rules](../rules).\n',
      'docs/more/deep.md': '# Deep\n\nBack to [the shop](../shop.md#checkout_5xx).\n',
      'docs/alerts.md': '# Our own alerts\n',
      'docs/secret.txt': 'hush',
      'secret.md': 'hush',
    }
    feed = await openFeed({ files })
  })
  afterAll(() => feed.stop())

  test('a document beside tocsin.yaml is a page whose headings can be linked to', async () => {
    const { status, text, headers } = await feed.get('/docs/shop.md')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toContain('text/html')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(text).toContain('<h2 id="checkout_5xx">checkout_5xx</h2>')
    expect(text).toContain('Ask &lt;b&gt;Ada&lt;/b&gt;')
  })

  test('links lead to other documents; what is not served is text', async () => {
    expect((await feed.get('/docs/shop.md')).text).toContain(
      '<a href="/docs/more/deep.md" rel="noreferrer noopener">more</a> and the rules.',
    )
    expect((await feed.get('/docs/more/deep.md')).text).toContain('href="/docs/shop.md#checkout_5xx"')
  })

  test('Tocsin’s own documents are there too; one of the same name beside tocsin.yaml goes first', async () => {
    expect((await feed.get('/docs/runbooks.md')).text).toContain('id="http_5xx_spike"')
    expect((await feed.get('/docs/alerts.md')).text).toContain('Our own alerts')
    expect((await feed.get('/docs')).text).toMatch(/alerts\.md.*runbooks\.md.*shop\.md/)
  })

  test.each([
    '/docs/secret.txt',
    '/docs/none.md',
    '/docs/%2e%2e/secret.md',
    '/docs/..%2fsecret.md',
    '/docs/a%00.md',
    '/docs/x/%2e%2e/%2e%2e/secret.md',
  ])('%s is not found', async (address) => {
    const { status, text } = await feed.get(address)
    expect(status).toBe(404)
    expect(text).not.toContain('hush')
  })
})

test('every runbook of the shipped rules is a heading that exists', () => {
  const texts = fs.readdirSync(`${root}rules`).map((file) => fs.readFileSync(`${root}rules/${file}`, 'utf8'))
  const places = texts.flatMap((text) => [...text.matchAll(/^ *runbook: (.*)$/gm)].map(([, place]) => place as string))
  expect(places.length).toBeGreaterThan(10)
  const html = markdownToHtml(fs.readFileSync(`${root}docs/runbooks.md`, 'utf8'), () => undefined)
  for (const place of places) {
    expect(runbookPath(place)).toBeDefined()
    expect(html).toContain(`id="${place.split('#')[1]}"`)
  }
})

describe('Markdown becomes HTML:', () => {
  const rows: [string, string][] = [
    ['one\ntwo\n\nthree', '<p>one\ntwo</p>\n<p>three</p>'],
    ['### What is *so* unusual?', '<h3 id="what-is-so-unusual">What is <em>so</em> unusual?</h3>'],
    ['```yaml\na: <b>\n```\nafter', '<pre>a: &lt;b&gt;</pre>\n<p>after</p>'],
    ['`a*b*` **c** 2 * 3', '<p><code>a*b*</code> <strong>c</strong> 2 * 3</p>'],
    ['a ` alone', '<p>a ` alone</p>'],
    ['- one\n  more\n- two', '<ul><li>one\nmore</li><li>two</li></ul>'],
    ['1. one\n2. two', '<ol><li>one</li><li>two</li></ol>'],
    [
      '| a | b |\n|---|---|\n| `x \\| y` | |',
      '<table><tr><th>a</th><th>b</th></tr><tr><td><code>x | y</code></td><td></td></tr></table>',
    ],
    [
      '[`rules/`](../rules) [x](https://a.example/?b&c)',
      '<p><code>rules/</code> <a href="https://a.example/?b&amp;c" rel="noreferrer noopener">x</a></p>',
    ],
    ['[x](javascript:alert)', '<p>x</p>'],
    ['```\nnever closed', '<pre>never closed</pre>'],
  ]
  test.each(rows)('%j', (text, html) => {
    expect(markdownToHtml(text, (target) => (target.startsWith('https:') ? target : undefined))).toBe(html)
  })

  test('an anchor is what GitHub makes of a heading', () => {
    expect(anchorOf('`for`, `until` and `keep`: how long?')).toBe('for-until-and-keep-how-long')
  })
})
