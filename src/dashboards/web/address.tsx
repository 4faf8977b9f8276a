/** Address: the page shown and its settings live in the URL, so that every view has a permalink. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'

export interface Address {
  /** Decoded segments: `/rules/a%20b` is ['rules', 'a b']. */
  segments: readonly string[]
  query: URLSearchParams
}

const changed = 'tocsin:address'

export function useAddress(): Address {
  const [href, setHref] = useState(location.href)
  useEffect(() => {
    const update = () => setHref(location.href)
    addEventListener('popstate', update)
    addEventListener(changed, update)
    return () => {
      removeEventListener('popstate', update)
      removeEventListener(changed, update)
    }
  }, [])
  const { pathname, searchParams } = new URL(href)
  return { segments: pathname.split('/').filter(Boolean).map(decode), query: searchParams }
}

export function go(href: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', href)
  else history.pushState(null, '', href)
  dispatchEvent(new Event(changed))
  if (!replace) scrollTo(0, 0)
}

/** Changes settings of the present page; undefined removes one. */
export function setQuery(settings: Readonly<Record<string, string | undefined>>): void {
  const url = new URL(location.href)
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) url.searchParams.delete(name)
    else url.searchParams.set(name, value)
  }
  go(url.pathname + url.search, { replace: true })
}

type LinkProps = JSX.IntrinsicElements['a'] & { href: string; children: ComponentChildren }

/** A link within the console; with a modifier key it does what the browser does. */
export function Link({ href, children, ...rest }: LinkProps) {
  const onClick = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return
    event.preventDefault()
    go(href)
  }
  return (
    <a {...rest} href={href} onClick={onClick}>
      {children}
    </a>
  )
}

export function ruleHref(rule: string, group?: string): string {
  const query = group === undefined ? '' : `?group=${encodeURIComponent(group)}`
  return `/rules/${encodeURIComponent(rule)}${query}`
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
