/** The registry of sessions, and what is asked of one session at a time. */
import type { AgentState, Channel, ChannelRows, Message, Presence, TerminalLine, ToolCall, WorkflowEvent } from "./channels.js"
import type { Operation } from "./change.js"
import type { EventData, EventInput } from "./events.js"
import type { Http, QueryValues } from "./http.js"
import type { AgentStep } from "./steps.js"

export type SessionStatus = "active" | "paused" | "closed"

/** A session's row in the registry. */
export interface SessionRow {
  id: string
  projectId: string
  taskId?: string | null
  agentId?: string | null
  title?: string | null
  status: SessionStatus
  url: string
  createdAt: number
  updatedAt: number
  closedAt?: number | null
  retentionMs?: number | null
  forkedFrom?: { sessionId: string; offset: string } | null
}

export type WithOffset<T> = T & { offset: string }

export interface SessionDetails extends SessionRow {
  offset: string
  earliest: string
  eventCount: number
  viewerCount: number
  activeUsers: Presence[]
}

export interface SessionDraft {
  projectId: string
  taskId?: string
  agentId?: string
  title?: string
  retentionMs?: number
}

export type SessionChange = { [Field in "taskId" | "agentId" | "title" | "retentionMs"]?: SessionRow[Field] }

export interface SessionQuery {
  projectId?: string
  taskId?: string
  agentId?: string
  status?: SessionStatus
  search?: string
  dateFrom?: number
  dateTo?: number
  sort?: "createdAt" | "updatedAt" | "title"
  order?: "asc" | "desc"
  limit?: number
  cursor?: string
}

export interface SessionPage {
  sessions: SessionRow[]
  /** Null on the last page. */
  nextCursor: string | null
}

export type User = Pick<Presence, "userId"> & Partial<Pick<Presence, "displayName" | "avatarUrl" | "cursor">>

export interface Joined {
  session: SessionRow
  snapshot?: unknown[]
  offset: string
  presenceOffset: string
}

export interface ShareLink {
  url: string
  streamUrl: string
  eventsUrl: string
}

export interface HistoryQuery {
  startTime?: number
  endTime?: number
  eventTypes?: readonly Channel[]
  cursor?: string
  limit?: number
}

export interface HistoryEvent<C extends Channel = Channel> {
  channel: C
  key: string
  operation: Operation
  data?: ChannelRows[C]
  offset: string
  txid?: string
  timestamp?: number
}

export interface HistoryPage {
  events: HistoryEvent[]
  /** Null at the tail. */
  nextCursor: string | null
  offset: string
  gap?: { earliest: string }
}

export interface StoredEvents {
  events: { offset: string; message: unknown }[]
  nextOffset: string
  upToDate: boolean
}

export interface SessionState {
  offset: string
  messages: Message[]
  toolCalls: ToolCall[]
  terminal: TerminalLine[]
  workflow: WorkflowEvent[]
  agentState: AgentState[]
}

export interface SearchQuery {
  sessionId?: string
  agentId?: string
  projectId?: string
  channels?: readonly SearchedChannel[]
  startTime?: number
  endTime?: number
  limit?: number
  cursor?: string
}

export type SearchedChannel = "messages" | "toolCalls" | "terminal"

export interface SearchHit {
  sessionId: string
  channel: SearchedChannel
  key: string
  agentId?: string
  tool?: string
  /** A session read up to there shows it. */
  offset: string
  timestamp: number
  snippet: string
  /** The snippet, cut where matches begin and end. */
  parts: { text: string; match: boolean }[]
  /** Less is better. */
  rank: number
}

export interface SearchPage {
  hits: SearchHit[]
  nextCursor: string | null
  index: { state: "caughtUp" | "behind" | "failing" | "stopped"; why?: string }
}

export type ExportFormat = "json" | "ndjson" | "markdown" | "csv" | "asciicast"

