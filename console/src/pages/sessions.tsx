/** All sessions of the server, live. */
import type { SessionDetails, SessionRow, SessionStatus } from "@headwater/sessions"
import { useSessionList, useSessionsClient } from "@headwater/sessions/react"
import { useVirtualizer } from "@tanstack/react-virtual"
import { useDeferredValue, useMemo, useRef, useState, type ReactNode } from "react"
import { usePolled } from "../client.ts"
import { count } from "../format.ts"
import { go, urlOf } from "../route.ts"
import { StatusPill } from "../session/status.tsx"
import { Dialog } from "../ui/dialog.tsx"
import { Icon } from "../ui/icon.tsx"
import { Ago, Avatar, Command, Empty, Link, messageOf, Tabs, useTitle } from "../ui/parts.tsx"
import { Found } from "./found.tsx"
import { select, type Filter } from "./select.ts"

const ROW_HEIGHT = 68
const DETAILS_EVERY_MS = 4_000

export function SessionsPage(): ReactNode {
  useTitle("Sessions")
  const { sessions, isLoading, connection } = useSessionList()
  const [filter, setFilter] = useState<Filter>("all")
  const [project, setProject] = useState("")
  const [text, setText] = useState("")
  const [creating, setCreating] = useState(false)
  const words = useDeferredValue(text)
  const shown = useMemo(() => select(sessions, filter, project, words), [sessions, filter, project, words])
  const projects = useMemo(() => [...new Set(sessions.map(({ projectId }) => projectId))].sort(), [sessions])
  return (
    <div className="page sessions">
      <div className="page-head">
        <div className="grow">
          <h1>Sessions</h1>
          <p className="muted small">Agents at work, live. Open one to watch, steer and replay it.</p>
        </div>
        <button type="button" className="button primary" onClick={() => setCreating(true)}><Icon name="plus" /> New session</button>
      </div>
      <div className="filters">
        <div className="search">
          <Icon name="search" />
          <input className="input" type="search" placeholder="Search titles, agents, and what was said" aria-label="Search sessions"
            value={text} onChange={(event) => setText(event.target.value)} />
        </div>
        {projects.length > 1 && (
          <select className="select" aria-label="Project" value={project} onChange={(event) => setProject(event.target.value)}>
            <option value="">All projects</option>
            {projects.map((id) => <option key={id}>{id}</option>)}
          </select>
        )}
      </div>
      <div className="card list">
        <Tabs label="Status" panel="session-list" current={filter} choose={setFilter} items={tabs(sessions)} />
        <div id="session-list" role="tabpanel" aria-label="Sessions">
          {connection.error && connection.status !== "connected" && (
            <p className="notice" role="status"><Icon name="alert" /> The list is not live: {connection.error.message}. Trying again.</p>
          )}
          {isLoading ? <Loading /> : shown.length > 0 ? <Rows sessions={shown} /> : <Nothing any={sessions.length > 0} words={words} reset={() => { setText(""); setFilter("all"); setProject("") }} create={() => setCreating(true)} />}
        </div>
      </div>
      {words.trim().length > 1 && <Found words={words.trim()} sessions={sessions} />}
      {creating && <NewSession close={() => setCreating(false)} />}
    </div>
  )
}

function tabs(sessions: readonly SessionRow[]): { id: Filter; label: string; count: number }[] {
  const of = (status: SessionStatus): number => sessions.filter((row) => row.status === status).length
  return [
    { id: "all", label: "All", count: sessions.length },
    { id: "active", label: "Active", count: of("active") },
    { id: "paused", label: "Paused", count: of("paused") },
    { id: "closed", label: "Closed", count: of("closed") },
  ]
}

function Rows({ sessions }: { sessions: readonly SessionRow[] }): ReactNode {
  const scroller = useRef<HTMLDivElement>(null)
  const list = useVirtualizer({
    count: sessions.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 6,
    getItemKey: (place) => sessions[place]?.id ?? place,
  })
  const items = list.getVirtualItems()
  const seen = items.map(({ index }) => sessions[index]).filter((row) => row !== undefined)
  const details = useDetails(seen)
  return (
    <div className="rows" ref={scroller} style={{ height: Math.min(sessions.length * ROW_HEIGHT, 12 * ROW_HEIGHT) }} tabIndex={0} role="region" aria-label="List of sessions">
      <ul style={{ height: list.getTotalSize(), position: "relative" }}>
        {items.map(({ index, key, start }) => {
          const row = sessions[index]
          return row && <li key={key} style={{ transform: `translateY(${start}px)` }}><Row row={row} details={details.get(row.id)} /></li>
        })}
      </ul>
    </div>
  )
}

