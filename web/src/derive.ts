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

/** An empty array that is always the same one. */
export const NONE: readonly never[] = Object.freeze([])
