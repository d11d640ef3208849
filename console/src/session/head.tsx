/** What the session is, who is there, how the connection does, and what can be done with it. */
import type { ExportFormat, SessionDetails, ShareLink } from "@headwater/sessions"
import { useConnection, useSessionsClient } from "@headwater/sessions/react"
import { useEffect, useState, type ReactNode } from "react"
import { go, urlOf } from "../route.ts"
import { Dialog } from "../ui/dialog.tsx"
import { Icon } from "../ui/icon.tsx"
import { Copy, Link, Menu, messageOf, Pill, useNow } from "../ui/parts.tsx"
import { shortOffset } from "../format.ts"
import { People } from "./people.tsx"
import { connectionWord, StatusPill } from "./status.tsx"

export function Head({ id, details, changed }: { id: string; details: SessionDetails | undefined; changed: () => void }): ReactNode {
  return (
    <header className="session-head">
      <Link to={urlOf.sessions()} className="button quiet icon back"><Icon name="back" size={18} /><span className="hidden-text">All sessions</span></Link>
      <div className="grow session-name">
        {details ? (
          <>
            <div className="row"><h1 className="clip">{details.title || "Untitled session"}</h1><StatusPill status={details.status} /></div>
            <p className="tiny muted clip">
              {details.projectId}{details.taskId && <> · {details.taskId}</>}
              {details.forkedFrom && <> · fork of <Link to={urlOf.session(details.forkedFrom.sessionId)}>{details.forkedFrom.sessionId.slice(0, 8)}…</Link></>}
            </p>
          </>
        ) : <><h1 className="hidden-text">Session</h1><div className="skeleton title-skeleton" /></>}
      </div>
      <People />
      <Connection />
      <div className="row actions">
        <Share id={id} />
        <Exports id={id} />
        <Actions id={id} details={details} changed={changed} />
      </div>
    </header>
  )
}

function Connection(): ReactNode {
  const { status, attempt, nextRetryAt, offset, error, reconnect } = useConnection()
  const now = useNow()
  const { mood, word } = connectionWord(status)
  const isBroken = status === "reconnecting" || status === "disconnected"
  const wait = nextRetryAt === null ? "" : ` in ${Math.max(0, Math.ceil((nextRetryAt - now) / 1000))} s`
  const told = `${word}. ${error && isBroken ? `${error.message}. ` : ""}Read up to offset ${offset ?? "none"}`
  return (
    <div className="row connection" role="status" aria-label={`Connection: ${word}`}>
      <Pill mood={mood} pulse={status === "connected" || status === "connecting"} title={told}>
        {word}{isBroken && attempt > 0 && `, attempt ${attempt}${wait}`}
      </Pill>
      {isBroken ? <button type="button" className="button quiet" onClick={reconnect}>Try now</button> : offset !== null && <span className="tiny muted mono offset" title={`Offset ${offset}`}>@{shortOffset(offset)}</span>}
    </div>
  )
}

function Share({ id }: { id: string }): ReactNode {
  const { service } = useSessionsClient()
  const [open, setOpen] = useState(false)
  const [links, setLinks] = useState<ShareLink>()
  useEffect(() => {
    // Without an answer the page's own address is shared.
    if (open) void service.share(id).then(setLinks, () => undefined)
  }, [open, service, id])
  const page = location.origin + urlOf.session(id)
  return (
    <>
      <button type="button" className="button" onClick={() => setOpen(true)}><Icon name="share" /> Share</button>
      {open && (
        <Dialog title="Share this session" close={() => setOpen(false)}>
          <p className="small muted">Whoever can reach this server can follow the session, and steer it.</p>
          <LinkLine label="For people" url={links?.url ?? page} />
          {links && <LinkLine label="As server-sent events" url={links.eventsUrl} />}
          {links && <LinkLine label="As a stream" url={links.streamUrl} />}
          <LinkLine label="In a terminal" url={`headwater session watch ${id}`} />
          <div className="row"><button type="button" className="button" onClick={() => setOpen(false)}>Done</button></div>
        </Dialog>
      )}
    </>
  )
}

function LinkLine({ label, url }: { label: string; url: string }): ReactNode {
  return <div className="stack-1"><span className="small">{label}</span><div className="command"><code tabIndex={0} role="region" aria-label={label}>{url}</code><Copy text={url} label={`Copy: ${label.toLowerCase()}`} /></div></div>
}

const FORMATS: readonly { format: ExportFormat; name: string; note: string }[] = [
  { format: "markdown", name: "Markdown", note: "A transcript to read" },
  { format: "json", name: "JSON", note: "Everything, one document" },
  { format: "ndjson", name: "NDJSON", note: "One event per line" },
  { format: "csv", name: "CSV", note: "For spreadsheets" },
  { format: "asciicast", name: "asciicast", note: "The terminal, for asciinema" },
]

function Exports({ id }: { id: string }): ReactNode {
  const { service } = useSessionsClient()
  return (
    <Menu label="Export" icon="export">
      {FORMATS.map(({ format, name, note }) => (
        <a key={format} href={service.exportUrl(id, format)} download><span>{name}</span><span className="tiny muted">{note}</span></a>
      ))}
    </Menu>
  )
}

type Asked = "close" | "delete"

function Actions({ id, details, changed }: { id: string; details: SessionDetails | undefined; changed: () => void }): ReactNode {
  const { service } = useSessionsClient()
  const [asked, setAsked] = useState<Asked>()
  const [refused, setRefused] = useState("")
  const run = async (act: () => Promise<unknown>, after = changed): Promise<void> => {
    setRefused("")
    try {
      await act()
      setAsked(undefined)
      after()
    } catch (error) {
      setRefused(messageOf(error))
    }
  }
  const status = details?.status
  return (
    <>
      <Menu label="More">
        {status === "active" && <button type="button" onClick={() => void run(() => service.pause(id))}>Pause</button>}
        {status === "paused" && <button type="button" onClick={() => void run(() => service.resume(id))}>Resume</button>}
        {status !== "closed" && <button type="button" onClick={() => setAsked("close")}>End the session…</button>}
        <button type="button" onClick={() => setAsked("delete")}>Delete…</button>
      </Menu>
      {asked && (
        <Dialog title={asked === "close" ? "End this session?" : "Delete this session?"} close={() => setAsked(undefined)}>
          <p className="small">{asked === "close" ? "It takes no more events, for good. What happened stays and can be read, replayed and forked." : "Its events and its streams go for good. Forks keep what they share."}</p>
          {refused && <p className="notice bad" role="alert">{refused}</p>}
          <div className="row">
            <button type="button" className="button danger" onClick={() => void (asked === "close" ? run(() => service.close(id)) : run(() => service.delete(id), () => go(urlOf.sessions())))}>{asked === "close" ? "End it" : "Delete it"}</button>
            <button type="button" className="button" onClick={() => setAsked(undefined)}>Cancel</button>
          </div>
        </Dialog>
      )}
    </>
  )
}
