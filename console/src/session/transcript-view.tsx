/** The transcript: virtualised, and at its end as long as the reader is there. */
import { useConnection, usePendingWrites } from "@headwater/sessions/react"
import { useVirtualizer } from "@tanstack/react-virtual"
import { memo, useDeferredValue, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react"
import { timeOfDay } from "../format.ts"
import { Icon } from "../ui/icon.tsx"
import { Markdown } from "../ui/markdown.tsx"
import { Avatar, Command, Empty, useNow } from "../ui/parts.tsx"
import { ApprovalCard } from "./approval.tsx"
import { ToolCallCard } from "./tool-call.tsx"
import { continues, transcriptOf, type Item } from "./transcript.ts"
import { useIsLive, useRowsOf, useView } from "./view.ts"

const NEAR_END_PX = 60
const SPEAKING_MS = 2_500

export function Transcript({ id, closed }: { id: string; closed: boolean }): ReactNode {
  const view = useView()
  const begun = useMemo(() => new Map<string, number>(), [view])
  const said = { messages: useRowsOf("messages"), toolCalls: useRowsOf("toolCalls"), terminal: useRowsOf("terminal"), workflow: useRowsOf("workflow") }
  const { messages, toolCalls, terminal, workflow } = useDeferredValue(useMemo(() => said, Object.values(said)))
  const items = useMemo(() => transcriptOf({ messages, toolCalls, terminal, workflow }, begun), [messages, toolCalls, terminal, workflow, begun])
  const speakers = useSpeakers(items)
  if (items.length === 0) return <Silence id={id} />
  return <Items items={items} speakers={speakers} closed={closed} />
}

/** The messages that are being said right now, by id. */
function useSpeakers(items: readonly Item[]): ReadonlySet<string> {
  const states = useRowsOf("agentState")
  const live = useIsLive()
  const now = useNow()
  const key = useMemo(() => {
    const running = new Set(states.filter(({ status }) => status === "running").map(({ agentId }) => agentId))
    const last = new Map<string, Item>()
    for (const item of items.slice(-200)) if (item.kind === "message" || item.kind === "tool") last.set(item.by, item)
    const speaking = [...last.values()].filter((item) => item.kind === "message" && running.has(item.by) && (!live || now - item.message.timestamp < SPEAKING_MS))
    return speaking.map(({ id }) => id).join("\n")
  }, [items, states, live, now])
  return useMemo(() => new Set(key.split("\n")), [key])
}

function Items({ items, speakers, closed }: { items: readonly Item[]; speakers: ReadonlySet<string>; closed: boolean }): ReactNode {
  const scroller = useRef<HTMLDivElement>(null)
  const [isAtEnd, setAtEnd] = useState(true)
  const list = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 96,
    overscan: 8,
    getItemKey: (place) => items[place]?.id ?? place,
  })
  const height = list.getTotalSize()
  useLayoutEffect(() => {
    const element = scroller.current
    if (element && isAtEnd) element.scrollTop = element.scrollHeight
  }, [isAtEnd, height, items])
  const onScroll = (): void => {
    const element = scroller.current
    if (element) setAtEnd(element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX)
  }
  const toEnd = (): void => {
    setAtEnd(true)
    scroller.current?.focus()
  }
  return (
    <div className="transcript-frame">
      <div className="transcript" ref={scroller} onScroll={onScroll} tabIndex={0} role="log" aria-label="Transcript" aria-live="off">
        <div style={{ height, position: "relative" }}>
          {list.getVirtualItems().map(({ index, key, start }) => {
            const item = items[index]
            return item && (
              <div key={key} data-index={index} ref={list.measureElement} className="transcript-item" style={{ transform: `translateY(${start}px)` }}>
                <Entry item={item} joined={continues(item, items[index - 1])} speaking={speakers.has(item.id)} closed={closed} />
              </div>
            )
          })}
        </div>
      </div>
      {!isAtEnd && <button type="button" className="button to-end" onClick={toEnd}><Icon name="down" /> Latest</button>}
    </div>
  )
}

const Entry = memo(function Entry({ item, joined, speaking, closed }: { item: Item; joined: boolean; speaking: boolean; closed: boolean }): ReactNode {
  switch (item.kind) {
    case "message":
      return (
        <article className={joined ? "entry joined" : "entry"} aria-label={`${item.by}, turn ${item.message.turn}`}>
          {!joined && <Speaker item={item} note={`turn ${item.message.turn}`} />}
          <div className="entry-body"><Markdown text={item.message.text} caret={speaking} /></div>
        </article>
      )
    case "tool":
      return (
        <div className={joined ? "entry joined" : "entry"}>
          {!joined && <Speaker item={item} note="tool call" />}
          <div className="entry-body"><ToolCallCard call={item.call} /></div>
        </div>
      )
    case "input":
      return <Input item={item} />
    case "approval":
      return <div className="entry"><div className="entry-body"><ApprovalCard approval={item.approval} closed={closed} /></div></div>
    case "worktree":
      return (
        <p className="note tiny muted">
          <Icon name="branch" size={14} />
          {item.by} {item.event.type.slice("worktree:".length)} the worktree <code>{String(item.event.payload.branch ?? item.event.payload.path ?? "")}</code>
        </p>
      )
  }
})

function Speaker({ item, note }: { item: Item; note: string }): ReactNode {
  return (
    <div className="speaker">
      <Avatar name={item.by} kind="agent" />
      <span className="speaker-name">{item.by}</span>
      <span className="tiny muted">{note} · {timeOfDay(item.at)}</span>
    </div>
  )
}

function Input({ item }: { item: Extract<Item, { kind: "input" }> }): ReactNode {
  const pending = usePendingWrites().some(({ key }) => key === item.line.id)
  return (
    <div className="entry person">
      <div className={pending ? "bubble pending" : "bubble"}>{item.line.data}</div>
      <span className="tiny muted">{pending ? "Sending…" : `Input · ${timeOfDay(item.at)}`}</span>
    </div>
  )
}

function Silence({ id }: { id: string }): ReactNode {
  const live = useIsLive()
  const { status } = useConnection()
  if (!live) return <Empty icon="play" title="Nothing has happened yet"><p>Move the timeline on, or press play.</p></Empty>
  if (status === "closed") return <Empty icon="sessions" title="Nothing was said"><p>This session ended without messages or tool calls.</p></Empty>
  return (
    <Empty icon="live" title="Waiting for the first event">
      <p>Whatever an agent writes appears here at once. Try it from a terminal:</p>
      <Command text={`curl --json '{"channel":"chunks","data":{"agentId":"coder","text":"Hello"}}' '${location.origin}/api/streams?sessionId=${id}'`} />
    </Empty>
  )
}

