/**
 * The rows of one channel: what the stream says, with pending writes laid over it. Confirmed rows stand in stream order,
 * rows that only a pending write knows come after them, so that a confirmation moves nothing that others can see.
 *
 * Changes are collected until `publish`, so that one batch of the stream is told once.
 */
import { Listeners, type Readable, type Unsubscribe } from "./store.js"

export interface RowChange<Row> {
  key: string
  /** Absent when the row is gone. */
  row?: Row
  /** Absent when the row is new. */
  before?: Row
}

/** What listeners are told: what changed, or that everything may have. */
export type TableChanges<Row> = readonly RowChange<Row>[] | "all"

/** A pending write on a row: from the row as it would be without it to the row with it. */
export type Overlay<Row> = (row: Row | undefined) => Row

export interface ReadableTable<Row> extends Readable<readonly Row[]> {
  /** All rows in order; the same array until something changes. */
  get(): readonly Row[]
  row(key: string): Row | undefined
  readonly size: number
  subscribeChanges(listener: (changes: TableChanges<Row>) => void): Unsubscribe
}

export class Table<Row extends object> implements ReadableTable<Row> {
  readonly #base = new Map<string, Row>()
  /** key → write → overlay, in the order of the writes. */
  readonly #overlays = new Map<string, Map<string, Overlay<Row>>>()
  /** key → the row as it was when it was last told. */
  readonly #touched = new Map<string, Row | undefined>()
  readonly #listeners = new Listeners<[TableChanges<Row>]>()
  #replaced = false
  #rows: readonly Row[] | undefined

  get = (): readonly Row[] => (this.#rows ??= this.#visible())

  subscribe = (listener: () => void): Unsubscribe => this.#listeners.add(() => listener())

  subscribeChanges(listener: (changes: TableChanges<Row>) => void): Unsubscribe {
    return this.#listeners.add(listener)
  }

  row(key: string): Row | undefined {
    const overlays = this.#overlays.get(key)
    const base = this.#base.get(key)
    if (!overlays) return base
    let row = base
    for (const overlay of overlays.values()) row = overlay(row)
    return row
  }

  get size(): number {
    return this.get().length
  }

  /** The rows that the stream says, without pending writes. */
  confirmed(): readonly Row[] {
    return [...this.#base.values()]
  }

  get hasOverlays(): boolean {
    return this.#overlays.size > 0
  }

  set(key: string, row: Row): void {
    this.#touch(key)
    this.#base.set(key, row)
  }

  delete(key: string): void {
    if (!this.#base.has(key)) return
    this.#touch(key)
    this.#base.delete(key)
  }

  /** Takes the place of all rows; pending writes stay. */
  replace(rows: Iterable<readonly [string, Row]>): void {
    this.#base.clear()
    for (const [key, row] of rows) this.#base.set(key, row)
    this.#replaced = true
  }

  lay(key: string, write: string, overlay: Overlay<Row>): void {
    this.#touch(key)
    const overlays = this.#overlays.get(key) ?? new Map<string, Overlay<Row>>()
    this.#overlays.set(key, overlays.set(write, overlay))
  }

  lift(key: string, write: string): void {
    const overlays = this.#overlays.get(key)
    if (!overlays?.has(write)) return
    this.#touch(key)
    overlays.delete(write)
    if (overlays.size === 0) this.#overlays.delete(key)
  }

  /** Tells what has changed since the last time. */
  publish(): void {
    if (!this.#replaced && this.#touched.size === 0) return
    const changes = this.#replaced ? "all" : this.#changes()
    this.#touched.clear()
    this.#replaced = false
    this.#rows = undefined
    this.#listeners.tell(changes)
  }

  #touch(key: string): void {
    if (!this.#touched.has(key)) this.#touched.set(key, this.row(key))
  }

  #changes(): RowChange<Row>[] {
    const changes: RowChange<Row>[] = []
    for (const [key, before] of this.#touched) {
      const row = this.row(key)
      if (row === undefined && before === undefined) continue
      changes.push({ key, ...(row && { row }), ...(before && { before }) })
    }
    return changes
  }

  #visible(): Row[] {
    if (this.#overlays.size === 0) return [...this.#base.values()]
    const rows: Row[] = []
    for (const key of this.#base.keys()) rows.push(this.row(key) as Row)
    for (const key of this.#overlays.keys()) if (!this.#base.has(key)) rows.push(this.row(key) as Row)
    return rows
  }
}
