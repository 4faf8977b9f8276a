/**
 * Name: from what a sender wrote to the name of a series, `name;tag=value` with its tags in sorted order.
 *
 *     DogStatsD   users:1|c|#country:cn,beta   users;beta=true;country=cn     (always understood)
 *     Graphite    users;country=cn:1|c         users;country=cn               (always understood, as by etsy's daemon)
 *     InfluxDB    users,country=cn:1|c         users;country=cn               (on request)
 *     Librato     users#country=cn:1|c         users;country=cn               (on request)
 *
 * Runs once for each spelling of a series, not for each line.
 */

/** Tags that stand in the name itself; `dogstatsd`: none but Graphite's own. */
export type TagStyle = 'dogstatsd' | 'influxdb' | 'librato'

const separators: Readonly<Record<TagStyle, string>> = { dogstatsd: '', influxdb: ',', librato: '#' }

/** The series of a written name and DogStatsD tag list (`country:cn,beta`, or nothing). Empty when no name is left. */
export function seriesName(written: string, tagList: string, style: TagStyle = 'dogstatsd'): string {
  const separator = separators[style]
  const tagsAt = separator === '' ? -1 : written.indexOf(separator)
  const tags = new Map<string, string>()
  const name = tagsAt < 0 ? graphiteTags(written, tags) : cleanName(written.slice(0, tagsAt))
  if (name === '') return ''
  if (tagsAt >= 0) readTags(written.slice(tagsAt + 1), '=', tags)
  if (tagList !== '') readTags(tagList, ':', tags)
  return name + tagSuffix(tags)
}

/** `;a=1;b=2`, or nothing. */
export function tagSuffix(tags: ReadonlyMap<string, string>): string {
  if (tags.size === 0) return ''
  return [...tags.keys()]
    .sort()
    .map((key) => `;${key}=${tags.get(key)}`)
    .join('')
}

/** Reads `key:value,bare` into `tags`; a tag without a value is `true`, of one that comes twice the last counts. */
export function readTags(list: string, between: ':' | '=', tags: Map<string, string>): void {
  for (const tag of list.split(',')) {
    const at = tag.indexOf(between)
    const key = cleanName(at < 0 ? tag : tag.slice(0, at))
    const value = at < 0 ? 'true' : cleanTagValue(tag.slice(at + 1))
    if (key !== '') tags.set(key, value === '' ? 'true' : value)
  }
}

/**
 * Cleans a raw name as etsy's daemon does: runs of white space become `_`, `/` becomes `-`, everything but letters,
 * digits, `_`, `-` and `.` goes. Empty when nothing is left.
 */
export function cleanName(raw: string): string {
  return raw
    .replace(/\s+/g, '_')
    .replaceAll('/', '-')
    .replace(/[^a-zA-Z0-9_.-]/g, '')
}

/** Takes `a;x=1;y=2` apart where all of it has that form; otherwise the `;` is one more character that goes. */
function graphiteTags(written: string, tags: Map<string, string>): string {
  const parts = written.split(';')
  if (parts.length === 1 || !parts.slice(1).every((part) => /^[^=]+=./.test(part))) return cleanName(written)
  for (const part of parts.slice(1)) readTags(part.replaceAll(',', '_'), '=', tags)
  return cleanName(parts[0] as string)
}

/** What Graphite and the rule language can hold: no white space, no control characters, no `;`, no `~` in front. */
function cleanTagValue(raw: string): string {
  return raw
    .trim()
    .replace(/\s+/g, '_')
    .replace(/[;\x00-\x1f\x7f\ufffd]/g, '')
    .replace(/^~+/, '')
}
