/** Which page is shown: the URL is the state. */
import { useSyncExternalStore } from "react"

const BASE = "/console/"

export type Route =
  | { page: "sessions" }
  | { page: "session"; id: string; tab: string | null }
  | { page: "streams"; path: string | null }
  | { page: "health" }
  | { page: "unknown" }

export function parseRoute(pathname: string, search = ""): Route {
  const parts = pathname.slice(BASE.length).split("/").filter((part) => part !== "")
  const [first, ...rest] = parts
  if (first === undefined || (first === "sessions" && rest.length === 0)) return { page: "sessions" }
  if (first === "sessions" && rest.length === 1) {
    return { page: "session", id: decode(rest[0] ?? ""), tab: new URLSearchParams(search).get("tab") }
  }
  if (first === "streams") return { page: "streams", path: rest.length > 0 ? rest.map(decode).join("/") : null }
  if (first === "health" && rest.length === 0) return { page: "health" }
  return { page: "unknown" }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const urlOf = {
  sessions: (): string => BASE,
  session: (id: string): string => `${BASE}sessions/${encodeURIComponent(id)}`,
  streams: (path?: string): string => `${BASE}streams${path === undefined ? "" : `/${encodePath(path)}`}`,
  health: (): string => `${BASE}health`,
}

export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/")
}

const listeners = new Set<() => void>()

export function go(url: string, how: "push" | "replace" = "push"): void {
  if (how === "push") history.pushState(null, "", url)
  else history.replaceState(null, "", url)
  for (const listener of [...listeners]) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  addEventListener("popstate", listener)
  return () => {
    listeners.delete(listener)
    removeEventListener("popstate", listener)
  }
}

export function useUrl(): string {
  return useSyncExternalStore(subscribe, () => location.pathname + location.search)
}
