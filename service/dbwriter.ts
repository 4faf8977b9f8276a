/** Dbwriter: does the writes, to the database. */
import type { ProcessDefinition } from './app.ts'
import { store } from './dependency.ts'
import { runProcess } from './process.ts'

export const dbwriter: ProcessDefinition = {
  name: 'dbwriter',
  build(routes, { breakage, metrics }) {
    const database = store('database', 8, breakage, metrics)
    for (const call of ['stage_user', 'complete_user_creation', 'logout']) {
      routes.post(`/wsapi/${call}`, async (_request, response) => {
        await database.query()
        response.json({ success: true })
      })
    }
    routes.post('/wsapi/authenticate_user', async (request, response) => {
      const password: unknown = request.body?.pass
      if (typeof password !== 'string') {
        response.status(400).json({ success: false, reason: 'expected a password in "pass"' })
        return
      }
      await database.query()
      response.status(password === 'wrong' ? 401 : 200).json({ success: password !== 'wrong' })
    })
    return [database]
  },
}

if (import.meta.main) await runProcess(dbwriter)
