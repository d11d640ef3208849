/** One promise per session that is loading, as Suspense wants it: the same one in every render. */
import type { Session } from "../session.js"

type Preload = { promise: Promise<void>; error?: unknown }

const preloads = new WeakMap<Session, Preload>()

/** Throws a promise while the session loads, and the error when it cannot be. */
export function suspendUntilLoaded(session: Session): void {
  if (session.loaded.get()) return
  const known = preloads.get(session) ?? begin(session)
  if (known.error !== undefined) throw known.error
  throw known.promise
}

export function forgetPreload(session: Session): void {
  preloads.delete(session)
}

function begin(session: Session): Preload {
  const preload: Preload = { promise: Promise.resolve() }
  preload.promise = session.preload().catch((error: unknown) => void (preload.error = error))
  preloads.set(session, preload)
  return preload
}
