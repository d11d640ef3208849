/** The small parts that all pages are made of. */
import { useEffect, useId, useRef, useState, useSyncExternalStore, type KeyboardEvent, type MouseEvent, type ReactNode } from "react"
import { ago, initials, tone } from "../format.ts"
import { go } from "../route.ts"
import { Icon, type IconName } from "./icon.tsx"

export function Link({ to, className, children, current }: { to: string; className?: string; children: ReactNode; current?: boolean }): ReactNode {
  const follow = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return
    event.preventDefault()
    go(to)
  }
  return (
    <a href={to} className={className} onClick={follow} aria-current={current ? "page" : undefined}>
      {children}
    </a>
  )
}

export type Mood = "ok" | "warn" | "bad" | "accent" | "calm"

export function Pill({ mood, pulse, title, children }: { mood: Mood; pulse?: boolean; title?: string; children: ReactNode }): ReactNode {
  return (
    <span className={`pill ${mood}`} title={title}>
      <span className={pulse ? "dot pulse" : "dot"} aria-hidden="true" />
      {children}
    </span>
  )
}

export function Avatar({ name, id = name, kind = "person" }: { name: string; id?: string; kind?: "person" | "agent" }): ReactNode {
  return (
    <span className={`avatar ${kind} tone-${tone(id)}`} aria-hidden="true">
      {initials(name)}
    </span>
  )
}

/** `whole` says that it is all there is on the page, so that its title is the page's. */
export function Empty({ icon, title, whole = false, children }: { icon: IconName; title: string; whole?: boolean; children?: ReactNode }): ReactNode {
  return (
    <div className="empty">
      <Icon name={icon} size={32} />
      {whole ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  )
}

export function Copy({ text, label = "Copy" }: { text: string; label?: string }): ReactNode {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 1600)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <button type="button" className="button quiet icon" aria-label={copied ? "Copied" : label} title={label}
      onClick={() => void copyText(text).then(() => setCopied(true))}>
      <Icon name={copied ? "check" : "copy"} />
    </button>
  )
}

/** Without HTTPS, browsers keep the clipboard from pages; the older way still works there. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const area = document.createElement("textarea")
  area.value = text
  document.body.append(area)
  area.select()
  document.execCommand("copy")
  area.remove()
}

export function Command({ text }: { text: string }): ReactNode {
  return (
    <div className="command">
      <code tabIndex={0} role="region" aria-label="Command">{text}</code>
      <Copy text={text} label="Copy the command" />
    </div>
  )
}

export interface TabItem<T extends string> {
  id: T
  label: string
  count?: number
}

/** Arrow keys move between tabs, as the pattern for tabs says. */
export function Tabs<T extends string>({ label, items, current, choose, panel }: {
  label: string
  items: readonly TabItem<T>[]
  current: T
  choose: (id: T) => void
  panel: string
}): ReactNode {
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0
    if (step === 0) return
    const place = items.findIndex(({ id }) => id === current)
    const next = items[(place + step + items.length) % items.length]
    if (!next) return
    choose(next.id)
    event.currentTarget.querySelector<HTMLElement>(`[data-tab="${next.id}"]`)?.focus()
  }
  return (
    <div className="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
      {items.map(({ id, label: name, count }) => (
        <button key={id} type="button" role="tab" className="tab" data-tab={id} aria-selected={id === current}
          aria-controls={panel} tabIndex={id === current ? 0 : -1} onClick={() => choose(id)}>
          {name}
          {count !== undefined && count > 0 && <span className="count">{count}</span>}
        </button>
      ))}
    </div>
  )
}

export function Menu({ label, icon, children }: { label: string; icon?: IconName; children: ReactNode }): ReactNode {
  const [open, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const list = useId()
  useEffect(() => {
    if (!open) return
    const close = (event: Event): void => {
      if (!root.current?.contains(event.target as Node)) setOpen(false)
    }
    addEventListener("pointerdown", close)
    return () => removeEventListener("pointerdown", close)
  }, [open])
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && open) {
      setOpen(false)
      root.current?.querySelector("button")?.focus()
    }
  }
  return (
    <div className="menu" ref={root} onKeyDown={onKeyDown}>
      <button type="button" className="button" aria-expanded={open} aria-controls={open ? list : undefined} onClick={() => setOpen(!open)}>
        {icon && <Icon name={icon} />}
        {label}
        <Icon name="down" size={14} />
      </button>
      {open && (
        <div className="menu-list" id={list} onClick={() => setOpen(false)}>
          {children}
        </div>
      )}
    </div>
  )
}

/** One clock for all relative times: it ticks while somebody looks. */
const ticks = new Set<() => void>()
let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined

function subscribeToTime(listener: () => void): () => void {
  ticks.add(listener)
  timer ??= setInterval(() => {
    now = Date.now()
    for (const tick of [...ticks]) tick()
  }, 1000)
  return () => {
    ticks.delete(listener)
    if (ticks.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

export const useNow = (): number => useSyncExternalStore(subscribeToTime, () => now)

export function Ago({ at }: { at: number }): ReactNode {
  const current = useNow()
  return <time dateTime={new Date(at).toISOString()} title={new Date(at).toLocaleString()}>{ago(at, current)}</time>
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Headwater`
  }, [title])
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
