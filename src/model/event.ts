/** Things that happened: deploys, log-derived events, webhooks. */
export interface EventMessage {
  source: string
  sequence: number
  atMs: number
  bucketMs: number
  /** Without its `event:` prefix; dots allowed, such as `backup.started`. */
  name: string
  tags: Readonly<Record<string, string>>
  text?: string
}
