/** Proxy: fetches what other identity providers say about themselves. The providers are a stand-in with their latency. */
import type { ProcessDefinition } from './app.ts'
import { store } from './dependency.ts'
import { runProcess } from './process.ts'

export const proxy: ProcessDefinition = {
  name: 'proxy',
  build(routes, { breakage }) {
    const providers = store('identity providers', 25, breakage)
    routes.get('/.well-known/browserid', async (_request, response) => {
      await providers.query()
      response.json({ authentication: '/sign_in', provisioning: '/provision', 'public-key': { algorithm: 'Ed25519' } })
    })
    return [providers]
  },
}

if (import.meta.main) await runProcess(proxy)
