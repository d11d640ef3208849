/**
 * Events as they happen, without tables: one session's, or one agent's across all sessions. Each event is delivered once,
 * through reconnections and restarts of the server.
 */
import type { Channel, ChannelRows } from "./channels.js"
import { changeOf, parse, type Change } from "./change.js"
import type { ConnectionState, Discontinuity } from "./connection.js"
import type { Http } from "./http.js"
import { Multiplexer } from "./multiplexer.js"
import type { Handler, SessionEvent } from "./router.js"
import { streamSource, type Batch, type LiveMode } from "./source.js"
import { report, type Unsubscribe } from "./store.js"
import { Supervisor } from "./supervisor.js"

export interface SubscribeOptions {
  /** Where to begin: an offset, `-1` for the beginning, `now` (the default) for what happens from now on. */
  offset?: string
  live?: LiveMode
  onStatus?: (state: ConnectionState) => void
  /** Events before the earliest that is kept were missed. */
  onDiscontinuity?: (discontinuity: Discontinuity) => void
}

/** channel → handler; `*` hears everything. */
export type Handlers = { readonly [C in Channel | "*"]?: Handler<C> }

export function subscribeToSession(
  http: Http,
  sessionId: string,
  handlers: Handlers,
  options: SubscribeOptions = {},
): Unsubscribe {
  const channels = new Multiplexer((deliver) =>
    follow(http, `session/${encodeURIComponent(sessionId)}`, (change) => deliver({ ...change, sessionId }), options),
  )
  const names = Object.keys(handlers) as (Channel | "*")[]
  for (const name of names) {
    const handler = handlers[name] as Handler<"*"> | undefined
    if (handler) channels.on(name as "*", handler)
  }
  return () => channels.close()
}

export interface AgentHandlers {
  /** The agent's state in a session changed. */
  onState?: (event: SessionEvent<"agentState">) => void
  /** Anything else that the agent did. */
  onStep?: (event: SessionEvent) => void
}

export function subscribeToAgent(
  http: Http,
  agentId: string,
  { onState, onStep }: AgentHandlers,
  options: SubscribeOptions = {},
): Unsubscribe {
  return follow(
    http,
    `agent/${encodeURIComponent(agentId)}`,
    (change) => {
      const event = inSession(change)
      if (event.channel === "agentState") onState?.(event as SessionEvent<"agentState">)
      else onStep?.(event)
    },
    options,
  )
}

type OffsetChange = Change & { offset: string }

function follow(http: Http, path: string, deliver: (change: OffsetChange) => void, options: SubscribeOptions): Unsubscribe {
  const { offset = "now", live, onStatus, onDiscontinuity } = options
  const reader = new Supervisor({
    source: streamSource({ http, path, view: "log" }),
    offset,
    live,
    ...(onDiscontinuity && { onDiscontinuity }),
    onRefresh: () => http.refreshHeaders(),
    receive: (batch) => {
      for (const change of changesOf(batch)) tell(deliver, { ...change, offset: batch.offset })
      return "whole"
    },
  })
  const unsubscribe = onStatus && reader.state.subscribe(() => onStatus(reader.state.get()))
  reader.start()
  return () => {
    reader.stop()
    unsubscribe?.()
  }
}

function changesOf({ items }: Batch): Change[] {
  return items.flatMap((item) => changeOf(parse(item)) ?? [])
}

/** In an agent's stream, keys begin with the session they are from. */
function inSession(change: OffsetChange): SessionEvent {
  const row: ChannelRows[Channel] | undefined = change.value
  const sessionId = row?.sessionId ?? change.key.slice(0, change.key.indexOf(":"))
  return { ...change, sessionId, key: change.key.slice(sessionId.length + 1) }
}

/** A handler that throws does not cost the others their events. */
function tell(deliver: (change: OffsetChange) => void, change: OffsetChange): void {
  try {
    deliver(change)
  } catch (error) {
    report(error)
  }
}
