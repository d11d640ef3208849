/** How a connection is doing, and what follows from an error: pure functions, so that the supervisor only acts. */
import type { SessionError } from "./errors.js"
import { RECONNECT_FACTOR, RECONNECT_FIRST_MS, RECONNECT_MAX_MS } from "./limits.js"

/**
 * - `initial`: nobody has asked for it yet
 * - `connecting`: the first success is still to come
 * - `connected`: what happens is seen
 * - `reconnecting`: lost, and being tried again; rows stay as they were
 * - `disconnected`: nobody uses it, or `error` says why it is given up
 * - `closed`: the session has ended and everything of it is here
 */
export type ConnectionStatus = "initial" | "connecting" | "connected" | "reconnecting" | "disconnected" | "closed"

export interface ConnectionState {
  readonly status: ConnectionStatus
  /** Failures in a row; 0 after a success. */
  readonly attempt: number
  /** When the next try begins, Unix milliseconds; null when none is waiting. */
  readonly nextRetryAt: number | null
  /** Up to where everything has been told; null before the first batch. */
  readonly offset: string | null
  /** What went wrong last; null once connected. Fatal when the status is `disconnected`. */
  readonly error: SessionError | null
}

export const INITIAL: ConnectionState = { status: "initial", attempt: 0, nextRetryAt: null, offset: null, error: null }

/** Part of the log can no longer be read: the rows were built anew from a snapshot. */
export interface Discontinuity {
  reason: "trimmed" | "invalid-offset"
  /** Up to where events had been told before. */
  after: string
}

/** `attempt` counts from 1. */
export function retryDelayMs(attempt: number): number {
  return Math.min(RECONNECT_FIRST_MS * RECONNECT_FACTOR ** (attempt - 1), RECONNECT_MAX_MS)
}

export type Verdict = "retry" | "refresh" | "rebuild" | "fatal"

export interface Circumstances {
  /** Whether this reader has ever read something. */
  succeeded: boolean
  /** Whether headers were refreshed, or the rows rebuilt, since the last success. */
  refreshed: boolean
  rebuilt: boolean
  offset: string | null
  /** Streams that come and go by themselves, as presence does. */
  comesAndGoes: boolean
}

export function judge(error: SessionError, now: Circumstances): Verdict {
  switch (error.status) {
    case 401:
      return now.refreshed ? "fatal" : "refresh"
    case 403:
      return "fatal"
    case 404:
      return now.succeeded && !now.comesAndGoes ? "fatal" : "retry"
    case 400:
    case 410:
      if (error.code === "SESSION_NOT_FOUND" || now.offset === null) return "fatal"
      return now.rebuilt ? "retry" : "rebuild"
    default:
      return error.isTransient ? "retry" : "fatal"
  }
}
