/** One stream: its content, followed, and what can be done with it. */
import { useVirtualizer } from "@tanstack/react-virtual"
import { useLayoutEffect, useRef, useState, type ReactNode } from "react"
import { usePolled } from "../client.ts"
import { bytes, count, shortOffset } from "../format.ts"
import { go, urlOf } from "../route.ts"
import { Dialog } from "../ui/dialog.tsx"
import { Icon } from "../ui/icon.tsx"
import { Copy, Empty, Link, messageOf, Pill } from "../ui/parts.tsx"
import { appendTo, closeStream, deleteStream, forkStream, headOf, isKept, Refused, streamUrl } from "./client.ts"
import { useFollowed, type Followed, type Piece } from "./follow.ts"

const HEAD_EVERY_MS = 5_000
const NEAR_END_PX = 60

export function StreamView({ path, changed }: { path: string; changed: () => void }): ReactNode {
  const { value: head, error, refresh } = usePolled((signal) => headOf(path, signal), HEAD_EVERY_MS, path)
  if (error instanceof Refused && (error.status === 404 || error.status === 410)) {
    return <div className="stream-view"><Empty icon="search" title="There is no such stream"><p className="mono">{path}</p><Link className="button" to={urlOf.streams()}>All streams</Link></Empty></div>
  }
  return <Opened path={path} contentType={head?.contentType ?? ""} changed={() => { refresh(); changed() }} />
}

function Opened({ path, contentType, changed }: { path: string; contentType: string; changed: () => void }): ReactNode {
  const followed = useFollowed(path)
  const [asked, setAsked] = useState<"fork" | "delete" | "close">()
  const kept = isKept(path)
  return (
    <section className="stream-view" aria-label={`Stream ${path}`}>
      <header className="stream-head">
        <div className="row wrap">
          <Link to={urlOf.streams()} className="button quiet icon only-narrow"><Icon name="back" /><span className="hidden-text">All streams</span></Link>
          <h2 className="mono clip grow">{path}</h2>
          <State followed={followed} />
        </div>
        <div className="row wrap">
          <span className="tiny muted grow clip">{contentType} · {count(followed.pieces.length + followed.dropped)} pieces · @{shortOffset(followed.pieces.at(-1)?.offset ?? "0")}</span>
          <Copy text={location.origin + streamUrl(path)} label="Copy the URL" />
          <button type="button" className="button" onClick={() => setAsked("fork")}><Icon name="fork" /> Fork</button>
          {!kept && !followed.isClosed && <button type="button" className="button" onClick={() => setAsked("close")}><Icon name="stop" /> Close</button>}
          {!kept && <button type="button" className="button danger" onClick={() => setAsked("delete")}><Icon name="trash" /> Delete</button>}
        </div>
      </header>
      <Content followed={followed} />
      {kept ? <p className="notice kept"><Icon name="alert" /> This stream belongs to sessions: they write it.</p> : followed.isClosed ? <p className="notice kept">The stream is closed: nothing more can be appended.</p> : <Append path={path} contentType={contentType} />}
      {asked === "fork" && <Fork path={path} pieces={followed.pieces} close={() => setAsked(undefined)} changed={changed} />}
      {asked === "delete" && <Confirm title="Delete this stream?" told="Its content goes for good. Forks keep what they share." verb="Delete it" close={() => setAsked(undefined)} act={async () => { await deleteStream(path); changed(); go(urlOf.streams()) }} />}
      {asked === "close" && <Confirm title="Close this stream?" told="Nothing can be appended to it any more, for good. Readers are told that it has ended." verb="Close it" close={() => setAsked(undefined)} act={async () => { await closeStream(path); changed() }} />}
    </section>
  )
}

function State({ followed: { isClosed, isUpToDate, error } }: { followed: Followed }): ReactNode {
  return (
    <div role="status">
      {error !== undefined ? <Pill mood="warn" title={error}>Reconnecting</Pill> : isClosed ? <Pill mood="calm">Closed</Pill> : isUpToDate ? <Pill mood="ok" pulse>Following</Pill> : <Pill mood="accent" pulse>Reading</Pill>}
    </div>
  )
}

