/**
 * Writes that show before they are answered. A write is confirmed when it has come back through the stream, and not when
 * it is acknowledged: a row that went with the answer and came with the stream would flicker. It is rolled back when it is
 * refused, when no answer comes after three more tries with the same id, or when none has come for a minute.
 *
 * Each write ends once: confirmed or rolled back. One that was acknowledged is stored for good and never rolled back.
 */
import type { ChannelRows } from "./channels.js"
import { asSessionError, SessionError } from "./errors.js"
import { keyOf, repeatable, type DurableChannel, type EventInput } from "./events.js"
import type { ChannelTables } from "./fold.js"
import { WRITE_PENDING_MAX_MS, WRITE_RETRIES, WRITE_RETRY_MS } from "./limits.js"
import type { Acknowledgement } from "./service.js"
import { report, Store, type Readable } from "./store.js"
import type { Table } from "./table.js"

export type Outcome = { confirmed: true; offset: string } | { confirmed: false; error: SessionError }

export interface WriteOptions<C extends DurableChannel = DurableChannel> {
  onConfirm?: (event: EventInput<C>, offset: string) => void
  onRollback?: (event: EventInput<C>, error: SessionError) => void
}

export interface PendingWrite<C extends DurableChannel = DurableChannel> {
  readonly event: EventInput<C>
  /** The key of the row it shows. */
  readonly key: string
  readonly txid: string
  readonly startedAt: number
  /** Never rejects. */
  readonly settled: Promise<Outcome>
}

export interface OptimisticOptions {
  sessionId: string
  tables: ChannelTables
  send: (event: EventInput, signal: AbortSignal) => Promise<Acknowledgement>
  /** Up to where the session has been read. */
  offset: () => string | null
}

interface Entry {
  write: PendingWrite
  acknowledged: string | undefined
  abort: AbortController
  deadline: ReturnType<typeof setTimeout>
  settle: (outcome: Outcome) => void
}

export class OptimisticWrites {
  readonly #options: OptimisticOptions
  readonly #entries = new Map<string, Entry>()
  readonly #pending = new Store<readonly PendingWrite[]>([])

  constructor(options: OptimisticOptions) {
    this.#options = options
  }

  /** The writes that have not ended, oldest first. */
  get pending(): Readable<readonly PendingWrite[]> {
    return this.#pending
  }

  write<C extends DurableChannel>(input: EventInput<C>, options: WriteOptions<C> = {}): PendingWrite<C> {
    const event = repeatable(input)
    const key = keyOf(event)
    if (key === undefined) throw new SessionError({ code: "VALIDATION_ERROR", message: "the event names no row" })
    let settle: (outcome: Outcome) => void = () => {}
    const settled = new Promise<Outcome>((resolve) => (settle = resolve))
    const write: PendingWrite<C> = { event, key, txid: event.txid, startedAt: Date.now(), settled }
    const abort = new AbortController()
    const deadline = setTimeout(() => this.#expire(event.txid), WRITE_PENDING_MAX_MS)
    const tell = (outcome: Outcome): void => {
      if (outcome.confirmed) options.onConfirm?.(event, outcome.offset)
      else options.onRollback?.(event, outcome.error)
    }
    const entry: Entry = { write, acknowledged: undefined, abort, deadline, settle: tellThen(tell, settle) }
    this.#entries.set(event.txid, entry)
    this.#lay(entry)
    this.#show()
    void this.#send(entry)
    return write
  }

  /**
   * The stream has told transactions and reached an offset. Lifts what is confirmed off the tables and answers what is to
   * be done once they are published, so that a row and its confirmation are seen as one.
   */
  observe(txids: ReadonlySet<string>, offset: string): () => void {
    const confirmed: Entry[] = []
    for (const entry of this.#entries.values()) {
      const isReached = entry.acknowledged !== undefined && entry.acknowledged <= offset
      if (txids.has(entry.write.txid) || isReached) confirmed.push(entry)
    }
    for (const entry of confirmed) this.#remove(entry)
    return () => confirmed.forEach((entry) => this.#settle(entry, { confirmed: true, offset }))
  }

  /** Nothing more will come through the stream: what was acknowledged is there, the rest is given up. */
  abandon(): void {
    for (const entry of [...this.#entries.values()]) {
      const { acknowledged } = entry
      if (acknowledged !== undefined) this.#end(entry, { confirmed: true, offset: acknowledged })
      else this.#end(entry, { confirmed: false, error: ended("ABANDONED", "the session was given up before the answer") })
    }
  }

  async #send(entry: Entry): Promise<void> {
    const { signal } = entry.abort
    for (let attempt = 0; this.#isOpen(entry); attempt += 1) {
      try {
        return this.#acknowledge(entry, await this.#options.send(entry.write.event, signal))
      } catch (thrown) {
        const error = asSessionError(thrown)
        if (!this.#isOpen(entry)) return
        if (!error.isTransient || attempt >= WRITE_RETRIES) return this.#end(entry, { confirmed: false, error })
        await pause(Math.max(WRITE_RETRY_MS, error.retryAfterMs), signal)
      }
    }
  }

  #acknowledge(entry: Entry, { offset }: Acknowledgement): void {
    if (!this.#isOpen(entry)) return
    clearTimeout(entry.deadline)
    entry.acknowledged = offset
    const reached = this.#options.offset()
    if (reached !== null && offset <= reached) this.#end(entry, { confirmed: true, offset })
  }

  #expire(txid: string): void {
    const entry = this.#entries.get(txid)
    const error = ended("TIMEOUT", `no answer within ${WRITE_PENDING_MAX_MS} ms`)
    if (entry) this.#end(entry, { confirmed: false, error })
  }

  #isOpen(entry: Entry): boolean {
    return this.#entries.get(entry.write.txid) === entry
  }

  #end(entry: Entry, outcome: Outcome): void {
    this.#remove(entry)
    this.#table(entry).publish()
    this.#settle(entry, outcome)
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.write.txid)
    clearTimeout(entry.deadline)
    this.#table(entry).lift(entry.write.key, entry.write.txid)
  }

  #settle(entry: Entry, outcome: Outcome): void {
    if (!outcome.confirmed) entry.abort.abort()
    this.#show()
    entry.settle(outcome)
  }

  #lay(entry: Entry): void {
    const { write } = entry
    const { sessionId } = this.#options
    const table = this.#table(entry)
    const defaults = { sessionId, timestamp: write.startedAt }
    type Row = ChannelRows[DurableChannel]
    table.lay(write.key, write.txid, (row) => ({ ...defaults, ...row, ...write.event.data }) as Row)
    table.publish()
  }

  #table({ write }: Entry): Table<ChannelRows[DurableChannel]> {
    return this.#options.tables[write.event.channel] as Table<ChannelRows[DurableChannel]>
  }

  #show(): void {
    this.#pending.set([...this.#entries.values()].map(({ write }) => write))
  }
}

function tellThen(tell: (outcome: Outcome) => void, settle: (outcome: Outcome) => void): (outcome: Outcome) => void {
  return (outcome) => {
    try {
      tell(outcome)
    } catch (error) {
      report(error)
    }
    settle(outcome)
  }
}

function ended(code: "TIMEOUT" | "ABANDONED", message: string): SessionError {
  return new SessionError({ code, message })
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true })
  })
}
