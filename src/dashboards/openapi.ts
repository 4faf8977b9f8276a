/** OpenAPI: the API described for programs; test/dashboards/openapi.test.ts keeps it true. */

type Shape = Readonly<Record<string, unknown>>

const text: Shape = { type: 'string' }
const flag: Shape = { type: 'boolean' }
const time: Shape = { type: 'integer', description: 'epoch milliseconds' }
const span: Shape = { type: 'string', description: 'a duration such as 2h' }
const object = (properties: Shape, required: readonly string[] = []): Shape => ({
  type: 'object',
  properties,
  required,
})
const list = (items: Shape): Shape => ({ type: 'array', items })
const patterns: Shape = {
  type: 'object',
  additionalProperties: text,
  description:
    'patterns by name: rule, severity, group, kept names, tags; * stands for any text, !… for everything else, /…/ is a regular expression',
}

const json = (schema: Shape): Shape => ({ content: { 'application/json': { schema } } })
const refused = { description: 'refused, with the reason', ...json({ $ref: '#/components/schemas/Error' }) }
const answer = (schema: Shape, code = '200'): Shape => ({
  [code]: { description: 'as asked', ...json(schema) },
  '4XX': refused,
})
const parameter = (name: string, place: 'path' | 'query' | 'header', description: string): Shape => ({
  name,
  in: place,
  required: place === 'path',
  description,
  schema: text,
})
const get = (summary: string, schema: Shape, parameters: readonly Shape[] = []): Shape => ({
  get: { summary, parameters, responses: answer(schema) },
})
const command = (summary: string, body: Shape | undefined, schema: Shape, more: Shape = {}): Shape => ({
  summary,
  security: [{}, { token: [] }, { session: [] }],
  ...(body && { requestBody: { required: true, ...json(body) } }),
  responses: { ...answer(schema), '503': { ...refused, description: 'the bus does not take it' } },
  ...more,
})

const fingerprint = parameter('fingerprint', 'path', 'rule/group, percent-encoded')
const detail: Shape = { $ref: '#/components/schemas/AlertDetail' }
const silence: Shape = object({ silence: { $ref: '#/components/schemas/Silence' } })
const letters: Shape = object({ letters: list({ $ref: '#/components/schemas/DeadLetter' }) })
const letterKey = parameter('key', 'path', 'the key of the letter')
const session: Shape = { $ref: '#/components/schemas/Session' }
const anything: Shape = { type: 'object' }
const window: Shape = object({ maintenance: { $ref: '#/components/schemas/Maintenance' } })
const matches = parameter('match', 'query', 'name=pattern or name!=pattern, any number of times')
const preview: Shape = object({
  ...{ total: { type: 'integer' }, lately: { type: 'integer' }, isEverything: flag, reach: text },
  alerts: list({ $ref: '#/components/schemas/Alert' }),
  occurrences: list(object({ startsMs: time, endsMs: time })),
})
/** When maintenance is. */
const when = { every: text, at: text, for: span, zone: text, from: text, until: text }
const by = { ...text, description: 'who asks, where no tokens are configured' }
const ranges = [parameter('from', 'query', 'such as -15m'), parameter('until', 'query', 'such as now')]

const happened = object(
  {
    name: text,
    tags: { type: 'object' },
    text,
    at: { description: 'RFC 3339 or epoch milliseconds; now by default' },
    id: text,
  },
  ['name'],
)
const posted = object({ events: list(object({ id: text, name: text, tags: anything, atMs: time, isRepeated: flag })) })
const postEvents = command(
  'Say that something happened, such as a deploy: one event, or a list of at most 100',
  { oneOf: [happened, list(happened)] },
  posted,
  {
    parameters: [
      {
        ...{ name: 'Idempotency-Key', in: 'header', required: false, schema: text },
        description: 'the id of an event without one, so that sending it again does not count twice',
      },
    ],
    responses: {
      ...answer(posted, '201'),
      '200': { description: 'all of them were known already, by their ids', ...json(posted) },
      '429': { ...refused, description: 'too many events; try again later' },
      '503': { ...refused, description: 'the bus does not take it; try again with the same id' },
    },
  },
)

const events = {
  ...get('Deploys and other events, the newest first', object({ events: list(anything) }), [
    parameter('name', 'query', 'only events of this name'),
    ...ranges,
  ]),
  post: postEvents,
}

