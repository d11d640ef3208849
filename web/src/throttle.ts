/**
 * Sends the latest value at most once per interval, one at a time: what was sent later never arrives earlier. Values in
 * between are skipped; the last one is always sent.
 */
export class Throttle<T> {
  readonly #send: (value: T) => Promise<unknown>
  readonly #intervalMs: number
  #waiting: { value: T } | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isSending = false

  constructor(send: (value: T) => Promise<unknown>, intervalMs: number) {
    this.#send = send
    this.#intervalMs = intervalMs
  }

  push(value: T): void {
    this.#waiting = { value }
    if (this.#timer === undefined && !this.#isSending) this.#flush()
  }

  /** Drops what waits. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#waiting = undefined
  }

  #flush(): void {
    const waiting = this.#waiting
    if (!waiting) return
    this.#waiting = undefined
    this.#isSending = true
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (!this.#isSending) this.#flush()
    }, this.#intervalMs)
    const done = (): void => {
      this.#isSending = false
      if (this.#timer === undefined) this.#flush()
    }
    this.#send(waiting.value).then(done, done)
  }
}
