/** App: which page is shown, and the frame around it. */
import { useAddress } from './address.tsx'
import { DashboardPage, DashboardsPage } from './dashboard-page.tsx'
import { Frame } from './frame.tsx'
import { HomePage } from './home-page.tsx'
import { LoginPage } from './login-page.tsx'
import { MailboxPage } from './mailbox-page.tsx'
import { RulePage } from './rule-page.tsx'
import { RulesPage } from './rules-page.tsx'
import { SilencesPage } from './silences-page.tsx'
import { useStreamOf, watchOver } from './stream.ts'
import { UndeliveredPage } from './undelivered-page.tsx'

watchOver()

export function App() {
  const { segments } = useAddress()
  return segments[0] === 'login' ? <LoginPage /> : <Console segments={segments} />
}

function Console({ segments }: { segments: readonly string[] }) {
  const [section = '', name] = segments
  useStreamOf(streamQuery(section, name))
  return (
    <Frame section={section} name={name}>
      <Page section={section} name={name} />
    </Frame>
  )
}

function Page({ section, name }: { section: string; name: string | undefined }) {
  if (section === 'rules') return name === undefined ? <RulesPage /> : <RulePage key={name} name={name} />
  if (section === 'dashboards') {
    return name === undefined ? <DashboardsPage /> : <DashboardPage key={name} name={name} />
  }
  if (section === 'silences') return <SilencesPage />
  if (section === 'undelivered') return <UndeliveredPage />
  return section === 'mailbox' ? <MailboxPage /> : <HomePage />
}

function streamQuery(section: string, name: string | undefined): string {
  if (name === undefined) return ''
  if (section === 'rules') return `rule=${encodeURIComponent(name)}`
  return section === 'dashboards' ? `dashboard=${encodeURIComponent(name)}` : ''
}