const paths = {
  '/api/alerts': get(
    'Alerts: all that fire, the gravest first, then what ended lately',
    object({ alerts: list({ $ref: '#/components/schemas/Alert' }), total: { type: 'integer' }, firing: anything }),
    [
      parameter('state', 'query', 'firing, acknowledged, silenced, unhandled, resolved, forgotten or all'),
      parameter('rule', 'query', 'a pattern'),
      parameter('group', 'query', 'a pattern of the group key, or name=pattern'),
      parameter('tag', 'query', 'name=pattern'),
      parameter('text', 'query', 'words in rule, group, sentence or reason'),
      parameter('limit', 'query', 'at most so many; 600 by default'),
    ],
  ),
  '/api/alerts/{fingerprint}': get('One alert, its history and why who was told', detail, [fingerprint]),
  '/api/alerts/{fingerprint}/acknowledge': {
    parameters: [fingerprint],
    post: command('Acknowledge', object({ note: text, sticky: flag, for: span, by }), detail),
    delete: command('Take the acknowledgement back', undefined, detail),
  },
  '/api/alerts/{fingerprint}/note': {
    parameters: [fingerprint],
    post: command('Add a note', object({ text, by }, ['text']), detail),
  },
  '/api/silences': {
    ...get(
      'Silences: in force or to come, then ended ones',
      object({ silences: list({ $ref: '#/components/schemas/Silence' }) }),
    ),
    post: command(
      'Silence',
      object(
        {
          matchers: patterns,
          reason: text,
          for: span,
          startsMs: time,
          endsMs: time,
          endWhenQuiet: {},
          confirm: flag,
          by,
        },
        ['matchers', 'reason'],
      ),
      silence,
      {
        responses: {
          ...answer(silence, '201'),
          '409': { ...refused, description: 'everything, or crit for a week or longer: needs confirm' },
          '503': { ...refused, description: 'the bus does not take it' },
        },
      },
    ),
  },
  '/api/silences/preview': get('What a silence would hide now', preview, [matches]),
  '/api/silences/{id}/extend': {
    parameters: [parameter('id', 'path', 'the id of the silence')],
    post: command('Let a silence last longer', object({ for: span, confirm: flag, by }, ['for']), silence),
  },
  '/api/silences/{id}': {
    parameters: [parameter('id', 'path', 'the id of the silence')],
    delete: command('End a silence', undefined, silence),
  },
  '/events': events,
  '/api/events': events,
  '/api/dead-letters': get('Notifications that nobody was told of, the newest first', letters),
  '/api/dead-letters/{key}': {
    parameters: [letterKey],
    delete: command('Dismiss one', undefined, letters),
  },
  '/api/dead-letters/{key}/retry': {
    parameters: [letterKey],
    post: command('Send one again, as its alerts are now', object({ by }), letters),
  },
  '/api/maintenance': {
    ...get(
      'Maintenance: in force, to come, then ended',
      object({ maintenance: list({ $ref: '#/components/schemas/Maintenance' }) }),
    ),
    post: command(
      'Begin or plan maintenance: for, or from with until or for, or every with at, for and zone',
      object({ matchers: patterns, reason: text, startsMs: time, ...when, confirm: flag, by }, ['matchers', 'reason']),
      window,
      {
        responses: {
          ...answer(window, '201'),
          '409': { ...refused, description: 'everything, or crit for a week or longer: needs confirm' },
          '503': { ...refused, description: 'the bus does not take it' },
        },
      },
    ),
  },
  '/api/maintenance/preview': get('What maintenance would hide now, and when it would be', preview, [
    matches,
    ...Object.keys(when).map((name) => parameter(name, 'query', 'as in a window that is planned')),
  ]),
  '/api/maintenance/{id}': {
    parameters: [parameter('id', 'path', 'the id of the window')],
    delete: command('End maintenance; of a planned window, for this time', undefined, window),
  },
  '/api/session': {
    ...get('Who one is here, and whether one must log in to read; open to everybody', session),
    post: {
      summary: 'Log in with a token; answers a session cookie',
      security: [{}],
      requestBody: { required: true, ...json(object({ token: text }, ['token'])) },
      responses: { ...answer(session, '201'), '429': { ...refused, description: 'too many wrong tokens' } },
    },
    delete: {
      summary: 'Log out',
      parameters: [parameter('X-Tocsin-Page', 'header', 'any value; needed of a command by session')],
      responses: answer(session),
    },
  },
  '/api/audit': get('Who did what, the newest first', object({ commands: list(anything) })),
  '/api/rules': get('Rules and how they are', object({ rules: list(anything) })),
  '/api/rules/{name}': get('One rule, its groups and its graph', anything, [
    parameter('name', 'path', 'the rule'),
    parameter('group', 'query', 'the group to show first'),
    ...ranges,
  ]),
  '/api/dashboards': get('Dashboards', object({ dashboards: list(anything), problems: list(text) })),
  '/api/dashboards/{name}': get('One dashboard', anything, [parameter('name', 'path', 'the dashboard')]),
  '/api/series': get('Values of targets', object({ targets: list(anything) }), [
    parameter('target', 'query', 'such as rate(web.{process}.5*), any number of times'),
    ...ranges,
  ]),
  '/api/mailbox': get('Mails of the configured mail sink', object({ mails: list(anything) })),
  '/api/mailbox/{id}/html': get('The HTML of a mail', text, [parameter('id', 'path', 'the mail')]),
  '/api/status': get('Parts, sources and what can be seen', anything),
  '/api/stream': get('Server-sent events', text, [
    parameter('rule', 'query', 'also tell of this rule'),
    parameter('dashboard', 'query', 'also tell of this dashboard'),
    parameter('target', 'query', 'also tell of these targets'),
  ]),
  '/api/openapi.json': get('This description', anything),
}

