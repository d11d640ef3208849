/** What this browser remembers: theme, and who is looking. Storage may be forbidden; then it lasts as long as the page. */
import { useSyncExternalStore } from "react"

export type Theme = "system" | "light" | "dark"

export interface Me {
  userId: string
  displayName: string
}

const ANIMALS = ["Otter", "Heron", "Kingfisher", "Trout", "Dipper", "Newt", "Salmon", "Beaver", "Swallow", "Dragonfly"]
const listeners = new Set<() => void>()
const kept = new Map<string, string>()

function read(name: string): string | null {
  try {
    return localStorage.getItem(`headwater.${name}`) ?? kept.get(name) ?? null
  } catch {
    return kept.get(name) ?? null
  }
}

function write(name: string, value: string): void {
  kept.set(name, value)
  try {
    localStorage.setItem(`headwater.${name}`, value)
  } catch {
    // It is kept as long as the page is open.
  }
  for (const listener of [...listeners]) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function theme(): Theme {
  const chosen = read("theme")
  return chosen === "light" || chosen === "dark" ? chosen : "system"
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)")

function applyTheme(): void {
  const dark = theme() === "dark" || (theme() === "system" && prefersDark.matches)
  document.documentElement.dataset.theme = dark ? "dark" : "light"
}

export function followTheme(): void {
  applyTheme()
  prefersDark.addEventListener("change", applyTheme)
}

export function setTheme(next: Theme): void {
  write("theme", next)
  applyTheme()
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, theme)

let known: Me | undefined

export function me(): Me {
  if (known) return known
  const userId = read("userId") ?? `guest-${crypto.randomUUID().slice(0, 8)}`
  const animal = ANIMALS[[...userId].reduce((sum, character) => sum + character.charCodeAt(0), 0) % ANIMALS.length]
  const displayName = read("displayName") ?? `Guest ${animal}`
  known = { userId, displayName }
  if (read("userId") === null) write("userId", userId)
  return known
}

export function rename(displayName: string): void {
  known = { ...me(), displayName }
  write("displayName", displayName)
}

export const useMe = (): Me => useSyncExternalStore(subscribe, me)
