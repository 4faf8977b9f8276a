/** Session view: who one is to the console. */
export interface SessionView {
  /** Whether one can log in here at all. */
  hasTokens: boolean
  /** Whether one must, to read. */
  needsLogin: boolean
  name?: string
  role?: 'viewer' | 'events' | 'responder' | 'admin'
}
