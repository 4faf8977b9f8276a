/** Static: serves the pages that browsers load. */
import type { ProcessDefinition } from './app.ts'
import { store } from './dependency.ts'
import { runProcess } from './process.ts'

const pages: Readonly<Record<string, { type: string; body: string }>> = {
  '/': {
    type: 'html',
    body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in</title><link rel="stylesheet" href="/style.css"></head>
<body><h1>Sign in with your email address</h1><p>This is the example service that Tocsin watches.</p></body></html>
`,
  },
  '/style.css': { type: 'css', body: 'body { font: 1.1rem/1.5 system-ui; margin: 4rem auto; max-width: 32rem }\n' },
  '/include.js': { type: 'js', body: "navigator.id = { get: (callback) => callback('') }\n" },
}

export const staticPages: ProcessDefinition = {
  name: 'static',
  build(routes, { breakage }) {
    const disk = store('disk', 1, breakage)
    for (const [path, { type, body }] of Object.entries(pages)) {
      routes.get(path, async (_request, response) => {
        await disk.query()
        response.type(type).send(body)
      })
    }
    return [disk]
  },
}

if (import.meta.main) await runProcess(staticPages)
