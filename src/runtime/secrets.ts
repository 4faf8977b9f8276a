/** Secrets: values that came from the environment or a file, kept out of everything that is printed. */

const known = new Map<string, string>()

/** Remembers a secret and what stands for it in print, such as `${PASSWORD}`. Very short values would strike out ordinary text. */
export function rememberSecret(value: string, standIn: string): void {
  if (value.length >= 4) known.set(value, standIn)
}

/** Replaces every known secret, also as it appears inside a URL or JSON, and the password of any URL. */
export function strikeSecrets(text: string): string {
  let struck = text
  for (const [value, standIn] of known) {
    for (const form of new Set([value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)])) {
      struck = struck.replaceAll(form, standIn)
    }
  }
  return struck.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:@/"']*):([^\s@/"']+)@/gi, (match, user, password) =>
    /^(\$\{|\{file:)/.test(password) ? match : `${user}:***@`,
  )
}
