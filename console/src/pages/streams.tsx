/** Plain streams: which there are on the left, the chosen one on the right. */
import { useVirtualizer } from "@tanstack/react-virtual"
import { useDeferredValue, useRef, useState, type ReactNode } from "react"
import { usePolled } from "../client.ts"
import { facts } from "../facts.ts"
import { shortOffset } from "../format.ts"
import { go, urlOf } from "../route.ts"
import { createStream, listStreams, type StreamRow } from "../streams/client.ts"
import { StreamView } from "../streams/stream-view.tsx"
import { Dialog } from "../ui/dialog.tsx"
import { Icon } from "../ui/icon.tsx"
import { Command, Empty, Link, messageOf, useTitle } from "../ui/parts.tsx"

const EVERY_MS = 3_000
const ROW_HEIGHT = 52
const PAGES_MAX = 50

export default function StreamsPage({ path }: { path: string | null }): ReactNode {
  useTitle(path ?? "Streams")
  const [prefix, setPrefix] = useState("")
  const [creating, setCreating] = useState(false)
  const [pages, setPages] = useState(1)
  const wanted = useDeferredValue(prefix)
  const { value, error, refresh } = usePolled((signal) => readPages(wanted, pages, signal), EVERY_MS, `${wanted} ${pages}`)
  return (
    <div className="streams" data-chosen={path !== null}>
      <section className="stream-list" aria-label="Streams">
        <div className="stream-tools">
          <div className="row"><h1 className="grow">Streams</h1><button type="button" className="button primary" onClick={() => setCreating(true)}><Icon name="plus" /> New</button></div>
          <div className="search"><Icon name="search" /><input className="input" type="search" placeholder="Paths that begin with…" aria-label="Prefix of paths" value={prefix} onChange={(event) => { setPrefix(event.target.value); setPages(1) }} /></div>
        </div>
        {!facts.listing ? <Empty icon="search" title="This server lists no streams"><p>It runs with <code>--listing off</code>. Who knows a path can open it.</p><Open /></Empty>
          : error && !value ? <Empty icon="alert" title="The streams cannot be listed"><p role="alert">{error.message}</p><button type="button" className="button" onClick={refresh}>Try again</button></Empty>
          : !value ? <div className="loading-rows" aria-busy="true">{[0, 1, 2, 3].map((row) => <div key={row} className="skeleton" />)}</div>
          : value.streams.length === 0 ? <Empty icon="streams" title={wanted ? "No path begins so" : "No streams yet"}>{!wanted && <Command text={`curl -X PUT -H 'Content-Type: text/plain' -d hello ${location.origin}${facts.streamRoot}/hello`} />}</Empty>
          : <Rows streams={value.streams} chosen={path} />}
        {value?.more && <button type="button" className="button more" disabled={pages >= PAGES_MAX} onClick={() => setPages(pages + 1)}>Show more</button>}
      </section>
      {path === null
        ? <div className="stream-view"><Empty icon="streams" title="Choose a stream"><p>Look at what is in it and follow it live; append to it, fork it, or delete it.</p></Empty></div>
        : <StreamView key={path} path={path} changed={refresh} />}
      {creating && <NewStream close={() => setCreating(false)} made={refresh} />}
    </div>
  )
}

async function readPages(prefix: string, pages: number, signal: AbortSignal): Promise<{ streams: StreamRow[]; more: boolean }> {
  const streams: StreamRow[] = []
  let cursor: string | null = null
  for (let page = 0; page < pages; page += 1) {
    const found = await listStreams(prefix, cursor, signal)
    streams.push(...found.streams)
    cursor = found.nextCursor
    if (cursor === null) break
  }
  return { streams, more: cursor !== null }
}

function Rows({ streams, chosen }: { streams: readonly StreamRow[]; chosen: string | null }): ReactNode {
  const scroller = useRef<HTMLDivElement>(null)
  const list = useVirtualizer({ count: streams.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_HEIGHT, overscan: 8 })
  return (
    <div className="stream-rows" ref={scroller} tabIndex={0} role="region" aria-label="List of streams">
      <ul style={{ height: list.getTotalSize(), position: "relative" }}>
        {list.getVirtualItems().map(({ index, key, start }) => {
          const row = streams[index]
          return row && (
            <li key={key} style={{ transform: `translateY(${start}px)` }}>
              <Link to={urlOf.streams(row.path)} className="stream-row" current={row.path === chosen}>
                <span className="clip mono">{row.path}</span>
                <span className="clip tiny muted">{row.contentType} · @{shortOffset(row.tail)}{row.closed && " · closed"}</span>
              </Link>
            </li>
          )
        })}
      </ul>
    </div>
  )
}

function Open(): ReactNode {
  const [path, setPath] = useState("")
  return <input className="input" aria-label="Path of a stream" placeholder="chat/42" value={path} onChange={(event) => setPath(event.target.value)} onKeyDown={(event) => event.key === "Enter" && path && go(urlOf.streams(path))} />
}

const TYPES = ["text/plain", "application/json", "application/octet-stream"]

function NewStream({ close, made }: { close: () => void; made: () => void }): ReactNode {
  const [path, setPath] = useState("")
  const [type, setType] = useState(TYPES[0] ?? "")
  const [refused, setRefused] = useState("")
  const create = async (): Promise<void> => {
    try {
      await createStream(path.trim(), type)
      made()
      close()
      go(urlOf.streams(path.trim()))
    } catch (error) {
      setRefused(messageOf(error))
    }
  }
  return (
    <Dialog title="New stream" close={close}>
      <label className="field">Path<input className="input mono" autoFocus value={path} placeholder="chat/42" onChange={(event) => setPath(event.target.value)} onKeyDown={(event) => event.key === "Enter" && path.trim() && void create()} /></label>
      <label className="field">Content type<select className="select" value={type} onChange={(event) => setType(event.target.value)}>{TYPES.map((name) => <option key={name}>{name}</option>)}</select></label>
      {refused && <p className="notice bad" role="alert">{refused}</p>}
      <div className="row"><button type="button" className="button primary" disabled={path.trim() === ""} onClick={() => void create()}>Create</button><button type="button" className="button" onClick={close}>Cancel</button></div>
    </Dialog>
  )
}
