/** What a person tells the alerts part, through the console's API. */
export interface Command {
  id: string
  kind: string
  by: string
  atMs: number
  arguments: Readonly<Record<string, string>>
}
