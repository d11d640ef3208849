/**
 * One session: its tables, kept up to date by one connection that all users of the session share, and a second one for
 * presence while somebody looks at it. It connects while it is retained and keeps its rows after.
 */
import { agentStream, type AgentStream } from "./agent.js"
import type { Change } from "./change.js"
import { sessionCollections, type SessionCollections } from "./collections.js"
import type { ConnectionState, Discontinuity } from "./connection.js"
import { SessionError } from "./errors.js"
import { terminalEvent, type DurableChannel, type EventData, type EventInput } from "./events.js"
import { DURABLE_CHANNELS, Fold, PRESENCE_CHANNELS, SessionTables, type Folded, type Tables } from "./fold.js"
import { Http, type HttpOptions } from "./http.js"
import { RELEASE_AFTER_MS } from "./limits.js"
import { OptimisticWrites, type PendingWrite, type WriteOptions } from "./optimistic.js"
import { Attendance, Participants } from "./presence.js"
import { Router, type Handler } from "./router.js"
import { SessionService, type Acknowledgement, type PresenceAcknowledgement } from "./service.js"
import { Shared } from "./shared.js"
import { streamSource, type Batch, type LiveMode } from "./source.js"
import type { DehydratedSession } from "./dehydrated.js"
import type { AgentStep } from "./steps.js"
import { Listeners, Store, type Readable, type Unsubscribe } from "./store.js"
import { Supervisor } from "./supervisor.js"
import type { Channel } from "./channels.js"

export interface SessionSetup {
  live?: LiveMode
  /** What a server rendered, to go on from. */
  dehydrated?: DehydratedSession
}

export type SessionOptions = HttpOptions & SessionSetup

export class Session {
  readonly id: string
  readonly service: SessionService
  readonly tables: Tables
  readonly participants: Participants
  /** Writes that show and have not been confirmed or rolled back yet. */
  readonly pendingWrites: Readable<readonly PendingWrite[]>
  readonly #tables = new SessionTables()
  readonly #durable = new Fold(this.#tables.channels, DURABLE_CHANNELS)
  readonly #presence = new Fold(this.#tables.channels, PRESENCE_CHANNELS)
  readonly #router = new Router()
  readonly #discontinuities = new Listeners<[Discontinuity]>()
  readonly #loaded: Store<boolean>
  readonly #writes: OptimisticWrites
  readonly #reader: Supervisor
  readonly #presenceReader: Supervisor
  readonly #users: Shared
  readonly #presenceUsers: Shared
  readonly #agents = new Map<string, AgentStream>()
  readonly #attendances = new Map<string, Attendance>()
  #collections: SessionCollections | undefined

