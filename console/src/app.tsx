/** The frame: where one is, where one can go, and who one is. */
import { createSessions } from "@headwater/sessions"
import { SessionProvider } from "@headwater/sessions/react"
import { lazy, Suspense, useEffect, useMemo, useRef, useState, type ReactNode } from "react"
import { facts } from "./facts.ts"
import { rename, setTheme, useMe, useTheme, type Theme } from "./preferences.ts"
import { parseRoute, urlOf, useUrl, type Route } from "./route.ts"
import { SessionsPage } from "./pages/sessions.tsx"
import { Dialog } from "./ui/dialog.tsx"
import { Icon, Mark, type IconName } from "./ui/icon.tsx"
import { Avatar, Empty, Link } from "./ui/parts.tsx"
import { SessionPage } from "./pages/session.tsx"

const StreamsPage = lazy(() => import("./pages/streams.tsx"))
const HealthPage = lazy(() => import("./pages/health.tsx"))

export function App(): ReactNode {
  const [sessions] = useState(() => createSessions({ streamRoot: facts.streamRoot, live: "sse" }))
  const me = useMe()
  const url = useUrl()
  const route = useMemo(() => {
    const { pathname, search } = new URL(url, location.origin)
    return parseRoute(pathname, search)
  }, [url])
  return (
    <SessionProvider sessions={sessions} user={me}>
      <div className="shell">
        <a className="skip" href="#main">Skip to content</a>
        <Bar route={route} />
        <Main route={route} />
      </div>
    </SessionProvider>
  )
}

function Main({ route }: { route: Route }): ReactNode {
  const main = useRef<HTMLElement>(null)
  const first = useRef(true)
  const place = route.page === "session" ? route.id : route.page
  // Who uses a screen reader is told that the page has changed.
  useEffect(() => {
    if (first.current) first.current = false
    else main.current?.focus({ preventScroll: true })
  }, [place])
  return (
    <main id="main" ref={main} tabIndex={-1}>
      <Suspense fallback={null}><Page route={route} /></Suspense>
    </main>
  )
}

function Page({ route }: { route: Route }): ReactNode {
  if ((route.page === "sessions" || route.page === "session") && !facts.sessions) {
    return (
      <Empty whole icon="sessions" title="Sessions are switched off">
        <p>This server was started with <code>--sessions off</code>. Its streams are still here.</p>
        <Link className="button primary" to={urlOf.streams()}>Browse streams</Link>
      </Empty>
    )
  }
  switch (route.page) {
    case "sessions":
      return <SessionsPage />
    case "session":
      return <SessionProvider key={route.id} sessionId={route.id}><SessionPage id={route.id} tab={route.tab} /></SessionProvider>
    case "streams":
      return <StreamsPage path={route.path} />
    case "health":
      return <HealthPage />
    case "unknown":
      return (
        <Empty whole icon="search" title="There is no such page">
          <p>The address may be mistyped, or belong to another version of the console.</p>
          <Link className="button primary" to={urlOf.sessions()}>All sessions</Link>
        </Empty>
      )
  }
}

const PLACES: readonly { label: string; icon: IconName; to: string; pages: readonly Route["page"][] }[] = [
  { label: "Sessions", icon: "sessions", to: urlOf.sessions(), pages: ["sessions", "session"] },
  { label: "Streams", icon: "streams", to: urlOf.streams(), pages: ["streams"] },
  { label: "Health", icon: "health", to: urlOf.health(), pages: ["health"] },
]

function Bar({ route }: { route: Route }): ReactNode {
  return (
    <header className="bar">
      <Link to={urlOf.sessions()} className="brand">
        <Mark />
        <span>Headwater</span>
      </Link>
      <nav aria-label="Pages">
        {PLACES.map(({ label, icon, to, pages }) => (
          <Link key={label} to={to} className="place" current={pages.includes(route.page)}>
            <Icon name={icon} />
            <span>{label}</span>
          </Link>
        ))}
      </nav>
      <div className="grow" />
      <ThemeSwitch />
      <Myself />
    </header>
  )
}

const THEMES: readonly { theme: Theme; icon: IconName; label: string }[] = [
  { theme: "system", icon: "screen", label: "Theme of the system" },
  { theme: "light", icon: "sun", label: "Light theme" },
  { theme: "dark", icon: "moon", label: "Dark theme" },
]

function ThemeSwitch(): ReactNode {
  const current = useTheme()
  const place = THEMES.findIndex(({ theme }) => theme === current)
  const shown = THEMES[place] ?? THEMES[0]!
  const next = THEMES[(place + 1) % THEMES.length]!
  return (
    <button type="button" className="button quiet icon" title={`${shown.label}; click for: ${next.label.toLowerCase()}`}
      aria-label={`${shown.label}. Change to ${next.label.toLowerCase()}`} onClick={() => setTheme(next.theme)}>
      <Icon name={shown.icon} size={18} />
    </button>
  )
}

function Myself(): ReactNode {
  const { userId, displayName } = useMe()
  const [editing, setEditing] = useState(false)
  const [name, setName] = useState(displayName)
  const save = (): void => {
    if (name.trim() !== "") rename(name.trim())
    setEditing(false)
  }
  return (
    <>
      <button type="button" className="button quiet me" onClick={() => { setName(displayName); setEditing(true) }} title="This is how others see you. Click to change it">
        <span className="hidden-text">You are </span>
        <Avatar name={displayName} id={userId} />
        <span className="clip">{displayName}</span>
      </button>
      {editing && (
        <Dialog title="Your name" close={() => setEditing(false)}>
          <p className="small muted">Others see it in the sessions you look at, and on what you decide. There are no accounts: it stays in this browser.</p>
          <label className="field">
            Name
            <input className="input" value={name} maxLength={80} autoFocus onChange={(event) => setName(event.target.value)}
              onKeyDown={(event) => event.key === "Enter" && save()} />
          </label>
          <div className="row">
            <button type="button" className="button primary" onClick={save}>Save</button>
            <button type="button" className="button" onClick={() => setEditing(false)}>Cancel</button>
          </div>
        </Dialog>
      )}
    </>
  )
}
