/** Which page is shown: the URL is the state. */
import { useSyncExternalStore } from "react"

const BASE = "/console/"

export type Route =
  | { page: "sessions" }
  | { page: "session"; id: string; tab: string | null; find: string; at: string | null }
  | { page: "streams"; path: string | null }
  | { page: "health" }
  | { page: "unknown" }

export function parseRoute(pathname: string, search = ""): Route {
  const parts = pathname.slice(BASE.length).split("/").filter((part) => part !== "")
  const [first, ...rest] = parts
  if (first === undefined || (first === "sessions" && rest.length === 0)) return { page: "sessions" }
  if (first === "sessions" && rest.length === 1) {
    const query = new URLSearchParams(search)
    return { page: "session", id: decode(rest[0] ?? ""), tab: query.get("tab"), find: query.get("find") ?? "", at: query.get("at") }
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
  session: (id: string, query: Record<string, string> = {}): string => withQuery(`${BASE}sessions/${encodeURIComponent(id)}`, new URLSearchParams(query)),
  streams: (path?: string): string => `${BASE}streams${path === undefined ? "" : `/${encodePath(path)}`}`,
  health: (): string => `${BASE}health`,
}

function withQuery(path: string, query: URLSearchParams): string {
  return query.size === 0 ? path : `${path}?${query}`
}

/** A part of the query, kept in the URL so that it survives a reload, can be linked to, and is there on the way back. */
export function useQuery(name: string): [string, (value: string) => void] {
  useUrl()
  const value = new URLSearchParams(location.search).get(name) ?? ""
  return [value, (next) => {
    const query = new URLSearchParams(location.search)
    if (next === "") query.delete(name)
    else query.set(name, next)
    go(withQuery(location.pathname, query), "replace")
  }]
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
