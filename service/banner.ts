/** Banner: what a person sees once the demo is up, and how it looks on a terminal. */

export interface Paint {
  bold(text: string): string
  dim(text: string): string
  link(text: string): string
  alarm(text: string): string
}

/** Colours on a terminal, plain text elsewhere and where NO_COLOR is set. */
export function createPaint(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): Paint {
  const hasColour = isTerminal && !environment.NO_COLOR && environment.TERM !== 'dumb'
  const paint = (code: string) => (text: string) => (hasColour ? `\x1b[${code}m${text}\x1b[0m` : text)
  return { bold: paint('1'), dim: paint('2'), link: paint('4;36'), alarm: paint('1;31') }
}

export interface BannerFacts {
  consoleUrl: string
  mailboxUrl: string
  logDirectory: string
}

export function banner({ consoleUrl, mailboxUrl, logDirectory }: BannerFacts, paint: Paint): string {
  const rule = paint.dim('─'.repeat(74))
  return `
${rule}
  ${paint.bold('Tocsin is up and watches the example service.')}

    Console    ${paint.link(consoleUrl)}
    Mailbox    ${paint.link(mailboxUrl)}

  Break something, in a second terminal, and watch the page arrive:

    ${paint.alarm('npm run break -- verifier 5xx')}

  It says what will happen and when. More ways to break things:
    npm run break -- --help

  ${paint.dim(`Logs are in ${logDirectory}. Ctrl-C stops everything.`)}
${rule}
`
}
