/** A process that throws where nobody catches, as bugs do. Run by process.test.ts. */
import { runProcess } from '../../service/process.ts'

await runProcess({
  name: 'proxy',
  build(routes) {
    routes.get('/crash', (_request, response) => {
      response.send('going down')
      setImmediate(() => {
        throw new Error('we were wrong')
      })
    })
    routes.get('/error', () => {
      throw new Error('only this request is lost')
    })
    return []
  },
})
