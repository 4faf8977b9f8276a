/** Where a rule's runbook is: a link where it is an address of the web, else the place as written, such as a file. */
import type { ComponentChildren } from 'preact'

export function Runbook({ place, children }: { place: string; children?: ComponentChildren }) {
  if (!/^https?:\/\//.test(place)) return <span>{place}</span>
  return (
    <a href={place} rel="noreferrer noopener">
      {children ?? place}
    </a>
  )
}
