/**
 * Something that is open while anybody uses it: opened for the first user, closed a moment after the last, so that a
 * remount (StrictMode, a route change) finds it open.
 */
import type { Unsubscribe } from "./store.js"

export interface SharedOptions {
  open: () => void
  close: () => void
  lingerMs: number
}

export class Shared {
  readonly #options: SharedOptions
  #users = 0
  #isOpen = false
  #linger: ReturnType<typeof setTimeout> | undefined

  constructor(options: SharedOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Answers how to give it back; a second time does nothing. */
  retain(): Unsubscribe {
    this.#users += 1
    clearTimeout(this.#linger)
    if (!this.#isOpen) {
      this.#isOpen = true
      this.#options.open()
    }
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#users -= 1
      if (this.#users === 0) this.#linger = setTimeout(() => this.closeNow(), this.#options.lingerMs)
    }
  }

  closeNow(): void {
    clearTimeout(this.#linger)
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#options.close()
  }
}