function Content({ followed: { pieces, dropped, isUpToDate } }: { followed: Followed }): ReactNode {
  const scroller = useRef<HTMLDivElement>(null)
  const isAtEnd = useRef(true)
  const list = useVirtualizer({ count: pieces.length, getScrollElement: () => scroller.current, estimateSize: () => 40, overscan: 10 })
  const height = list.getTotalSize()
  useLayoutEffect(() => {
    const element = scroller.current
    if (element && isAtEnd.current) element.scrollTop = element.scrollHeight
  }, [height, pieces])
  if (pieces.length === 0) return <Empty icon="live" title={isUpToDate ? "Nothing in it yet" : "Reading…"}>{isUpToDate && <p>What is appended appears here at once.</p>}</Empty>
  const onScroll = (): void => {
    const element = scroller.current
    if (element) isAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX
  }
  return (
    <div className="pieces" ref={scroller} onScroll={onScroll} tabIndex={0} role="log" aria-label="Content" aria-live="off">
      {dropped > 0 && <p className="tiny muted">The first {count(dropped)} pieces are not shown.</p>}
      <div style={{ height, position: "relative" }}>
        {list.getVirtualItems().map(({ index, key, start }) => {
          const piece = pieces[index]
          return piece && (
            <div key={key} data-index={index} ref={list.measureElement} className="piece" style={{ transform: `translateY(${start}px)` }}>
              <span className="tiny muted mono number" title={`Offset after it: ${piece.offset}`}>@{shortOffset(piece.offset)}<br />{bytes(piece.bytes)}</span>
              <pre>{piece.text}</pre>
            </div>
          )
        })}
      </div>
    </div>
  )
}

function Append({ path, contentType }: { path: string; contentType: string }): ReactNode {
  const [text, setText] = useState("")
  const [refused, setRefused] = useState("")
  const isJson = contentType.startsWith("application/json")
  const append = async (): Promise<void> => {
    setRefused("")
    try {
      await appendTo(path, contentType, text)
      setText("")
    } catch (error) {
      setRefused(messageOf(error))
    }
  }
  return (
    <div className="append">
      <textarea className="input mono" rows={2} aria-label="Append to the stream" placeholder={isJson ? '{"hello": "world"}' : "Text to append"} value={text} onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => { if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && text) void append() }} />
      <button type="button" className="button primary" disabled={text === "" || contentType === ""} onClick={() => void append()} title="Ctrl+Enter">Append</button>
      {refused && <p className="notice bad" role="alert">{refused}</p>}
    </div>
  )
}

function Fork({ path, pieces, close, changed }: { path: string; pieces: readonly Piece[]; close: () => void; changed: () => void }): ReactNode {
  const [to, setTo] = useState(`${path.replace(/^(session|agent)\//, "")}-fork`)
  const [offset, setOffset] = useState("")
  const [refused, setRefused] = useState("")
  const offsets = [...new Set(pieces.slice(-200).map((piece) => piece.offset))].reverse()
  const fork = async (): Promise<void> => {
    try {
      await forkStream(path, to.trim(), offset || undefined)
      changed()
      close()
      go(urlOf.streams(to.trim()))
    } catch (error) {
      setRefused(messageOf(error))
    }
  }
  return (
    <Dialog title="Fork this stream" close={close}>
      <p className="small muted">The fork shares what is there, without copying, and goes its own way from then on.</p>
      <label className="field">Path of the fork<input className="input mono" autoFocus value={to} onChange={(event) => setTo(event.target.value)} /></label>
      <label className="field">Up to<select className="select" value={offset} onChange={(event) => setOffset(event.target.value)}><option value="">its end</option>{offsets.map((each) => <option key={each} value={each}>offset {shortOffset(each)}</option>)}</select></label>
      {refused && <p className="notice bad" role="alert">{refused}</p>}
      <div className="row"><button type="button" className="button primary" disabled={to.trim() === ""} onClick={() => void fork()}>Fork</button><button type="button" className="button" onClick={close}>Cancel</button></div>
    </Dialog>
  )
}

function Confirm({ title, told, verb, close, act }: { title: string; told: string; verb: string; close: () => void; act: () => Promise<void> }): ReactNode {
  const [refused, setRefused] = useState("")
  return (
    <Dialog title={title} close={close}>
      <p className="small">{told}</p>
      {refused && <p className="notice bad" role="alert">{refused}</p>}
      <div className="row"><button type="button" className="button danger" onClick={() => void act().then(close, (error: unknown) => setRefused(messageOf(error)))}>{verb}</button><button type="button" className="button" onClick={close}>Cancel</button></div>
    </Dialog>
  )
}