  constructor(id: string, http: Http, { live, dehydrated }: SessionSetup = {}) {
    this.id = id
    this.service = new SessionService(http)
    this.tables = this.#tables.all
    this.participants = new Participants(this.tables.presence, () => this.retainPresence())
    this.#writes = this.#optimisticWrites()
    this.pendingWrites = this.#writes.pending
    this.#loaded = new Store(typeof dehydrated?.offset === "string")
    if (dehydrated) this.#hydrate(dehydrated)
    const path = `session/${encodeURIComponent(id)}`
    const shared = { live, onRefresh: () => http.refreshHeaders() }
    this.#reader = new Supervisor({
      ...shared,
      source: streamSource({ http, path, view: "snapshot" }),
      offset: dehydrated?.offset,
      receive: (batch) => this.#receive(batch),
      onDiscontinuity: (discontinuity) => this.#discontinuities.tell(discontinuity),
    })
    this.#presenceReader = new Supervisor({
      ...shared,
      source: streamSource({ http, path: `${path}/presence`, view: "snapshot" }),
      comesAndGoes: true,
      receive: (batch) => this.#receivePresence(batch),
    })
    this.#users = sharedReader(this.#reader)
    this.#presenceUsers = sharedReader(this.#presenceReader)
    this.connection.subscribe(() => this.#abandonWhenLost())
  }

  get connection(): Readable<ConnectionState> {
    return this.#reader.state
  }

  get presenceConnection(): Readable<ConnectionState> {
    return this.#presenceReader.state
  }

  /** Whether everything that there was has been read. Stays true through reconnections. */
  get loaded(): Readable<boolean> {
    return this.#loaded
  }

  get collections(): SessionCollections {
    return (this.#collections ??= sessionCollections(this.id, this.tables, this.#loaded))
  }

  /** Whether anybody wants it connected. */
  get isUsed(): boolean {
    return this.#users.isOpen || this.#presenceUsers.isOpen
  }

  /** Keeps the session connected until it is given back. */
  retain(): Unsubscribe {
    return this.#users.retain()
  }

  /** Keeps presence connected until it is given back; listening to `participants` does, too. */
  retainPresence(): Unsubscribe {
    return this.#presenceUsers.retain()
  }

  /** Connects again at once, also after a fatal error, if anybody uses the session. */
  reconnect(): void {
    if (this.#users.isOpen) this.#reader.retryNow()
    if (this.#presenceUsers.isOpen) this.#presenceReader.retryNow()
  }

  /** Connects and waits until everything that there was has been read; rejects when that cannot be. */
  async preload(): Promise<void> {
    if (this.#loaded.get()) return
    const release = this.retain()
    try {
      await this.#load()
    } finally {
      release()
    }
  }

  /** Hears what happens from now on. What was there before is in the tables. */
  on<C extends Channel | "*">(channel: C, handler: Handler<C>): Unsubscribe {
    return this.#router.on(channel, handler)
  }

  /** Hears that events were missed for good. The tables are right again by themselves. */
  onDiscontinuity(listener: (discontinuity: Discontinuity) => void): Unsubscribe {
    return this.#discontinuities.add(listener)
  }

  /** Sends events and shows them when they come back. Several are one transaction. */
  publish(events: EventInput | readonly EventInput[]): Promise<Acknowledgement> {
    return this.service.publish(this.id, events)
  }

  step(steps: AgentStep | readonly AgentStep[]): Promise<Acknowledgement> {
    return this.service.step(this.id, steps)
  }

  /** Shows an event at once and sends it; stays connected until it is confirmed or rolled back. */
  write<C extends DurableChannel>(event: EventInput<C>, options?: WriteOptions<C>): PendingWrite<C> {
    const release = this.retain()
    const write = this.#writes.write(event, options)
    void write.settled.then(release)
    return write
  }

  sendTerminalInput(data: string, options?: WriteOptions<"terminal">): PendingWrite<"terminal"> {
    return this.write(terminalEvent({ type: "input", source: "user", data }), options)
  }

  sendPresenceUpdate(data: EventData["presence"]): Promise<PresenceAcknowledgement> {
    return this.service.updatePresence(this.id, data)
  }

  /** A user's presence: describe it, and retain it to be there. */
  attend(userId: string): Attendance {
    const attendance = this.#attendances.get(userId) ?? new Attendance(this.service, this.id, userId)
    this.#attendances.set(userId, attendance)
    return attendance
  }

  agent(agentId: string): AgentStream {
    const agent = this.#agents.get(agentId) ?? agentStream(this.tables, agentId)
    this.#agents.set(agentId, agent)
    return agent
  }

  /** What another client can go on from. Pending writes and presence stay behind. */
  dehydrate(): DehydratedSession {
    const { chunks, toolCalls, terminal, workflow, agentState } = this.#tables.channels
    const rows = {
      chunks: chunks.confirmed(),
      toolCalls: toolCalls.confirmed(),
      terminal: terminal.confirmed(),
      workflow: workflow.confirmed(),
      agentState: agentState.confirmed(),
    }
    return { id: this.id, offset: this.connection.get().offset, rows }
  }

  /** Disconnects at once; what is unanswered is rolled back. */
  dispose(): void {
    this.#users.closeNow()
    this.#presenceUsers.closeNow()
    this.#writes.abandon()
  }

  #optimisticWrites(): OptimisticWrites {
    return new OptimisticWrites({
      sessionId: this.id,
      tables: this.#tables.channels,
      send: (event, signal) => this.service.publish(this.id, event, signal),
      offset: () => this.connection.get().offset,
    })
  }

  #hydrate({ rows }: DehydratedSession): void {
    this.#durable.replace(rows)
    this.#tables.publish()
  }

  #receive(batch: Batch): "whole" | "partial" {
    const folded = this.#durable.fold(batch.items)
    if (this.#durable.isInSnapshot) return "partial"
    const changes = folded.filter(isChange).map(({ change }) => change)
    const txids = new Set(changes.flatMap(({ txid }) => txid ?? []))
    const settle = this.#writes.observe(txids, batch.offset)
    this.#tables.publish(DURABLE_CHANNELS)
    if (batch.upToDate) this.#loaded.set(true)
    settle()
    this.#route(changes, batch.offset)
    return "whole"
  }

  #receivePresence(batch: Batch): "whole" | "partial" {
    const folded = this.#presence.fold(batch.items)
    if (this.#presence.isInSnapshot) return "partial"
    this.#tables.publish(PRESENCE_CHANNELS)
    this.#route(folded.filter(isChange).map(({ change }) => change), batch.offset)
    return "whole"
  }

  #route(changes: readonly Change[], offset: string): void {
    for (const change of changes) this.#router.route({ ...change, sessionId: this.id, offset })
  }

  /** After a fatal error nothing comes back any more. */
  #abandonWhenLost(): void {
    const { status, error } = this.connection.get()
    if (status === "disconnected" && error) this.#writes.abandon()
  }

  #load(): Promise<void> {
    return new Promise((resolve, reject) => {
      const unsubscribes: Unsubscribe[] = []
      const look = (): void => {
        const { status, error } = this.connection.get()
        const isOver = status === "disconnected" || status === "closed"
        if (!this.#loaded.get() && !isOver) return
        unsubscribes.forEach((unsubscribe) => unsubscribe())
        if (this.#loaded.get()) resolve()
        else reject(error ?? new SessionError({ code: "ABANDONED", message: "the session was given up while it loaded" }))
      }
      unsubscribes.push(this.#loaded.subscribe(look), this.connection.subscribe(look))
      look()
    })
  }
}

/** A session that stands alone. Sessions of one server are better had from `createSessions`. */
export function createSession(id: string, options: SessionOptions = {}): Session {
  return new Session(id, new Http(options), options)
}

function sharedReader(reader: Supervisor): Shared {
  return new Shared({ open: () => reader.start(), close: () => reader.stop(), lingerMs: RELEASE_AFTER_MS })
}

function isChange(folded: Folded): folded is Extract<Folded, { kind: "change" }> {
  return folded.kind === "change"
}
