/** All events of a session, read page by page, and on as the session goes on. */
import { SessionError, type Readable, type SessionService } from "@headwater/sessions"

export interface LoggedEvent {
  /** Where reading goes on after it. */
  offset: string
  type: string
  key: string
  operation: string
  txid: string | undefined
  at: number
  /** Of the message as JSON. */
  bytes: number
  value: Record<string, unknown> | undefined
}

export interface LogState {
  events: readonly LoggedEvent[]
  /** Where the log begins, when older events have expired. */
  earliest: string | undefined
  isComplete: boolean
  error: string | undefined
}

const PAGE = 1_000
const AGAIN_MS = 400
const encoder = new TextEncoder()

export class EventLog implements Readable<LogState> {
  readonly #service: Pick<SessionService, "events">
  readonly #sessionId: string
  readonly #listeners = new Set<() => void>()
  #state: LogState = { events: [], earliest: undefined, isComplete: false, error: undefined }
  #from = "-1"
  #reading = false
  #wanted = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(service: Pick<SessionService, "events">, sessionId: string) {
    this.#service = service
    this.#sessionId = sessionId
  }

  get = (): LogState => this.#state

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** There may be more: reads it soon, once for however many calls. */
  want(): void {
    this.#wanted = true
    if (this.#reading) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#read()
    }, this.#state.isComplete ? AGAIN_MS : 0)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#listeners.clear()
  }

  async #read(): Promise<void> {
    this.#reading = true
    try {
      while (this.#wanted) {
        this.#wanted = false
        await this.#toTail()
      }
    } catch (error) {
      this.#tell({ error: error instanceof Error ? error.message : String(error) })
    } finally {
      this.#reading = false
    }
  }

  async #toTail(): Promise<void> {
    for (;;) {
      const page = await this.#page()
      this.#from = page.nextOffset
      const added = page.events.map(({ offset, message }) => logged(offset, message)).filter((event) => event !== undefined)
      this.#tell({ events: added.length > 0 ? [...this.#state.events, ...added] : this.#state.events, isComplete: page.upToDate, error: undefined })
      if (page.upToDate) return
    }
  }

  async #page(): ReturnType<SessionService["events"]> {
    try {
      return await this.#service.events(this.#sessionId, { from: this.#from, limit: PAGE })
    } catch (error) {
      const earliest = error instanceof SessionError ? (error.details as { earliest?: unknown } | undefined)?.earliest : undefined
      if (typeof earliest !== "string") throw error
      this.#from = earliest
      this.#tell({ earliest, events: [] })
      return this.#service.events(this.#sessionId, { from: earliest, limit: PAGE })
    }
  }

  #tell(change: Partial<LogState>): void {
    this.#state = { ...this.#state, ...change }
    for (const listener of [...this.#listeners]) listener()
  }
}

export function logged(offset: string, message: unknown): LoggedEvent | undefined {
  if (message === null || typeof message !== "object" || !("headers" in message)) return undefined
  const { type, key, value, headers } = message as { type?: string; key?: string; value?: Record<string, unknown>; headers: { operation?: string; txid?: string; timestamp?: string } }
  if (type === undefined || key === undefined) return undefined
  return {
    offset, type, key, value, operation: headers.operation ?? "insert", txid: headers.txid, at: Date.parse(headers.timestamp ?? "") || 0,
    bytes: encoder.encode(JSON.stringify(message)).length,
  }
}
