/** Values that follow from tables: computed when somebody looks, kept until a source changes. */
import type { Readable, Unsubscribe } from "./store.js"

interface Source {
  get(): unknown
  subscribe(listener: () => void): Unsubscribe
}

/** The results of `compute` are the same reference as long as no source has another value. */
export function derive<T>(sources: readonly Source[], compute: () => T): Readable<T> {
  let seen: readonly unknown[] | undefined
  let value: T
  const get = (): T => {
    const now = sources.map((source) => source.get())
    if (!seen || now.some((each, place) => !Object.is(each, seen?.[place]))) {
      seen = now
      value = compute()
    }
    return value
  }
  const subscribe = (listener: () => void): Unsubscribe => {
    const unsubscribes = sources.map((source) => source.subscribe(listener))
    return () => unsubscribes.forEach((unsubscribe) => unsubscribe())
  }
  return { get, subscribe }
}

const reversed = new WeakMap<object, Readable<readonly unknown[]>>()

/** The rows of a table from the last to the first; one such view per table. */
export function newestFirst<Row>(table: Readable<readonly Row[]>): Readable<readonly Row[]> {
  const known = reversed.get(table) as Readable<readonly Row[]> | undefined
  if (known) return known
  const view = derive([table], () => [...table.get()].reverse())
  reversed.set(table, view)
  return view
}
