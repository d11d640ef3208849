/** A value that can be watched: the shape that `useSyncExternalStore` and everything else here reads. */

export type Unsubscribe = () => void

export interface Readable<T> {
  /** The same reference until the value changes. */
  get(): T
  subscribe(listener: () => void): Unsubscribe
}

/** Listeners that may come and go while they are being told; one that throws does not keep the others from hearing. */
export class Listeners<A extends unknown[] = []> {
  readonly #listeners = new Set<{ call: (...args: A) => void }>()

  get size(): number {
    return this.#listeners.size
  }

  add(call: (...args: A) => void): Unsubscribe {
    // An entry of its own, so that the same function added twice is two listeners.
    const entry = { call }
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  tell(...args: A): void {
    for (const entry of [...this.#listeners]) {
      if (!this.#listeners.has(entry)) continue
      try {
        entry.call(...args)
      } catch (error) {
        report(error)
      }
    }
  }
}

/** Shows an error of a listener where uncaught errors go, without unwinding who told it. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error)
  else queueMicrotask(() => console.error(error))
}

export class Store<T> implements Readable<T> {
  #value: T
  readonly #listeners = new Listeners()

  constructor(value: T) {
    this.#value = value
  }

  get = (): T => this.#value

  subscribe = (listener: () => void): Unsubscribe => this.#listeners.add(listener)

  set(value: T): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    this.#listeners.tell()
  }
}
