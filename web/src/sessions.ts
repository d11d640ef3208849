/**
 * The way to one server: its registry, and one shared `Session` per id. A session that nobody uses is forgotten after a
 * while; until then its rows are there, and reading goes on where it stopped.
 */
import type { DehydratedSession } from "./dehydrated.js"
import { Http, type HttpOptions } from "./http.js"
import { CACHED_FOR_MS } from "./limits.js"
import { Registry } from "./registry.js"
import { SessionService } from "./service.js"
import { Session } from "./session.js"
import type { LiveMode } from "./source.js"
import type { Unsubscribe } from "./store.js"
import { subscribeToAgent, subscribeToSession, type AgentHandlers, type Handlers, type SubscribeOptions } from "./subscribe.js"

export interface SessionsOptions extends HttpOptions {
  live?: LiveMode
}

export class Sessions {
  readonly service: SessionService
  readonly #options: SessionsOptions
  readonly #http: Http
  readonly #sessions = new Map<string, Session>()
  readonly #forget = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #dehydrated = new Map<string, DehydratedSession>()
  #registry: Registry | undefined

  constructor(options: SessionsOptions = {}) {
    this.#options = options
    this.#http = new Http(options)
    this.service = new SessionService(this.#http)
  }

  get registry(): Registry {
    return (this.#registry ??= new Registry(this.#http, this.#options.live))
  }

  /** The session of this id: the same object as long as anybody uses it. */
  session(id: string): Session {
    const known = this.#sessions.get(id)
    if (known) {
      this.#keep(id, known)
      return known
    }
    const dehydrated = this.#dehydrated.get(id)
    this.#dehydrated.delete(id)
    const session = new Session(id, this.#http, { ...this.#live(), ...(dehydrated && { dehydrated }) })
    this.#sessions.set(id, session)
    this.#keep(id, session)
    return session
  }

  /** What a server has read is where sessions that are not open yet begin. */
  hydrate(...dehydrated: readonly DehydratedSession[]): void {
    for (const state of dehydrated) if (!this.#sessions.has(state.id)) this.#dehydrated.set(state.id, state)
  }

  subscribeToSession(sessionId: string, handlers: Handlers, options?: SubscribeOptions): Unsubscribe {
    return subscribeToSession(this.#http, sessionId, handlers, { ...this.#live(), ...options })
  }

  subscribeToAgent(agentId: string, handlers: AgentHandlers, options?: SubscribeOptions): Unsubscribe {
    return subscribeToAgent(this.#http, agentId, handlers, { ...this.#live(), ...options })
  }

  /** Disconnects everything at once. */
  dispose(): void {
    for (const timer of this.#forget.values()) clearTimeout(timer)
    for (const session of this.#sessions.values()) session.dispose()
    this.#forget.clear()
    this.#sessions.clear()
  }

  #live(): { live?: LiveMode } {
    return this.#options.live ? { live: this.#options.live } : {}
  }

  #keep(id: string, session: Session): void {
    clearTimeout(this.#forget.get(id))
    const timer = setTimeout(() => {
      if (session.isUsed) return this.#keep(id, session)
      this.#sessions.delete(id)
      this.#forget.delete(id)
      session.dispose()
    }, CACHED_FOR_MS)
    // In Node, being remembered is no reason to run on.
    if (typeof timer === "object" && "unref" in timer) (timer as { unref: () => void }).unref()
    this.#forget.set(id, timer)
  }
}

export function createSessions(options?: SessionsOptions): Sessions {
  return new Sessions(options)
}
