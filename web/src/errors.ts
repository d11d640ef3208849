/** What goes wrong, with the server's codes where it gave one. */
import { DurableStreamError, FetchError } from "@durable-streams/client"
import { isObject } from "./change.js"

/** The server's codes, and those that only a client can have. */
export type SessionErrorCode =
  | "INVALID_PARAMS"
  | "INVALID_ID"
  | "VALIDATION_ERROR"
  | "SESSION_CLOSED"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "SESSION_NOT_FOUND"
  | "EVENT_CONFLICT"
  | "SESSION_FULL"
  | "OFFSET_TRIMMED"
  | "EVENT_TOO_LARGE"
  | "RATE_LIMITED"
  | "SESSION_SYNC_FAILED"
  | "SESSION_CONNECTION_FAILED"
  | "STORE_UNAVAILABLE"
  | "STORE_FULL"
  | "SEARCH_OFF"
  /** No answer came. */
  | "NETWORK"
  /** A write was not answered in time. */
  | "TIMEOUT"
  /** The session was given up before the write was answered. */
  | "ABANDONED"
  | (string & {})

interface ErrorInit {
  code: SessionErrorCode
  message: string
  /** HTTP status; 0 when there was no answer. */
  status?: number
  details?: unknown
  retryAfterMs?: number
  cause?: unknown
}

export class SessionError extends Error {
  override readonly name = "SessionError"
  readonly code: SessionErrorCode
  readonly status: number
  readonly details: unknown
  readonly retryAfterMs: number

  constructor({ code, message, status = 0, details, retryAfterMs = 0, cause }: ErrorInit) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = status
    this.details = details
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the same request may succeed later: no answer, overload, or a failure of the server. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500
  }
}

const CODES: { readonly [status: number]: SessionErrorCode } = {
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "SESSION_NOT_FOUND",
  410: "OFFSET_TRIMMED",
  429: "RATE_LIMITED",
}

/** What the problem documents of streams call it, in the words of sessions. */
const PROBLEMS: { readonly [code: string]: SessionErrorCode } = {
  stream_not_found: "SESSION_NOT_FOUND",
  stream_gone: "SESSION_NOT_FOUND",
  offset_trimmed: "OFFSET_TRIMMED",
}

/** A refusal, from the envelope of `/api` or the problem document of a stream. */
export function refusal(status: number, text: string, retryAfter: string | null): SessionError {
  const body = json(text)
  const envelope = isObject(body) && isObject(body.error) ? body.error : body
  const known = isObject(envelope) ? envelope : {}
  const message = known.message ?? known.detail ?? known.title
  return new SessionError({
    code: typeof known.code === "string" ? (PROBLEMS[known.code] ?? known.code) : (CODES[status] ?? `HTTP_${status}`),
    message: typeof message === "string" ? message : `the server answered ${status}`,
    status,
    details: known.details,
    retryAfterMs: retryAfterMs(retryAfter),
  })
}

/** Whatever was thrown, as a `SessionError`: errors of the official client, of `fetch`, and our own. */
export function asSessionError(error: unknown): SessionError {
  if (error instanceof SessionError) return error
  if (error instanceof FetchError) {
    const text = error.text ?? (error.json === undefined ? "" : JSON.stringify(error.json))
    return refusal(error.status, text, error.headers["retry-after"] ?? null)
  }
  if (error instanceof DurableStreamError && error.status !== undefined) {
    const text = typeof error.details === "string" ? error.details : JSON.stringify(error.details ?? null)
    return refusal(error.status, text, null)
  }
  const message = error instanceof Error ? error.message : String(error)
  return new SessionError({ code: "NETWORK", message, cause: error })
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A proxy's page, say: then the status speaks for itself.
    return undefined
  }
}

function retryAfterMs(value: string | null): number {
  const seconds = Number(value ?? 0)
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0
}
