/** Keysigner: signs certificates with a key from its key store. */
import { generateKeyPairSync, sign } from 'node:crypto'
import type { ProcessDefinition } from './app.ts'
import { store } from './dependency.ts'
import { runProcess } from './process.ts'

const certificateLifeMs = 24 * 3_600_000

export const keysigner: ProcessDefinition = {
  name: 'keysigner',
  build(routes, { breakage, clock }) {
    const { privateKey } = generateKeyPairSync('ed25519')
    const keyStore = store('key store', 2, breakage)
    routes.post('/wsapi/cert_key', async (request, response) => {
      const { email, pubkey } = request.body ?? {}
      if (typeof email !== 'string' || typeof pubkey !== 'string') {
        response.status(400).json({ error: 'expected "email" and "pubkey"' })
        return
      }
      await keyStore.query()
      const claims = Buffer.from(JSON.stringify({ email, pubkey, expires: clock.now() + certificateLifeMs }))
      const signature = sign(null, claims, privateKey)
      response.json({ success: true, cert: `${claims.toString('base64url')}.${signature.toString('base64url')}` })
    })
    return [keyStore]
  },
}

if (import.meta.main) await runProcess(keysigner)