/** What a write answers. For an array of events, `results` has the place of `id` and `seq`. */
export interface Acknowledgement {
  offset: string
  txid: string
  id?: string
  seq?: number
  duplicate?: boolean
  results?: { channel: Channel; id: string; seq?: number; offset: string; duplicate?: boolean }[]
}

export interface PresenceAcknowledgement {
  offset: string
  data: Presence
}

type Change = WithOffset<SessionRow>

export class SessionService {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  create = (draft: SessionDraft): Promise<Change> => this.#http.data("POST", "/sessions", { body: draft })

  get = (id: string): Promise<SessionDetails> => this.#http.data("GET", path(id))

  list = (query: SessionQuery = {}): Promise<SessionPage> =>
    this.#http.data("GET", "/sessions", { query: { ...query } satisfies QueryValues })

  update = (id: string, change: SessionChange): Promise<Change> => this.#http.data("PATCH", path(id), { body: change })

  delete = (id: string): Promise<{ id: string }> => this.#http.data("DELETE", path(id))

  pause = (id: string): Promise<Change> => this.#http.data("POST", path(id, "pause"))

  resume = (id: string): Promise<Change> => this.#http.data("POST", path(id, "resume"))

  close = (id: string): Promise<Change> => this.#http.data("POST", path(id, "close"))

  /** A new session that shares history up to an offset, or up to now. */
  fork = (id: string, fork: Partial<SessionDraft> & { offset?: string } = {}): Promise<Change> =>
    this.#http.data("POST", path(id, "fork"), { body: fork })

  share = (id: string): Promise<ShareLink> => this.#http.data("POST", path(id, "share"))

  join = (id: string, user: User, options: { snapshot?: boolean } = {}): Promise<Joined> =>
    this.#http.data("POST", path(id, "join"), {
      body: user,
      query: { snapshot: options.snapshot === false ? "false" : undefined },
    })

  /** `keepalive` lets the request outlive the page. */
  leave = (id: string, userId: string, options: { keepalive?: boolean } = {}): Promise<{ userId: string }> =>
    this.#http.data("POST", path(id, "leave"), { body: { userId }, ...options })

  presence = (id: string): Promise<Presence[]> => this.#http.data("GET", path(id, "presence"))

  updatePresence = (id: string, data: EventData["presence"]): Promise<PresenceAcknowledgement> =>
    this.#http.flat("POST", path(id, "presence"), { body: data })

  publish = (id: string, events: EventInput | readonly EventInput[], signal?: AbortSignal): Promise<Acknowledgement> =>
    this.#http.flat("POST", "/streams", { query: { sessionId: id }, body: events, ...(signal && { signal }) })

  step = (id: string, steps: AgentStep | readonly AgentStep[], signal?: AbortSignal): Promise<Acknowledgement> =>
    this.#http.flat("POST", path(id, "steps"), { body: steps, ...(signal && { signal }) })

  history = (id: string, { eventTypes, ...query }: HistoryQuery = {}): Promise<HistoryPage> =>
    this.#http.data("GET", path(id, "history"), { query: { ...query, eventTypes: eventTypes?.join(",") } })

  /** Change messages as they are stored. */
  events = (id: string, query: { from?: string; limit?: number } = {}): Promise<StoredEvents> =>
    this.#http.data("GET", path(id, "events"), { query })

  state = (id: string): Promise<SessionState> => this.#http.data("GET", path(id, "state"))

  messages = (id: string): Promise<Pick<SessionState, "offset" | "messages">> =>
    this.#http.data("GET", path(id, "messages"))

  /** Words and `"phrases"` in all sessions; `SEARCH_OFF` when the server keeps no index. */
  search = (q: string, { channels, ...query }: SearchQuery = {}): Promise<SearchPage> =>
    this.#http.data("GET", "/search", { query: { q, ...query, channels: channels?.join(",") } })

  exportUrl = (id: string, format: ExportFormat): string => this.#http.apiUrl(path(id, "export"), { format })
}

function path(id: string, rest?: string): string {
  return `/sessions/${encodeURIComponent(id)}${rest === undefined ? "" : `/${rest}`}`
}
