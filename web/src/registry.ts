/** All sessions, live: the registry is a stream of the same kind as a session's. */
import { isObject, parse } from "./change.js"
import type { ConnectionState } from "./connection.js"
import type { Http } from "./http.js"
import { RELEASE_AFTER_MS } from "./limits.js"
import type { SessionRow } from "./service.js"
import { Shared } from "./shared.js"
import { streamSource, type LiveMode } from "./source.js"
import { Store, type Readable, type Unsubscribe } from "./store.js"
import { Supervisor } from "./supervisor.js"
import { Table, type ReadableTable } from "./table.js"

export class Registry {
  readonly #table = new Table<SessionRow>()
  readonly #loaded = new Store(false)
  readonly #reader: Supervisor
  readonly #users: Shared

  constructor(http: Http, live?: LiveMode) {
    this.#reader = new Supervisor({
      source: streamSource({ http, path: "sessions", view: "log" }),
      live,
      onRefresh: () => http.refreshHeaders(),
      onDiscontinuity: () => this.#table.replace([]),
      receive: ({ items, upToDate }) => {
        for (const item of items) this.#fold(item)
        this.#table.publish()
        if (upToDate) this.#loaded.set(true)
        return "whole"
      },
    })
    this.#users = new Shared({
      open: () => this.#reader.start(),
      close: () => this.#reader.stop(),
      lingerMs: RELEASE_AFTER_MS,
    })
  }

  /** In the order in which the sessions were created. */
  get sessions(): ReadableTable<SessionRow> {
    return this.#table
  }

  get loaded(): Readable<boolean> {
    return this.#loaded
  }

  get connection(): Readable<ConnectionState> {
    return this.#reader.state
  }

  retain(): Unsubscribe {
    return this.#users.retain()
  }

  #fold(item: unknown): void {
    const parsed = parse(item)
    if (parsed.kind !== "change" || parsed.type !== "session") return
    if (parsed.operation === "delete") this.#table.delete(parsed.key)
    else if (isSession(parsed.value)) this.#table.set(parsed.key, parsed.value)
  }
}

function isSession(value: object | undefined): value is SessionRow {
  return isObject(value) && typeof value.id === "string"
}
