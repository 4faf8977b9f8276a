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
  /**
   * Of an event that a person or a program posted. Its source sends no markers, so the engine takes it into the first open
   * bucket when its own is closed, once for each id.
   */
  id?: string
}
