/** Several sources as one object whose user hears only about what it has looked at. */
import type { Readable, Unsubscribe } from "./store.js"

export type Sources<T extends object> = { readonly [Name in keyof T]: Readable<T[Name]> }

export class Tracker<T extends object> {
  readonly #sources: Sources<T>
  readonly #used = new Set<keyof T>()
  readonly #followed = new Map<keyof T, Unsubscribe>()
  #listener: (() => void) | undefined
  #version: readonly unknown[] = []

  constructor(sources: Sources<T>) {
    this.#sources = sources
  }

  subscribe = (listener: () => void): Unsubscribe => {
    this.#listener = listener
    this.follow()
    return () => {
      this.#listener = undefined
      for (const unsubscribe of this.#followed.values()) unsubscribe()
      this.#followed.clear()
    }
  }

  /** The values that were looked at: the same array until one changes. */
  version = (): readonly unknown[] => {
    const now = [...this.#used].map((name) => this.#sources[name].get())
    const before = this.#version
    const isSame = now.length === before.length && now.every((value, place) => Object.is(value, before[place]))
    return isSame ? before : (this.#version = now)
  }

  /** Subscribes to what has been looked at since. */
  follow(): void {
    const listener = this.#listener
    if (!listener) return
    for (const name of this.#used) {
      if (this.#followed.has(name)) continue
      this.#followed.set(name, this.#sources[name].subscribe(listener))
    }
  }

  /** An object per version, so that what is remembered by it is never stale. */
  view(_version: readonly unknown[]): T {
    const view = {} as T
    for (const name of Object.keys(this.#sources) as (keyof T)[]) {
      Object.defineProperty(view, name, { enumerable: true, get: () => this.#look(name) })
    }
    return view
  }

  #look(name: keyof T): T[keyof T] {
    this.#used.add(name)
    return this.#sources[name].get()
  }
}
