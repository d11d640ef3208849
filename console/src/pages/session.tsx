/** One session: what is said on the left, what is done on the right, when below. */
import { useConnection, useConnectedSession, useReadable, useSessionsClient } from "@headwater/sessions/react"
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from "react"
import { usePolled } from "../client.ts"
import { useEventLog, useReplay, type Replay } from "../replay/use-replay.ts"
import { go, urlOf } from "../route.ts"
import { Agents } from "../session/agents.tsx"
import { Head } from "../session/head.tsx"
import { InputLine } from "../session/input-line.tsx"
import { Cursors } from "../session/people.tsx"
import { ApprovalsPanel, ToolsPanel, useWaiting } from "../session/side-panels.tsx"
import { Timeline } from "../session/timeline.tsx"
import { Transcript } from "../session/transcript-view.tsx"
import { Replayed, useRowsOf } from "../session/view.ts"
import { Icon } from "../ui/icon.tsx"
import { Empty, Link, Tabs, useTitle, type TabItem } from "../ui/parts.tsx"

const TerminalPanel = lazy(() => import("../session/terminal.tsx"))
const EventsPanel = lazy(() => import("../session/events.tsx"))

const DETAILS_EVERY_MS = 15_000
type Tab = "transcript" | "terminal" | "tools" | "approvals" | "events"
const TABS: readonly Tab[] = ["transcript", "terminal", "tools", "approvals", "events"]

export function SessionPage({ id, tab }: { id: string; tab: string | null }): ReactNode {
  const { service } = useSessionsClient()
  const session = useConnectedSession()
  const { status, error } = useConnection()
  const loaded = useReadable(session.loaded)
  const { value: details, refresh } = usePolled(() => service.get(id), DETAILS_EVERY_MS, `${id} ${status === "closed"}`)
  useTitle(details?.title || "Session")
  const replay = useReplay(useEventLog())
  const area = useRef<HTMLDivElement>(null)
  const isClosed = status === "closed" || details?.status === "closed"
  if (!loaded && !details && error) return <Missing code={error.code} message={error.message} />
  const shown = TABS.includes(tab as Tab) ? (tab as Tab) : "transcript"
  return (
    <Replayed value={replay.view}>
      <div className="session" data-tab={shown}>
        <Head id={id} details={details} changed={refresh} />
        {replay.view && (
          <p className="notice replaying" role="status"><Icon name="play" size={14} /> You are looking at the past. The session goes on meanwhile. <button type="button" className="button quiet" onClick={replay.goLive}>Back to live</button></p>
        )}
        <div className="agents-row"><Agents /></div>
        <div className="workspace" ref={area}>
          <section className="said" aria-label="What is said">
            {loaded || replay.view ? <Transcript id={id} closed={isClosed} /> : <Loading />}
            <InputLine label="Say something to the agents" look="composer" disabled={whyNot(isClosed, replay)} />
          </section>
          <Side id={id} tab={shown} replay={replay} isClosed={isClosed} />
          {!isClosed && <Cursors area={area} />}
        </div>
        <Timeline id={id} replay={replay} />
      </div>
    </Replayed>
  )
}

function whyNot(isClosed: boolean, replay: Replay): string | undefined {
  if (isClosed) return "The session has ended: it takes no more input"
  return replay.view ? "Go back to live to write" : undefined
}

function Side({ id, tab, replay, isClosed }: { id: string; tab: Tab; replay: Replay; isClosed: boolean }): ReactNode {
  const waiting = useWaiting()
  const calls = useRowsOf("toolCalls").length
  const isNarrow = useNarrow()
  const items: TabItem<Tab>[] = [
    { id: "terminal", label: "Terminal" },
    { id: "tools", label: "Tools", count: calls },
    { id: "approvals", label: "Approvals", count: waiting },
    { id: "events", label: "Events" },
  ]
  const current = tab === "transcript" && !isNarrow ? "terminal" : tab
  return (
    <section className="side" aria-label="What is done">
      <Tabs label="Panels" panel="side-panel" current={current} items={isNarrow ? [{ id: "transcript", label: "Transcript" }, ...items] : items} choose={(next) => go(`${urlOf.session(id)}?tab=${next}`, "replace")} />
      <div id="side-panel" role="tabpanel" aria-label={current} className="side-panel">
        <Suspense fallback={null}>
          {current === "terminal" && <TerminalPanel disabled={whyNot(isClosed, replay)} />}
          {current === "tools" && <ToolsPanel />}
          {current === "approvals" && <ApprovalsPanel closed={isClosed} />}
          {current === "events" && <EventsPanel log={replay.log} seek={(count) => { replay.pause(); replay.seek(count) }} />}
        </Suspense>
      </div>
    </section>
  )
}

function useNarrow(): boolean {
  const [query] = useState(() => matchMedia("(max-width: 900px)"))
  const [isNarrow, setNarrow] = useState(query.matches)
  useEffect(() => {
    const change = (): void => setNarrow(query.matches)
    query.addEventListener("change", change)
    return () => query.removeEventListener("change", change)
  }, [query])
  return isNarrow
}

function Loading(): ReactNode {
  return (
    <div className="transcript-frame loading-transcript" aria-busy="true">
      <span className="hidden-text" role="status">Loading the session</span>
      {[72, 54, 88].map((width) => <div key={width} className="skeleton" style={{ width: `${width}%` }} />)}
    </div>
  )
}

function Missing({ code, message }: { code: string; message: string }): ReactNode {
  const isUnknown = code === "SESSION_NOT_FOUND"
  return (
    <Empty whole icon={isUnknown ? "search" : "alert"} title={isUnknown ? "There is no such session" : "The session cannot be read"}>
      <p role="alert">{isUnknown ? "It may have been deleted, or is about to begin: this page opens it when it does." : message}</p>
      <Link className="button primary" to={urlOf.sessions()}>All sessions</Link>
    </Empty>
  )
}
