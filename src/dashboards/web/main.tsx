/** The browser part of the console: draws what the API and its stream say, and says so when they stop saying it. */
import { render } from 'preact'
import { App } from './app.tsx'

render(<App />, document.getElementById('app') as HTMLElement)
