/** All sessions of the server, live. */
import type { SessionDetails, SessionRow, SessionStatus } from "@headwater/sessions"
import { useSessionList, useSessionsClient } from "@headwater/sessions/react"
import { useVirtualizer } from "@tanstack/react-virtual"
import { useDeferredValue, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react"
import { usePolled } from "../client.ts"
import { count } from "../format.ts"
import { go, urlOf, useQuery } from "../route.ts"
import { StatusPill } from "../session/status.tsx"
import { Dialog } from "../ui/dialog.tsx"
import { Icon } from "../ui/icon.tsx"
import { Ago, Avatar, Command, Empty, Link, messageOf, Tabs, useTitle } from "../ui/parts.tsx"
import { Found } from "./found.tsx"
import { doing, select, SINCE, sinceMs, statusOf, type Filter } from "./select.ts"

const ROW_HEIGHT = 68
const DETAILS_EVERY_MS = 4_000

export function SessionsPage(): ReactNode {
  useTitle("Sessions")
  const { sessions, isLoading, connection } = useSessionList()
  const [status, setStatus] = useQuery("status")
  const [project, setProject] = useQuery("project")
  const [agent, setAgent] = useQuery("agent")
  const [since, setSince] = useQuery("since")
  const [text, setText] = useQuery("search")
  const [creating, setCreating] = useState(false)
  const words = useDeferredValue(text)
  const filter = statusOf(status)
  // By the minute: a list that changes each second cannot be read.
  const minute = Math.floor(Date.now() / 60_000) * 60_000
  const chosen = useMemo(() => select(sessions, { status: "all", project, agent, since: sinceMs(since, minute), text: words }), [sessions, project, agent, since, minute, words])
  const shown = useMemo(() => chosen.filter((row) => filter === "all" || row.status === filter), [chosen, filter])
  const reset = (): void => go(urlOf.sessions(), "replace")
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
        <Choice label="Project" all="All projects" value={project} choose={setProject} of={sessions.map(({ projectId }) => projectId)} />
        <Choice label="Agent" all="All agents" value={agent} choose={setAgent} of={sessions.map(({ agentId }) => agentId)} />
        <select className="select" aria-label="Created" value={since} onChange={(event) => setSince(event.target.value)}>
          <option value="">Any time</option>
          {Object.entries(SINCE).map(([name, { label }]) => <option key={name} value={name}>{label}</option>)}
        </select>
      </div>
      <div className="card list">
        <Tabs label="Status" panel="session-list" current={filter} choose={(next) => setStatus(next === "all" ? "" : next)} items={tabs(chosen)} />
        <div id="session-list" role="tabpanel" aria-label="Sessions">
          {connection.error && connection.status !== "connected" && (
            <p className="notice" role="status"><Icon name="alert" /> The list is not live: {connection.error.message}. Trying again.</p>
          )}
          {isLoading ? <Loading /> : shown.length > 0 ? <Rows sessions={shown} /> : <Nothing any={sessions.length > 0} words={words} reset={reset} create={() => setCreating(true)} />}
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

/** One of the values that there are; nothing while there is no choice. */
function Choice({ label, all, value, choose, of }: { label: string; all: string; value: string; choose: (value: string) => void; of: readonly (string | null | undefined)[] }): ReactNode {
  const values = [...new Set(of.filter((each) => each !== null && each !== undefined && each !== ""))].sort()
  if (values.length < 2 && value === "") return null
  return (
    <select className="select" aria-label={label} value={value} onChange={(event) => choose(event.target.value)}>
      <option value="">{all}</option>
      {values.map((each) => <option key={each}>{each}</option>)}
    </select>
  )
}

/** The page itself scrolls: only the rows that are seen are there. */
function Rows({ sessions }: { sessions: readonly SessionRow[] }): ReactNode {
  const top = useRef<HTMLUListElement>(null)
  const [margin, setMargin] = useState(0)
  const scroller = (): HTMLElement | null => document.getElementById("main")
  useLayoutEffect(() => {
    const main = scroller()
    if (top.current && main) setMargin(top.current.getBoundingClientRect().top - main.getBoundingClientRect().top + main.scrollTop)
  }, [sessions.length])
  const list = useVirtualizer({
    count: sessions.length,
    getScrollElement: scroller,
    estimateSize: () => ROW_HEIGHT,
    overscan: 6,
    scrollMargin: margin,
    getItemKey: (place) => sessions[place]?.id ?? place,
  })
  const items = list.getVirtualItems()
  const seen = items.map(({ index }) => sessions[index]).filter((row) => row !== undefined)
  const details = useDetails(seen)
  return (
    <ul className="rows" ref={top} aria-label="List of sessions" style={{ height: list.getTotalSize() }}>
      {items.map(({ index, key, start }) => {
        const row = sessions[index]
        return row && <li key={key} style={{ transform: `translateY(${start - margin}px)` }}><Row row={row} details={details.get(row.id)} /></li>
      })}
    </ul>
  )
}

/** The registry does not tell who is at work and when something happened last; each session does. */
function useDetails(rows: readonly SessionRow[]): ReadonlyMap<string, SessionDetails> {
  const { service } = useSessionsClient()
  const kept = useRef(new Map<string, SessionDetails>())
  const key = rows.map(({ id, updatedAt }) => `${id}:${updatedAt}`).join()
  const { value } = usePolled(async () => {
    const wanted = rows.filter((row) => row.status !== "closed" || kept.current.get(row.id)?.status !== "closed")
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
  const now = row.status === "closed" ? undefined : doing(details?.agents ?? [])
  const facts = [row.projectId, row.taskId, row.forkedFrom ? "fork" : undefined, now ?? row.agentId]
  return (
    <Link to={urlOf.session(row.id)} className="session-row">
      <StatusPill status={row.status} />
      <span className="grow">
        <span className="session-title clip">{row.title || "Untitled session"}</span>
        <span className="session-facts clip tiny muted">{facts.filter((fact) => fact !== undefined && fact !== null).join(" · ")}</span>
      </span>
      <Faces kind="agent" told="at work" names={(details?.agents ?? []).map(({ agentId }) => ({ id: agentId, name: agentId }))} />
      <Faces kind="person" told="watching" names={people.map((person) => ({ id: person.userId, name: person.displayName ?? person.userId }))} />
      <span className="events tiny muted number">{details ? `${count(details.eventCount)} ${details.eventCount === 1 ? "event" : "events"}` : ""}</span>
      <span className="when tiny muted"><Ago at={Math.max(row.updatedAt, details?.lastEventAt ?? 0)} /></span>
      <Icon name="chevron" />
    </Link>
  )
}

function Faces({ kind, told, names }: { kind: "person" | "agent"; told: string; names: readonly { id: string; name: string }[] }): ReactNode {
  if (names.length === 0) return null
  return (
    <span className="viewers" title={`${names.map(({ name }) => name).join(", ")} ${told}`}>
      <span className="hidden-text">{names.length} {told}</span>
      <span className="avatars" aria-hidden="true">{names.slice(0, 3).map(({ id, name }) => <Avatar key={id} name={name} id={id} kind={kind} />)}</span>
      {names.length > 3 && <span className="tiny muted">+{names.length - 3}</span>}
    </span>
  )
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
        <p>{words ? <>None has “{words}” in its title, project or agent.</> : "None is as the filters above say."}</p>
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
