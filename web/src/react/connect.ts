"use client"
/** What all hooks are made of. */
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react"
import type { Session } from "../session.js"
import type { Readable } from "../store.js"
import { Tracker, type Sources } from "../tracker.js"
import { useUnconnectedSession, type InSession } from "./context.js"

export type Select<T, S> = (value: T) => S
export type IsEqual<S> = (one: S, other: S) => boolean

/** A selection stays the same reference while it is equal. */
export function useReadable<T>(readable: Readable<T>): T
export function useReadable<T, S>(readable: Readable<T>, select: Select<T, S> | undefined, isEqual?: IsEqual<S>): S
export function useReadable<T, S>(readable: Readable<T>, select?: Select<T, S>, isEqual: IsEqual<S> = Object.is): T | S {
  const last = useRef<{ value: T; select: Select<T, S>; selected: S } | undefined>(undefined)
  const get = (): T | S => {
    const value = readable.get()
    if (!select) return value
    const before = last.current
    if (before && before.select === select && Object.is(before.value, value)) return before.selected
    const fresh = select(value)
    const selected = before && isEqual(before.selected, fresh) ? before.selected : fresh
    last.current = { value, select, selected }
    return selected
  }
  return useSyncExternalStore(readable.subscribe, get, get)
}

/** The values of several sources; renders again only for those that were looked at. */
export function useTracked<T extends object>(sources: Sources<T>): T {
  const tracker = useMemo(() => new Tracker(sources), [sources])
  const version = useSyncExternalStore(tracker.subscribe, tracker.version, tracker.version)
  useEffect(() => tracker.follow())
  return useMemo(() => tracker.view(version), [tracker, version])
}

/** The shared session, connected as long as the component is mounted. */
export function useConnectedSession(where?: InSession): Session {
  const session = useUnconnectedSession(where)
  useEffect(() => session.retain(), [session])
  return session
}
