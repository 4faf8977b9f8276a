/**
 * Documents under /docs: the Markdown files that rules name as runbooks, as pages to read at night.
 *
 * A file is looked for in docs/ beside tocsin.yaml and then in Tocsin's own docs/. Nothing else is served: no other kind of file,
 * no path that leaves the folder.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { type Request, type Response, Router } from 'express'
import { runbookPath } from '../model/runbook.ts'
import { escaped, markdownToHtml } from './markdown.ts'
import { BadRequest } from './request.ts'

const documentBytesMax = 1024 ** 2

/** Tocsin's own, in a checkout and beside compiled code. */
const ownDocuments = new URL('../../docs/', import.meta.url).pathname

const style = `:root{color-scheme:light dark}body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
nav{font-size:.9rem}h1,h2,h3{line-height:1.25}h2{margin-top:2.2rem;border-top:1px solid #8884;padding-top:.9rem}:target{background:#f5c84a55}
pre,code{font:.875em ui-monospace,Menlo,Consolas,monospace}pre{overflow-x:auto;padding:.7rem;background:#8881;overflow-wrap:normal}
table{display:block;overflow-x:auto;border-collapse:collapse;overflow-wrap:normal}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border:1px solid #8884}`

const security = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** `configFile`: the configuration's, absolute. */
export function documentRoutes(configFile: string): Router {
  const folders = [path.join(path.dirname(configFile), 'docs'), ownDocuments]
  const router = Router()
  router.get('/docs', async (_request, response) => {
    const names = (await Promise.all(folders.map(documentsIn))).flat()
    const items = [...new Set(names)].sort().map((name) => `<li><a href="/docs/${name}">${name}</a></li>`)
    sendPage(response, 'Documents', `<h1>Documents</h1>\n<ul>${items.join('')}</ul>`)
  })
  router.get('/docs/*place', async ({ params }: Request<{ place: string[] }>, response) => {
    const place = `docs/${params.place.join('/')}`
    const text = runbookPath(place) === undefined ? undefined : await firstText(folders, place.slice('docs/'.length))
    if (text === undefined) {
      throw new BadRequest(
        `there is no ${place.slice(0, 200)}, neither beside tocsin.yaml nor among Tocsin's own documents`,
        404,
      )
    }
    sendPage(
      response,
      place,
      markdownToHtml(text, (target) => linkFrom(place, target)),
    )
  })
  return router
}

/** Web addresses, anchors, and other documents; the rest of the tree is not served. */
function linkFrom(place: string, target: string): string | undefined {
  if (/^(https?:\/\/|#)/i.test(target)) return target
  return runbookPath(path.posix.join(path.posix.dirname(place), target))
}

async function firstText(folders: readonly string[], name: string): Promise<string | undefined> {
  for (const folder of folders) {
    const text = await textOf(path.join(folder, name))
    if (text !== undefined) return text
  }
  return undefined
}

/** Undefined where it cannot be read or is too long to be a document. */
async function textOf(file: string): Promise<string | undefined> {
  try {
    const { size } = await fs.stat(file)
    return size > documentBytesMax ? undefined : await fs.readFile(file, 'utf8')
  } catch {
    return undefined
  }
}

async function documentsIn(folder: string): Promise<string[]> {
  const names = await fs.readdir(folder).catch(() => [])
  return names.filter((name) => runbookPath(`docs/${name}`) !== undefined)
}

function sendPage(response: Response, title: string, body: string): void {
  response.set({ 'content-security-policy': security, 'cache-control': 'no-cache' }).type('html')
  response.send(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} · Tocsin</title><style>${style}</style></head>
<body><nav><a href="/">Tocsin</a> · <a href="/docs">Documents</a></nav>
${body}
</body></html>
`)
}
