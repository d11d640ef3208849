/** Every event as it is stored: offset, transaction, size, content. */
import { useVirtualizer } from "@tanstack/react-virtual"
import { useMemo, useRef, useState, type ReactNode } from "react"
import { bytes, count, shortOffset, timeOfDay } from "../format.ts"
import type { LoggedEvent, LogState } from "../replay/log.ts"
import { isError } from "../replay/player.ts"
import { Icon } from "../ui/icon.tsx"
import { Copy, Empty } from "../ui/parts.tsx"

const ROW_HEIGHT = 34
const TYPES = ["chunk", "tool", "terminal", "workflow", "state"] as const

export default function EventsPanel({ log, seek }: { log: LogState; seek: (count: number) => void }): ReactNode {
  const [type, setType] = useState("")
  const [text, setText] = useState("")
  const [chosen, setChosen] = useState<string>()
  const shown = useMemo(() => filtered(log.events, type, text), [log.events, type, text])
  const event = chosen === undefined ? undefined : shown.find(({ event: { offset } }) => offset === chosen)
  return (
    <div className="events-panel">
      <div className="row panel-tools">
        <select className="select" aria-label="Type of event" value={type} onChange={(change) => setType(change.target.value)}>
          <option value="">All types</option>
          {TYPES.map((name) => <option key={name}>{name}</option>)}
        </select>
        <input className="input grow" type="search" aria-label="Filter events" placeholder="Key, txid or content" value={text} onChange={(change) => setText(change.target.value)} />
        <span className="tiny muted number">{count(shown.length)}{log.isComplete ? "" : "…"}</span>
      </div>
      {log.earliest !== undefined && <p className="notice"><Icon name="alert" /> Older events have expired; the log begins at <code>{shortOffset(log.earliest)}</code>.</p>}
      {log.error !== undefined && <p className="notice bad" role="alert">{log.error}</p>}
      {shown.length === 0 ? <Empty icon="list" title={log.events.length === 0 ? "No events yet" : "No event fits"} /> : <Rows shown={shown} chosen={chosen} choose={setChosen} />}
      {event && <Detail event={event.event} close={() => setChosen(undefined)} show={() => seek(event.place + 1)} />}
    </div>
  )
}

interface Shown {
  event: LoggedEvent
  place: number
}

function filtered(events: readonly LoggedEvent[], type: string, text: string): Shown[] {
  const word = text.trim().toLowerCase()
  const fits = ({ event }: Shown): boolean => (type === "" || event.type === type) && (word === "" || `${event.key} ${event.txid} ${JSON.stringify(event.value)}`.toLowerCase().includes(word))
  return events.map((event, place) => ({ event, place })).filter(fits).reverse()
}

function Rows({ shown, chosen, choose }: { shown: readonly Shown[]; chosen: string | undefined; choose: (offset: string) => void }): ReactNode {
  const scroller = useRef<HTMLDivElement>(null)
  const list = useVirtualizer({ count: shown.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_HEIGHT, overscan: 12 })
  return (
    <div className="event-rows" ref={scroller} tabIndex={0} role="region" aria-label="Events">
      <ul style={{ height: list.getTotalSize(), position: "relative" }}>
        {list.getVirtualItems().map(({ index, key, start }) => {
          const row = shown[index]
          return row && (
            <li key={key} style={{ transform: `translateY(${start}px)` }}>
              <button type="button" className={isError(row.event) ? "event-row error" : "event-row"} aria-pressed={row.event.offset === chosen} onClick={() => choose(row.event.offset)}>
                <span className="mono number event-offset" title={row.event.offset}>{shortOffset(row.event.offset)}</span>
                <span className={`event-type type-${row.event.type}`}>{row.event.type}</span>
                <span className="clip grow mono muted">{preview(row.event)}</span>
                <span className="tiny muted number event-size">{bytes(row.event.bytes)}</span>
                <span className="tiny muted number event-time">{timeOfDay(row.event.at)}</span>
              </button>
            </li>
          )
        })}
      </ul>
    </div>
  )
}

function preview({ value, operation, key }: LoggedEvent): string {
  if (!value) return `${operation} ${key}`
  const told = value.text ?? value.data ?? (value.tool ? `${String(value.tool)} ${String(value.status)}` : undefined) ?? (value.agentId ? `${String(value.agentId)} ${String(value.status)}` : value.type)
  return JSON.stringify(told) ?? key
}

function Detail({ event, close, show }: { event: LoggedEvent; close: () => void; show: () => void }): ReactNode {
  const facts = [["Offset after it", event.offset], ["Transaction", event.txid ?? "none"], ["Key", event.key]] as const
  return (
    <section className="event-detail" aria-label="Chosen event">
      <div className="row">
        <h2 className="grow">{event.type} · {event.operation}</h2>
        <button type="button" className="button" onClick={show}><Icon name="play" /> Show this moment</button>
        <button type="button" className="button quiet icon" aria-label="Close the event" onClick={close}><Icon name="cross" /></button>
      </div>
      <dl className="facts">
        {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd className="mono row"><span className="clip">{value}</span><Copy text={value} label={`Copy ${name.toLowerCase()}`} /></dd></div>)}
        <div><dt>When, size</dt><dd className="number">{new Date(event.at).toISOString()} · {bytes(event.bytes)}</dd></div>
      </dl>
      <pre className="block" tabIndex={0}>{JSON.stringify(event.value ?? null, null, 2)}</pre>
    </section>
  )
}
