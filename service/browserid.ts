/** Browserid: answers the reads, from a database. */
import type { ProcessDefinition } from './app.ts'
import { store } from './dependency.ts'
import { runProcess } from './process.ts'

export const browserid: ProcessDefinition = {
  name: 'browserid',
  build(routes, { breakage, metrics, clock }) {
    const database = store('database', 4, breakage, metrics)
    routes.get('/wsapi/session_context', async (_request, response) => {
      await database.query()
      response.json({ csrf_token: 'c2Vzc2lvbg', server_time: clock.now(), authenticated: false })
    })
    routes.get('/wsapi/address_info', async (request, response) => {
      const { email } = request.query
      if (typeof email !== 'string' || !email.includes('@')) {
        response.status(400).json({ error: 'expected an email address in "email"' })
        return
      }
      await database.query()
      response.json({ type: 'secondary', state: 'known' })
    })
    routes.get('/wsapi/list_emails', async (_request, response) => {
      await database.query()
      response.json({ success: true, emails: ['someone@example.org'] })
    })
    routes.get('/wsapi/user_creation_status', async (_request, response) => {
      await database.query()
      response.json({ success: true, status: 'complete' })
    })
    return [database]
  },
}

if (import.meta.main) await runProcess(browserid)
