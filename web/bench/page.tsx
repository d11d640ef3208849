/** The page that is measured: a list, by our hooks or by live queries on the official StreamDB, and what it cost. */
import { createStreamDB } from "@durable-streams/state/db"
import { useLiveQuery } from "@tanstack/react-db"
import { useMemo, type ReactNode } from "react"
import { createRoot } from "react-dom/client"
import { joinChunks, sessionSchema, type Chunk, type ToolCall } from "@headwater/sessions"
import { SessionProvider, useMessages, useToolCalls } from "@headwater/sessions/react"

export type Implementation = "headwater" | "streamdb"
export type List = "messages" | "tools"

export interface Opening {
  implementation: Implementation
  list: List
  url: string
  sessionId: string
}

export interface Cost {
  /** Characters of all messages, or finished tool calls: how far the list is. */
  shown: number
  /** When it came that far, in Unix milliseconds. */
  shownAt: number
  renders: number
  longTasks: number
  longTaskMs: number
}

const cost: Cost = { shown: 0, shownAt: 0, renders: 0, longTasks: 0, longTaskMs: 0 }
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    cost.longTasks += 1
    cost.longTaskMs += duration
  }
}).observe({ type: "longtask" })

function show(shown: number): void {
  cost.renders += 1
  if (shown === cost.shown) return
  cost.shown = shown
  cost.shownAt = performance.timeOrigin + performance.now()
}

function Texts({ texts }: { texts: readonly { id: string; text: string }[] }): ReactNode {
  show(texts.reduce((sum, { text }) => sum + text.length, 0))
  return texts.map(({ id, text }) => <p key={id}>{text}</p>)
}

function Tools({ calls }: { calls: readonly ToolCall[] }): ReactNode {
  show(calls.filter(({ status }) => status === "complete").length)
  return `${calls[0]?.tool ?? "none"} and ${calls.length - 1} more`
}

const OurMessages = (): ReactNode => <Texts texts={useMessages()} />
const OurTools = (): ReactNode => <Tools calls={useToolCalls()} />

type Database = ReturnType<typeof openDatabase>

const openDatabase = (url: string, id: string) =>
  createStreamDB({
    streamOptions: { url: `${url}/v1/stream/session/${id}`, contentType: "application/json", params: { view: "snapshot" } },
    live: "sse",
    state: sessionSchema,
  })

function TheirMessages({ db }: { db: Database }): ReactNode {
  const { data } = useLiveQuery((query) => query.from({ chunk: db.collections.chunks }).orderBy(({ chunk }) => chunk.id), [db])
  return <Texts texts={useMemo(() => [...joinChunks(data as Chunk[]).values()], [data])} />
}

function TheirTools({ db }: { db: Database }): ReactNode {
  const { data } = useLiveQuery((query) => query.from({ call: db.collections.toolCalls }).orderBy(({ call }) => call.id, "desc"), [db])
  return <Tools calls={data as ToolCall[]} />
}

async function open({ implementation, list, url, sessionId }: Opening): Promise<void> {
  const root = createRoot(document.body.appendChild(document.createElement("main")))
  if (implementation === "headwater") {
    const List = list === "messages" ? OurMessages : OurTools
    root.render(<SessionProvider options={{ url }} sessionId={sessionId}><List /></SessionProvider>)
    return
  }
  const List = list === "messages" ? TheirMessages : TheirTools
  const db = openDatabase(url, sessionId)
  await db.preload()
  root.render(<List db={db} />)
}

Object.assign(globalThis, { bench: { open, cost } })
