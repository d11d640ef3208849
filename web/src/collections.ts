/**
 * Tables as TanStack DB collections, for live queries over them. They follow through TanStack's sync contract. Pending
 * writes reach them as rows too: with TanStack's own transactions, what others do would wait until a write has settled.
 */
import { createCollection, type Collection } from "@tanstack/db"
import type { ChannelRows, Message } from "./channels.js"
import type { Tables } from "./fold.js"
import type { Readable } from "./store.js"
import type { ReadableTable, RowChange } from "./table.js"

export type SessionCollections = { readonly [C in keyof ChannelRows]: Collection<ChannelRows[C], string> } & {
  readonly messages: Collection<Message, string>
}

export interface CollectionOptions<Row> {
  id: string
  table: ReadableTable<Row>
  getKey: (row: Row) => string
  /** Whether what there was has been read. */
  loaded: Readable<boolean>
}

export function tableCollection<Row extends object>(options: CollectionOptions<Row>): Collection<Row, string> {
  const { id, table, getKey, loaded } = options
  return createCollection<Row, string>({
    id,
    getKey,
    gcTime: 0,
    startSync: true,
    sync: {
      rowUpdateMode: "full",
      sync: ({ begin, write, commit, truncate, markReady }) => {
        const insertAll = (): void => table.get().forEach((value) => write({ type: "insert", value }))
        const apply = (change: RowChange<Row>): void => {
          if (!change.row) write({ type: "delete", key: change.key })
          else write({ type: change.before ? "update" : "insert", value: change.row })
        }
        begin()
        insertAll()
        commit()
        const ready = (): void => void (loaded.get() && markReady())
        ready()
        const unsubscribes = [
          loaded.subscribe(ready),
          table.subscribeChanges((changes) => {
            begin()
            if (changes === "all") {
              truncate({ markReady: loaded.get() })
              insertAll()
            } else changes.forEach(apply)
            commit()
          }),
        ]
        return () => unsubscribes.forEach((unsubscribe) => unsubscribe())
      },
    },
  })
}

/** The collections of a session; each is made when it is first asked for. */
export function sessionCollections(sessionId: string, tables: Tables, loaded: Readable<boolean>): SessionCollections {
  const keys: { [C in keyof Tables]: (row: never) => string } = {
    chunks: (row: ChannelRows["chunks"]) => row.id,
    toolCalls: (row: ChannelRows["toolCalls"]) => row.id,
    presence: (row: ChannelRows["presence"]) => row.userId,
    terminal: (row: ChannelRows["terminal"]) => row.id,
    workflow: (row: ChannelRows["workflow"]) => row.id,
    agentState: (row: ChannelRows["agentState"]) => row.agentId,
    messages: (row: Message) => row.id,
  }
  const collections: Partial<Record<keyof Tables, unknown>> = {}
  for (const name of Object.keys(keys) as (keyof Tables)[]) {
    let collection: Collection<object, string> | undefined
    const make = (): Collection<object, string> =>
      tableCollection<object>({
        id: `session/${sessionId}/${name}`,
        table: tables[name] as ReadableTable<object>,
        getKey: keys[name] as (row: object) => string,
        loaded,
      })
    Object.defineProperty(collections, name, { enumerable: true, get: () => (collection ??= make()) })
  }
  return collections as SessionCollections
}