/** The registry does not tell who is watching and when something happened last; each session does. */
function useDetails(rows: readonly SessionRow[]): ReadonlyMap<string, SessionDetails> {
  const { service } = useSessionsClient()
  const kept = useRef(new Map<string, SessionDetails>())
  const key = rows.map(({ id, updatedAt }) => `${id}:${updatedAt}`).join()
  const { value } = usePolled(async () => {
    const wanted = rows.filter((row) => row.status !== "closed" || !kept.current.has(row.id) || kept.current.get(row.id)?.status !== "closed")
    for (const { id } of wanted) {
      const before = kept.current.get(id)
      const found = await service.get(id).catch(() => before)
      if (found) kept.current.set(id, found)
    }
    return new Map(kept.current)
  }, DETAILS_EVERY_MS, key)
  return value ?? kept.current
}

function Row({ row, details }: { row: SessionRow; details: SessionDetails | undefined }): ReactNode {
  const people = details?.activeUsers ?? []
  return (
    <Link to={urlOf.session(row.id)} className="session-row">
      <StatusPill status={row.status} />
      <span className="grow">
        <span className="session-title clip">{row.title || "Untitled session"}</span>
        <span className="session-facts clip tiny muted">
          {row.projectId}
          {row.taskId && <> · {row.taskId}</>}
          {row.agentId && <> · {row.agentId}</>}
          {row.forkedFrom && <> · fork</>}
        </span>
      </span>
      {people.length > 0 && (
        <span className="viewers" title={people.map((person) => person.displayName ?? person.userId).join(", ")}>
          <span className="hidden-text">{people.length} watching</span>
          <span className="avatars" aria-hidden="true">
            {people.slice(0, 3).map((person) => <Avatar key={person.userId} name={person.displayName ?? person.userId} id={person.userId} />)}
          </span>
          {people.length > 3 && <span className="tiny muted">+{people.length - 3}</span>}
        </span>
      )}
      <span className="events tiny muted number">{details ? `${count(details.eventCount)} events` : ""}</span>
      <span className="when tiny muted"><Ago at={Math.max(row.updatedAt, row.closedAt ?? 0, lastMoment(details))} /></span>
      <Icon name="chevron" />
    </Link>
  )
}

/** While a session is active, its count of events changes: that is when it was last seen to. */
const counted = new Map<string, { events: number; at: number }>()

function lastMoment(details: SessionDetails | undefined): number {
  if (!details) return 0
  const known = counted.get(details.id)
  if (known?.events === details.eventCount) return known.at
  const at = known ? Date.now() : 0
  counted.set(details.id, { events: details.eventCount, at })
  return at
}

function Loading(): ReactNode {
  return (
    <div className="loading-rows" aria-busy="true">
      <span className="hidden-text" role="status">Loading sessions</span>
      {[0, 1, 2].map((row) => <div key={row} className="skeleton" />)}
    </div>
  )
}

function Nothing({ any, words, reset, create }: { any: boolean; words: string; reset: () => void; create: () => void }): ReactNode {
  if (any) {
    return (
      <Empty icon="search" title="No session fits">
        <p>{words ? <>None has “{words}” in its title, project or agent.</> : "None has this status."}</p>
        <button type="button" className="button" onClick={reset}>Show all</button>
      </Empty>
    )
  }
  return (
    <Empty icon="sessions" title="No sessions yet">
      <p>A session is the record of agents at work, for many people to follow. Start one from a terminal, watch the demo, or make an empty one here.</p>
      <Command text={`headwater demo --url ${location.origin}`} />
      <button type="button" className="button" onClick={create}>New session</button>
    </Empty>
  )
}

function NewSession({ close }: { close: () => void }): ReactNode {
  const { service } = useSessionsClient()
  const [title, setTitle] = useState("")
  const [projectId, setProjectId] = useState("")
  const [refused, setRefused] = useState("")
  const create = async (): Promise<void> => {
    try {
      const made = await service.create({ projectId: projectId.trim() || "default", ...(title.trim() && { title: title.trim() }) })
      go(urlOf.session(made.id))
    } catch (error) {
      setRefused(messageOf(error))
    }
  }
  return (
    <Dialog title="New session" close={close}>
      <label className="field">Title<input className="input" autoFocus value={title} maxLength={200} placeholder="Fix the build" onChange={(event) => setTitle(event.target.value)} /></label>
      <label className="field">Project<input className="input" value={projectId} maxLength={128} placeholder="default" onChange={(event) => setProjectId(event.target.value)} /></label>
      {refused && <p className="notice bad" role="alert">{refused}</p>}
      <div className="row">
        <button type="button" className="button primary" onClick={() => void create()}>Create</button>
        <button type="button" className="button" onClick={close}>Cancel</button>
      </div>
    </Dialog>
  )
}