const who = { by: text, atMs: time }

const schemas = {
  Error: object({ error: text }, ['error']),
  Alert: object(
    {
      ...{ id: text, fingerprint: text, rule: text, groupKey: text, say: text, reason: text, text },
      state: { enum: ['firing', 'resolved', 'forgotten'] },
      level: { enum: ['warn', 'crit'] },
      ...{ sinceMs: time, endedMs: time, hidden: flag, blind: flag, nodata: flag, tags: patterns },
      acknowledged: object({ ...who, note: text, sticky: flag, untilMs: time }),
      silenced: object({ id: text, by: text, untilMs: time }),
      maintenance: object({ id: text, by: text, untilMs: time }),
      flaps: flag,
    },
    ['id', 'fingerprint', 'state', 'level', 'rule', 'groupKey'],
  ),
  AlertDetail: object(
    {
      alert: { $ref: '#/components/schemas/Alert' },
      quietWhy: list(text),
      rulesWhy: text,
      notes: list(object({ id: text, ...who, text })),
      decisions: list(object({ atMs: time, change: text, notify: flag, reason: text, receivers: list(text) })),
      transitions: list(anything),
      receipts: list(anything),
    },
    ['alert', 'quietWhy', 'rulesWhy', 'notes', 'decisions', 'transitions', 'receipts'],
  ),
  Session: object(
    { hasTokens: flag, needsLogin: flag, name: text, role: { enum: ['viewer', 'events', 'responder', 'admin'] } },
    ['hasTokens', 'needsLogin'],
  ),
  DeadLetter: object(
    {
      ...{ key: text, receiver: text, title: text, detail: text, atMs: time, attempt: { type: 'integer' } },
      ...{ kind: { enum: ['firing', 'resolved'] }, fingerprint: text },
    },
    ['key', 'receiver', 'title', 'detail', 'atMs'],
  ),
  Maintenance: object(
    {
      ...{ id: text, by: text, matchers: patterns, reason: text, startsMs: time, endsMs: time, endedMs: time },
      state: { enum: ['waiting', 'active', 'ended'] },
      ...{ isPlanned: flag, recurs: text, endedWhy: text, hides: { type: 'integer' } },
    },
    ['id', 'by', 'matchers', 'reason', 'isPlanned', 'startsMs', 'endsMs', 'state', 'hides'],
  ),
  Silence: object(
    {
      ...{ id: text, ...who, matchers: patterns, reason: text, startsMs: time, endsMs: time, endedMs: time },
      state: { enum: ['waiting', 'active', 'ended'] },
      ...{ endedWhy: text, quietMs: { type: 'integer' }, hides: { type: 'integer' } },
    },
    ['id', 'by', 'matchers', 'reason', 'startsMs', 'endsMs', 'state', 'hides'],
  ),
}

export const openApi = {
  openapi: '3.1.0',
  info: {
    title: 'Tocsin',
    version: '1',
    description:
      'With dashboards.reading: tokens, reading needs a bearer token of role viewer, responder or admin, the token as the password of Basic authentication, or a session; otherwise it is open. Commands need JSON and, where tokens are configured, a bearer token or a session of role responder; role admin to change what somebody else set and for dead letters; posting events also goes with role events. A command by session also needs the header X-Tocsin-Page and comes from the console’s own page.',
  },
  security: [{}, { token: [] }, { basic: [] }, { session: [] }],
  paths,
  components: {
    schemas,
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer' },
      basic: { type: 'http', scheme: 'basic', description: 'any user name, the token as password; only reads' },
      session: { type: 'apiKey', in: 'cookie', name: 'tocsin_session' },
    },
  },
} as const
