/** Config of receivers: what the schema cannot say of fallbacks and templates, each problem located. */
import { dottedHoles, parseTemplate, plainHoles } from '../model/template.ts'
import type { Config } from './config.ts'
import { type Problem, suggest } from './problem.ts'

type Locate = (path: PropertyKey[]) => { line: number; column: number }
type Alerts = Pick<Config['alerts'], 'receivers' | 'fallback' | 'templates'>

export function receiverProblems(alerts: Alerts, file: string, locate: Locate): Problem[] {
  return [
    ...mailProblems(alerts, file, locate),
    ...fallbackProblems(alerts, file, locate),
    ...templateProblems(alerts, file, locate),
  ]
}

/** What is wrong with a mail server's address, or a time zone; a password is never repeated. */
function mailProblems({ receivers }: Alerts, file: string, locate: Locate): Problem[] {
  return Object.entries(receivers).flatMap(([name, receiver]) => {
    if (!('email' in receiver)) return []
    const at = ['alerts', 'receivers', name, 'email']
    const problem = (key: string, message: string, help: string): Problem[] => [
      { file, ...locate([...at, key]), message: `${[...at, key].join('.')}: ${message}`, help },
    ]
    const { smtp, timeZone } = receiver.email
    const wrong = smtpProblem(smtp)
    return [
      ...(wrong ? problem('smtp', wrong.message, wrong.help) : []),
      ...(timeZone === undefined || isTimeZone(timeZone)
        ? []
        : problem('timeZone', `there is no time zone "${timeZone}"`, 'an IANA name such as Europe/Berlin')),
    ]
  })
}

function smtpProblem(smtp: string): { message: string; help: string } | undefined {
  const help = 'such as smtp://localhost:25 or smtps://user:${PASSWORD}@mail.example.org'
  if (!URL.canParse(smtp)) return { message: 'expected the address of a mail server', help }
  const { hostname, username, password } = new URL(smtp)
  if (hostname === '') return { message: 'expected the name of a host', help }
  if (username !== '' && password === '') {
    return { message: 'a user without a password', help: 'write smtp://user:${PASSWORD}@host, and set PASSWORD' }
  }
  return [username, password].every(isDecodable)
    ? undefined
    : { message: 'a % in user or password that begins no code', help: 'write %25 for a percent sign' }
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function isTimeZone(name: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Fallbacks lead to receivers that exist, and come to an end. */
function fallbackProblems({ receivers, fallback }: Alerts, file: string, locate: Locate): Problem[] {
  const known = Object.keys(receivers)
  const problems: Problem[] = []
  const complain = (at: PropertyKey[], message: string, help: string) =>
    problems.push({ file, ...locate(at), message: `${at.join('.')}: ${message}`, help })
  const exists = (at: PropertyKey[], name: string | undefined) => {
    if (name === undefined || known.includes(name)) return
    const meant = name.length > 3 ? suggest(name, known) : undefined
    const help = known.length > 0 ? `known: ${known.join(', ')}` : 'name one under alerts.receivers'
    complain(at, `there is no receiver "${name}"`, meant ? `did you mean "${meant}"?` : help)
  }
  exists(['alerts', 'fallback'], fallback)
  for (const name of known) {
    const at = ['alerts', 'receivers', name, 'fallback']
    exists(at, receivers[name]?.fallback)
    const circle = circleFrom(name, receivers)
    if (circle) complain(at, `goes in a circle: ${circle.join(' → ')}`, 'let the last one have no fallback')
  }
  return problems
}

function templateProblems({ templates }: Alerts, file: string, locate: Locate): Problem[] {
  return Object.entries(templates ?? {}).flatMap(([name, text]) => {
    const at = ['alerts', 'templates', name]
    const parsed = parseTemplate(text ?? '')
    const problems = parsed.ok ? [] : parsed.error
    return problems.map(({ message, hole }) => {
      const help = hole === undefined ? 'write {{ and }} for braces themselves' : holeHelp(hole)
      return { file, ...locate(at), message: `${at.join('.')}: ${message}`, help }
    })
  })
}

function holeHelp(hole: string): string {
  const dotted = dottedHoles.map((kind) => `${kind}.NAME`)
  const [kind = '', rest] = hole.split(/\.(.*)/s)
  const meant = rest === undefined ? suggest(hole, plainHoles) : suggest(kind, dottedHoles)
  if (meant) return `did you mean {${meant}${rest === undefined ? '' : `.${rest}`}}?`
  return `known: ${[...plainHoles, ...dotted].join(', ')}; a name of the group is {group.${hole || 'host'}}`
}

/** `a → b → a`, where following the fallbacks leads back to `name`. */
function circleFrom(name: string, receivers: Alerts['receivers']): string[] | undefined {
  const passed = [name]
  for (let next = receivers[name]?.fallback; next !== undefined; next = receivers[next]?.fallback) {
    if (next === name) return [...passed, name]
    if (passed.includes(next)) return undefined
    passed.push(next)
  }
  return undefined
}
