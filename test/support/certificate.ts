/** Self-signed certificates for `localhost` or other names, made by openssl, each once per test file. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** `names` as openssl wants them, such as `DNS:example.org` or `IP:10.0.0.1`. */
export function selfSigned(names = 'DNS:localhost,IP:127.0.0.1'): { key: string; cert: string } {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-cert-'))
  const [key, cert] = [path.join(dir, 'key.pem'), path.join(dir, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', `subjectAltName=${names}`]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...kind, '-days', '2', ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  const made = { key: fs.readFileSync(key, 'utf8'), cert: fs.readFileSync(cert, 'utf8') }
  fs.rmSync(dir, { recursive: true })
  return made
}
