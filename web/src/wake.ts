/** The moments at which waiting for a retry makes no sense any more: the network is back, or somebody looks again. */
import type { Unsubscribe } from "./store.js"

/** Listens to events of the page, where there is one. */
export function onPage(listeners: { readonly [event: string]: () => void }): Unsubscribe {
  const page = (globalThis as { window?: EventTarget }).window
  for (const [event, listener] of Object.entries(listeners)) page?.addEventListener?.(event, listener)
  return () => {
    for (const [event, listener] of Object.entries(listeners)) page?.removeEventListener?.(event, listener)
  }
}

export function onWake(listener: () => void): Unsubscribe {
  const { document } = globalThis as { document?: Document }
  const looked = (): void => {
    if (!isHidden()) listener()
  }
  const unlisten = onPage({ online: listener })
  document?.addEventListener?.("visibilitychange", looked)
  return () => {
    unlisten()
    document?.removeEventListener?.("visibilitychange", looked)
  }
}

/** Whether nobody can see the page. The official client rests then, and wakes when somebody looks. */
export function isHidden(): boolean {
  return globalThis.document?.visibilityState === "hidden"
}
