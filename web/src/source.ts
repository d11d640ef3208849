/**
 * One connection to a stream, by the official client, which is told not to retry on its own: what comes after an error is
 * the supervisor's decision. A connection is asked for live from its first request on, so that one request is enough.
 */
import { stream } from "@durable-streams/client"
import type { Http } from "./http.js"

export type LiveMode = "sse" | "long-poll"

export interface Batch {
  readonly items: readonly unknown[]
  /** The position right after the items. */
  readonly offset: string
  readonly upToDate: boolean
  readonly streamClosed: boolean
}

export interface OpenOptions {
  /** Where to begin; null for the beginning. */
  offset: string | null
  live: LiveMode
  signal: AbortSignal
  onBatch: (batch: Batch) => void
}

/** Opens a connection; settles when it is over: fulfilled when it ended, rejected when it was lost or refused. */
export type Source = (options: OpenOptions) => Promise<void>

export interface StreamSourceOptions {
  http: Http
  path: string
  /** Whether reading from the beginning begins with a snapshot. */
  view: "snapshot" | "log"
}

const ONE_TRY = { initialDelay: 0, maxDelay: 0, multiplier: 1, maxRetries: 0 }

export function streamSource({ http, path, view }: StreamSourceOptions): Source {
  return async ({ offset, live, signal, onBatch }) => {
    const burst = new Burst(offset, (batch) => !signal.aborted && onBatch(batch))
    const response = await stream<unknown>({
      url: http.streamUrl(path),
      offset: offset ?? "-1",
      live,
      params: { live, ...(view === "snapshot" && { view }) },
      json: true,
      fetch: http.fetch,
      signal,
      backoffOptions: ONE_TRY,
      sseResilience: { logWarnings: false },
      warnOnHttp: false,
    })
    const last = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true })
      response.subscribeJson<unknown>((batch) => {
        burst.add(batch)
        if (batch.streamClosed) resolve()
      })
    })
    try {
      await response.closed
      // The client says that it is done when it has seen that the stream is closed, and hands on what came with it after.
      if (response.streamClosed) await last
    } finally {
      burst.end()
    }
  }
}

/**
 * What arrives together is handed on together: a thousand tokens that were waiting are one change and one rendering, and
 * do not hold up the page one by one.
 */
class Burst {
  readonly #deliver: (batch: Batch) => unknown
  #offset: string | null
  #waiting: Batch[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(offset: string | null, deliver: (batch: Batch) => unknown) {
    this.#offset = offset
    this.#deliver = deliver
  }

  add(batch: Batch): void {
    // A connection cut between data and its position: the same data comes again when reading resumes.
    if (batch.items.length > 0 && batch.offset === this.#offset) return
    this.#offset = batch.offset
    this.#waiting.push(batch)
    this.#timer ??= setTimeout(() => this.#flush(), 0)
  }

  /** What had come before a connection was lost counts. */
  end(): void {
    clearTimeout(this.#timer)
    this.#flush()
  }

  #flush(): void {
    this.#timer = undefined
    const batches = this.#waiting
    this.#waiting = []
    const last = batches.at(-1)
    if (last) this.#deliver(batches.length === 1 ? last : { ...last, items: batches.flatMap(({ items }) => items) })
  }
}
