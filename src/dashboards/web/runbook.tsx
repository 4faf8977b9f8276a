/** Where a rule's runbook is: a link where it is an address of the web or a document that the console serves, else the place as written. */
import type { ComponentChildren } from 'preact'
import { runbookPath } from '../../model/runbook.ts'

export function Runbook({ place, children }: { place: string; children?: ComponentChildren }) {
  const address = /^https?:\/\//.test(place) ? place : runbookPath(place)
  if (address === undefined) return <span>{place}</span>
  return (
    <a href={address} rel="noreferrer noopener">
      {children ?? place}
    </a>
  )
}
