/**
 * Mail: a notification as subject, text and HTML. Pure. Everything that comes from rules and metrics is escaped.
 *
 * The HTML uses inline styles only, sets no background, and so reads on light and on dark. The picture of the values is
 * an attachment that it names by cid; see graph/.
 */
import { heightPx, widthPx } from '../graph/draw.ts'
import type { Notification } from '../notification.ts'
import { oneLine, trendLabel, type Wording, type WordingContext, wording } from './wording.ts'

export interface MailContent {
  subject: string
  text: string
  html?: string
}

/** `graphUrl` is where the picture of the values is found, where there is one. */
export function renderMail(notification: Notification, context: WordingContext, graphUrl?: string): MailContent {
  const words = wording(notification, context)
  return { subject: words.subject, text: asText(words), html: asHtml(words, graphUrl) }
}

/** What is left when the words cannot be made: never nothing. */
export function plainMail({ kind, rule, level, alerts, moreCount }: Notification, problem: string): MailContent {
  const groups = alerts.map(({ groupKey }) => groupKey).slice(0, 50)
  return {
    subject: oneLine(`${kind === 'resolved' ? 'OK' : level.toUpperCase()} ${groups.slice(0, 5).join(', ')} · ${rule}`),
    text: [
      `${kind}: ${rule}`,
      `groups: ${groups.join(', ')}${alerts.length + moreCount > groups.length ? ', …' : ''}`,
      ...alerts.slice(0, 50).map(({ say, reason }) => String(say || reason)),
      `(This mail is plain because its usual form failed: ${problem})`,
    ].join('\n'),
  }
}

function asText({ status, title, value, say, lines, members, path }: Wording): string {
  const width = Math.max(...lines.map(({ label }) => label.length))
  const blocks = [
    `${status} · ${title}${value && ` · ${value}`}`,
    say,
    members.join('\n'),
    lines
      .map(({ label, text }) => `${label.padEnd(width)}  ${text.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`)
      .join('\n'),
    path,
  ]
  return `${blocks.filter(Boolean).join('\n\n')}\n`
}

const colours: Readonly<Record<Wording['tone'], string>> = {
  crit: '#e5484d',
  warn: '#dc8a00',
  ok: '#1a9c55',
  gone: '#7a7f87',
}

const font = 'font-family:-apple-system,BlinkMacSystemFont,Segoe UI,Roboto,Helvetica,Arial,sans-serif'
const mono = 'font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace'

function asHtml(words: Wording, graphUrl: string | undefined): string {
  const { subject, status, tone, title, say, lines, members, path } = words
  const colour = colours[tone]
  const picture = graphUrl === undefined ? '' : graphHtml(words, graphUrl)
  // The picture says more than the row of blocks.
  const rows = lines
    .filter(({ label }) => !picture || label !== trendLabel)
    .map(({ label, text, href }) => {
      const shown = href
        ? `<a href="${escapeHtml(href)}" style="color:inherit">${escapeHtml(text)}</a>`
        : breaks(escapeHtml(text))
      const cell = `padding:3px 12px 3px 0;vertical-align:top`
      return `<tr><td style="${cell};color:#7a7f87;white-space:nowrap">${escapeHtml(label)}</td><td style="padding:3px 0;word-break:break-word">${shown}</td></tr>`
    })
  const list = members.map((member) => `<li style="padding:2px 0">${escapeHtml(member)}</li>`)
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">',
    `<title>${escapeHtml(subject)}</title></head>`,
    `<body style="margin:0;padding:16px;${font};font-size:15px;line-height:1.45">`,
    `<div style="max-width:640px;border-left:5px solid ${colour};padding-left:14px">`,
    `<div style="color:${colour};font-weight:700">${escapeHtml(status)}</div>`,
    `<div style="font-size:19px;font-weight:700">${escapeHtml(title)}</div>`,
    say && `<p style="margin:10px 0">${breaks(escapeHtml(say))}</p>`,
    list.length > 0 && `<ul style="margin:10px 0;padding-left:20px">${list.join('\n')}</ul>`,
    picture,
    `<table role="presentation" style="border-collapse:collapse;${font};font-size:14px">`,
    ...rows,
    '</table>',
    path && `<p style="margin:12px 0 0;color:#7a7f87;${mono};font-size:12px">${escapeHtml(path)}</p>`,
    '</div></body></html>',
  ]
    .filter(Boolean)
    .join('\n')
}

function graphHtml({ graph }: Wording, url: string): string {
  if (!graph) return ''
  const size = `width="${widthPx}" height="${heightPx}"`
  const style = 'display:block;width:100%;height:auto;border:0;border-radius:6px'
  return [
    `<div style="margin:10px 0;max-width:${widthPx}px">`,
    `<img src="${escapeHtml(url)}" ${size} alt="${escapeHtml(graph.alt)}" style="${style}">`,
    `<div style="padding-top:3px;color:#7a7f87;font-size:13px">${escapeHtml(graph.caption)}</div></div>`,
  ].join('\n')
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => entities[character] as string)
}

function breaks(html: string): string {
  return html.replaceAll('\n', '<br>')
}
