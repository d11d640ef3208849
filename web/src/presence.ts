/**
 * Being present: joining, a sign of life every ten seconds, a throttled cursor, leaving. And who else is present, judged by
 * the server's time and again as time goes by, because silence is no event.
 */
import type { Cursor, Presence } from "./channels.js"
import { ServerClock } from "./clock.js"
import { CURSOR_THROTTLE_MS, HEARTBEAT_MS, PRESENT_FOR_MS, RELEASE_AFTER_MS } from "./limits.js"
import type { SessionService } from "./service.js"
import { Shared } from "./shared.js"
import { Store, type Readable, type Unsubscribe } from "./store.js"
import type { ReadableTable } from "./table.js"
import { Throttle } from "./throttle.js"
import { onPage } from "./wake.js"

/** How a user is shown to others. */
export type Appearance = Pick<Presence, "displayName" | "avatarUrl">

/** One user's presence in a session; shared by everybody in the page who shows it. */
export class Attendance {
  readonly #service: SessionService
  readonly #sessionId: string
  readonly #shared: Shared
  readonly #cursor: Throttle<Cursor>
  readonly #userId: string
  #appearance: Appearance = {}
  #heartbeat: ReturnType<typeof setInterval> | undefined
  #unlisten: Unsubscribe | undefined

  constructor(service: SessionService, sessionId: string, userId: string) {
    this.#service = service
    this.#sessionId = sessionId
    this.#userId = userId
    this.#cursor = new Throttle((cursor) => this.#tell({ cursor }), CURSOR_THROTTLE_MS)
    this.#shared = new Shared({ open: () => this.#join(), close: () => this.#leave(), lingerMs: RELEASE_AFTER_MS })
  }

  retain(): Unsubscribe {
    return this.#shared.retain()
  }

  /** Changes how the user is shown. */
  describe({ displayName, avatarUrl }: Appearance): void {
    if (this.#appearance.displayName === displayName && this.#appearance.avatarUrl === avatarUrl) return
    this.#appearance = { displayName, avatarUrl }
    if (this.#heartbeat !== undefined) void this.#tell({})
  }

  updateCursor(cursor: Cursor): void {
    if (this.#heartbeat !== undefined) this.#cursor.push(cursor)
  }

  #join(): void {
    void this.#tell({})
    // A sign of life names no cursor, so that it never moves one.
    this.#heartbeat = setInterval(() => void this.#tell({}), HEARTBEAT_MS)
    this.#unlisten = onPage({ pagehide: () => this.#sayGoodbye(), pageshow: () => void this.#tell({}) })
  }

  #leave(): void {
    clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
    this.#unlisten?.()
    this.#cursor.stop()
    this.#sayGoodbye()
  }

  #sayGoodbye(): void {
    // Silence says the same half a minute later.
    this.#service.leave(this.#sessionId, this.#userId, { keepalive: true }).catch(() => {})
  }

  /** A lost sign of life is made up for by the next one. */
  async #tell(more: { cursor?: Cursor }): Promise<void> {
    const data = { userId: this.#userId, ...this.#appearance, ...more }
    await this.#service.updatePresence(this.#sessionId, data).catch(() => {})
  }
}

/** Who has been seen within the window, in the order in which they joined. */
export class Participants implements Readable<readonly Presence[]> {
  readonly #table: ReadableTable<Presence>
  readonly #clock = new ServerClock()
  readonly #present = new Store<readonly Presence[]>([])
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #connect: () => Unsubscribe
  #listeners = 0
  #unwatch: Unsubscribe | undefined

  /** `connect` keeps the table up to date until it is taken back. */
  constructor(table: ReadableTable<Presence>, connect: () => Unsubscribe) {
    this.#table = table
    this.#connect = connect
  }

  get = (): readonly Presence[] => {
    if (this.#listeners === 0) this.#look()
    return this.#present.get()
  }

  /** Connected, and watching the time, only while somebody listens. */
  subscribe = (listener: () => void): Unsubscribe => {
    this.#listeners += 1
    const disconnect = this.#connect()
    this.#unwatch ??= this.#table.subscribe(() => this.#watch())
    const unsubscribe = this.#present.subscribe(listener)
    this.#watch()
    return () => {
      unsubscribe()
      disconnect()
      this.#listeners -= 1
      if (this.#listeners > 0) return
      clearTimeout(this.#timer)
      this.#unwatch?.()
      this.#unwatch = undefined
    }
  }

  #watch(): void {
    const nextLeaveMs = this.#look()
    clearTimeout(this.#timer)
    if (nextLeaveMs !== undefined) this.#timer = setTimeout(() => this.#watch(), nextLeaveMs)
  }

  /** Answers after how long the next one will have been silent for too long. */
  #look(): number | undefined {
    const rows = this.#table.get()
    for (const { lastSeen } of rows) this.#clock.observe(lastSeen)
    const since = this.#clock.now() - PRESENT_FOR_MS
    const present = rows.filter(({ lastSeen }) => lastSeen > since)
    const before = this.#present.get()
    const isSame = present.length === before.length && present.every((row, place) => row === before[place])
    if (!isSame) this.#present.set(present)
    if (present.length === 0) return undefined
    return Math.max(1, Math.min(...present.map(({ lastSeen }) => lastSeen)) - since)
  }
}
