/**
 * Keeps one stream read for as long as somebody wants it: at most one connection and one timer at a time, resuming from the
 * last offset without a gap or a repetition. It knows when to read, not what is read.
 */
import { INITIAL, judge, retryDelayMs, type ConnectionState, type Discontinuity } from "./connection.js"
import { asSessionError, type SessionError } from "./errors.js"
import { SILENCE_MAX_MS } from "./limits.js"
import type { Batch, LiveMode, Source } from "./source.js"
import { Store, type Readable, type Unsubscribe } from "./store.js"
import { isHidden, onWake } from "./wake.js"

export interface SupervisorOptions {
  source: Source
  /** Takes a batch; answers whether reading may go on after it, or must begin again with what it is a part of. */
  receive: (batch: Batch) => "whole" | "partial"
  /** Where to go on from; the beginning by default. */
  offset?: string | null | undefined
  live?: LiveMode | undefined
  /** For streams whose offsets mean nothing after a loss, as presence's: each connection begins with a snapshot. */
  comesAndGoes?: boolean
  onRefresh?: () => void
  onDiscontinuity?: (discontinuity: Discontinuity) => void
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #state: Store<ConnectionState>
  #live: LiveMode
  #offset: string | null
  #connection: AbortController | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #silence: ReturnType<typeof setTimeout> | undefined
  #unwake: Unsubscribe | undefined
  #attempt = 0
  #succeeded = false
  #refreshed = false
  #rebuilt = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#offset = options.offset ?? null
    this.#live = options.live ?? "sse"
    this.#state = new Store({ ...INITIAL, offset: this.#offset })
  }

  get state(): Readable<ConnectionState> {
    return this.#state
  }

  start(): void {
    if (this.#unwake || this.#state.get().status === "closed") return
    this.#attempt = 0
    this.#refreshed = false
    this.#unwake = onWake(() => this.#wake())
    this.#show({ status: this.#succeeded ? "reconnecting" : "connecting", error: null })
    this.#connect()
  }

  stop(): void {
    if (this.#unwake) this.#end({ status: "disconnected" })
  }

  /** Tries at once, also after a fatal error. */
  retryNow(): void {
    if (this.#unwake) this.#wake()
    else this.start()
  }

  #connect(): void {
    this.#disconnect()
    const connection = new AbortController()
    this.#connection = connection
    if (this.#options.comesAndGoes) this.#offset = null
    this.#watchSilence()
    const { source } = this.#options
    const isCurrent = (): boolean => this.#connection === connection
    source({
      offset: this.#offset,
      live: this.#live,
      signal: connection.signal,
      onBatch: (batch) => isCurrent() && this.#receive(batch),
    }).then(
      () => isCurrent() && this.#ended(),
      (error: unknown) => isCurrent() && this.#failed(asSessionError(error)),
    )
  }

  #receive(batch: Batch): void {
    this.#watchSilence()
    this.#attempt = 0
    this.#succeeded = true
    this.#refreshed = false
    this.#rebuilt = false
    if (this.#options.receive(batch) === "whole") this.#offset = batch.offset
    if (batch.streamClosed) this.#end({ status: "closed", error: null })
    else if (this.#connection) this.#show({ status: "connected", attempt: 0, nextRetryAt: null, error: null })
  }

  /** The official client ends a connection without an error when event streams do not get through to it. */
  #ended(): void {
    this.#live = "long-poll"
    this.#failed(asSessionError(new Error("the connection ended")))
  }

  #failed(error: SessionError): void {
    this.#disconnect()
    const verdict = judge(error, {
      succeeded: this.#succeeded,
      refreshed: this.#refreshed,
      rebuilt: this.#rebuilt,
      offset: this.#offset,
      comesAndGoes: this.#options.comesAndGoes ?? false,
    })
    if (verdict === "fatal") this.#end({ status: "disconnected", error })
    else if (verdict === "retry") this.#retryLater(error)
    else if (verdict === "refresh") this.#refresh()
    else this.#rebuild(error)
  }

  #refresh(): void {
    this.#refreshed = true
    this.#options.onRefresh?.()
    this.#connect()
  }

  #rebuild(error: SessionError): void {
    const after = this.#offset
    this.#offset = null
    this.#rebuilt = true
    const reason = error.status === 410 ? "trimmed" : "invalid-offset"
    if (after !== null) this.#options.onDiscontinuity?.({ reason, after })
    this.#connect()
  }

  #retryLater(error: SessionError): void {
    this.#attempt += 1
    const delay = Math.max(retryDelayMs(this.#attempt), error.retryAfterMs)
    const status = this.#succeeded ? "reconnecting" : "connecting"
    this.#retry = setTimeout(() => {
      this.#show({ nextRetryAt: null })
      this.#connect()
    }, delay)
    this.#show({ status, attempt: this.#attempt, nextRetryAt: Date.now() + delay, error })
  }

  /** Also when connected: a connection that slept may be dead without knowing it. */
  #wake(): void {
    this.#show({ nextRetryAt: null })
    this.#connect()
  }

  #watchSilence(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => (isHidden() ? this.#watchSilence() : this.#wake()), SILENCE_MAX_MS)
  }

  /** ORDER: the old connection is closed before a new one is opened or waited for. */
  #disconnect(): void {
    clearTimeout(this.#retry)
    clearTimeout(this.#silence)
    const connection = this.#connection
    this.#connection = undefined
    connection?.abort()
  }

  #end(last: Pick<ConnectionState, "status"> & Partial<ConnectionState>): void {
    this.#disconnect()
    this.#unwake?.()
    this.#unwake = undefined
    this.#show({ nextRetryAt: null, ...last })
  }

  #show(change: Partial<ConnectionState>): void {
    const before = this.#state.get()
    const next = { ...before, ...change, offset: this.#offset ?? before.offset }
    const names = Object.keys(next) as (keyof ConnectionState)[]
    if (names.some((name) => !Object.is(next[name], before[name]))) this.#state.set(next)
  }
}
