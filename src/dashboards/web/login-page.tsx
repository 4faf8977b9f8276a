/** Login page: a token, once. Whoever is logged in already goes on at once, as after a link in a mail. */
import { useEffect, useState } from 'preact/hooks'
import { useAddress } from './address.tsx'
import { Field } from './dialog.tsx'
import { Bell } from './frame.tsx'
import { learnSession, logIn, nextPage, useSession } from './session.ts'

export function LoginPage() {
  const session = useSession()
  const { query } = useAddress()
  const [refused, setRefused] = useState<string | undefined>(undefined)
  const [isBusy, setBusy] = useState(false)
  const isOver = session !== undefined && (session.name !== undefined || !session.hasTokens)
  useEffect(() => void learnSession(), [])
  useEffect(() => {
    document.title = 'Log in · Tocsin'
    if (isOver) location.replace(nextPage(query.get('next'), location.origin))
  }, [isOver])
  const submit = async (event: Event) => {
    event.preventDefault()
    setBusy(true)
    const done = await logIn(String(new FormData(event.currentTarget as HTMLFormElement).get('token') ?? ''))
    setBusy(false)
    if (!done.ok) setRefused(done.message)
  }
  return (
    <main id="main" class="login">
      <h1>
        <Bell /> Tocsin
      </h1>
      <form class="command" onSubmit={submit}>
        <Field label="Your token">
          <input name="token" type="password" autocomplete="current-password" required />
        </Field>
        {refused && (
          <p class="refused" role="alert">
            {refused}
          </p>
        )}
        <button type="submit" class="main" disabled={isBusy}>
          Log in
        </button>
      </form>
      <p class="hides">It stands under dashboards.tokens in the configuration; whoever keeps that can give you one.</p>
    </main>
  )
}
