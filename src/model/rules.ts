/** Rule files as they travel: whoever loads them publishes their text, every engine compiles the same text. */
export interface RulesMessage {
  /** Hash over all paths and texts, for comparing at a glance. */
  hash: string
  files: readonly { path: string; text: string }[]
}
