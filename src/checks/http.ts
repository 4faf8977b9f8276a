/**
 * HTTP: one probe. Whatever happens becomes a result with one line for people: what was expected, what came.
 *
 * Every probe opens a connection of its own, so that a process that hangs is not hidden behind one that was open before.
 * The timeout covers everything, from the name to the last byte.
 */
import http from 'node:http'
import https from 'node:https'
import type { CheckState } from '../model/check.ts'
import { formatDuration } from '../model/duration.ts'
import type { Clock } from '../runtime/clock.ts'
import { strikeSecrets } from '../runtime/secrets.ts'
import { bodyPattern, type HttpCheck } from './check-file.ts'

/** Bytes of a body that are read; what the expectation looks for must stand in them. */
export const bodyBytesMax = 256 * 1024
const redirectsMax = 5

export interface ProbeResult {
  state: CheckState
  output: string
  durationMs: number
}

interface Answer {
  status: number
  location: string | undefined
  body: string
  /** There was more than `bodyBytesMax`. */
  isCut: boolean
}

/** Asks once. Never rejects. Aborting `stop` ends the probe at once; its result then means nothing. */
export async function probeHttp(check: HttpCheck, clock: Clock, stop?: AbortSignal): Promise<ProbeResult> {
  const startMs = clock.now()
  const timeout = new AbortController()
  const timer = clock.schedule(() => timeout.abort(), check.timeoutMs)
  const signal = stop ? AbortSignal.any([timeout.signal, stop]) : timeout.signal
  const progress: Progress = { status: undefined }
  try {
    const answer = await askFollowing(check, signal, progress)
    return finish(judge(check, answer, clock.now() - startMs))
  } catch (error) {
    return finish(
      timeout.signal.aborted ? tooSlow(check, progress) : explain(check, error as NodeJS.ErrnoException, progress),
    )
  } finally {
    timer.unsubscribe()
  }

  function finish({ state, output }: Judgement): ProbeResult {
    return { state, output: strikeSecrets(oneLine(output, 300)), durationMs: clock.now() - startMs }
  }
}

interface Judgement {
  state: CheckState
  output: string
}

/** How far a probe came before it failed. */
interface Progress {
  status: number | undefined
}

function judge({ expect }: HttpCheck, answer: Answer, tookMs: number): Judgement {
  const { status, location, body } = answer
  const isExpected = expect.statuses ? expect.statuses.includes(status) : status >= 200 && status < 300
  const got = body.trim() === '' ? 'an empty body' : `"${oneLine(body, 80)}"`
  if (!isExpected) {
    const came = location === undefined ? `${status}: ${got}` : `${status} to ${location}`
    return { state: 'crit', output: `expected status ${expect.statuses?.join(' or ') ?? '2xx'}, got ${came}` }
  }
  if (expect.body !== undefined && !bodyPattern(expect.body)?.test(body)) {
    const wanted = expect.body.startsWith('/') ? expect.body : `"${expect.body}"`
    const where = answer.isCut ? ` in the first ${bodyBytesMax / 1024} KiB` : ''
    return { state: 'crit', output: `status ${status}, but expected a body with ${wanted}${where}, got ${got}` }
  }
  return { state: 'ok', output: `status ${status} in ${tookMs} ms` }
}

function tooSlow({ timeoutMs }: HttpCheck, { status }: Progress): Judgement {
  const within = `within ${formatDuration(timeoutMs)}`
  if (status === undefined) return { state: 'crit', output: `no answer ${within}` }
  return { state: 'crit', output: `status ${status}, but the body was not complete ${within}` }
}

function explain({ url }: HttpCheck, error: NodeJS.ErrnoException, { status }: Progress): Judgement {
  const { hostname, host } = new URL(url)
  const code = error.code ?? ''
  const known: Record<string, string> = {
    ECONNREFUSED: `connection refused by ${host}`,
    ECONNRESET: `connection closed before ${status === undefined ? 'an answer' : 'the answer was complete'}`,
    ENOTFOUND: `there is no host ${hostname}`,
    EAI_AGAIN: `the name ${hostname} cannot be resolved now`,
    EHOSTUNREACH: `no route to ${hostname}`,
    ENETUNREACH: `no route to ${hostname}`,
    ETIMEDOUT: `${host} does not take the connection`,
  }
  if (code in known) return { state: 'crit', output: known[code] as string }
  if (code.startsWith('HPE_')) return { state: 'crit', output: `the answer is not HTTP: ${error.message}` }
  // Without a code it is a mistake of ours or of the check file, and says nothing about the service.
  return { state: code === '' ? 'unknown' : 'crit', output: `${error.message}${code ? ` (${code})` : ''}` }
}

async function askFollowing(check: HttpCheck, signal: AbortSignal, progress: Progress): Promise<Answer> {
  let url = new URL(check.url)
  let headers = check.headers
  for (let redirects = 0; ; redirects++) {
    const answer = await ask(url, { method: check.method, headers }, signal, progress)
    const isRedirect = answer.status >= 300 && answer.status < 400 && answer.location !== undefined
    if (!check.followRedirects || !isRedirect || redirects === redirectsMax) return answer
    url = new URL(answer.location as string, url)
    // What was written for one host, such as a token, is not for another.
    if (url.origin !== new URL(check.url).origin) headers = {}
  }
}

function ask(
  url: URL,
  { method, headers }: Pick<HttpCheck, 'method' | 'headers'>,
  signal: AbortSignal,
  progress: Progress,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === 'https:' ? https : http
    const asking = request(
      url,
      { method, headers: { 'user-agent': 'tocsin', ...headers }, agent: false, signal },
      (response) => {
        progress.status = response.statusCode
        readBody(response).then(({ body, isCut }) => {
          const { statusCode = 0, headers } = response
          resolve({ status: statusCode, location: headers.location, body, isCut })
        }, reject)
      },
    )
    asking.on('error', reject)
    asking.end()
  })
}

async function readBody(response: http.IncomingMessage): Promise<{ body: string; isCut: boolean }> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    // Leaving the loop closes the connection.
    if (bytes > bodyBytesMax) break
  }
  const body = Buffer.concat(chunks).subarray(0, bodyBytesMax).toString('utf8')
  return { body, isCut: bytes > bodyBytesMax }
}

function oneLine(text: string, charsMax: number): string {
  const line = text.replace(/[\s\x00-\x1f\x7f]+/g, ' ').trim()
  return line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line
}
