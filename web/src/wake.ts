/** The moments at which waiting for a retry makes no sense any more: the network is back, or somebody looks again. */
import type { Unsubscribe } from "./store.js"

export function onWake(listener: () => void): Unsubscribe {
  const { window: page, document } = globalThis as { window?: EventTarget; document?: Document }
  const looked = (): void => {
    if (document?.visibilityState !== "hidden") listener()
  }
  page?.addEventListener?.("online", listener)
  document?.addEventListener?.("visibilitychange", looked)
  return () => {
    page?.removeEventListener?.("online", listener)
    document?.removeEventListener?.("visibilitychange", looked)
  }
}
