/** Words in what a session shows. Rows out of sight are not in the page, so that the browser's own search misses them. */
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react"
import { Icon } from "../ui/icon.tsx"
import { matching } from "./matching.ts"
import type { Item } from "./transcript.ts"

export interface Finding {
  words: string
  /** Places among the items, oldest first. */
  places: readonly number[]
  /** Which of them is shown. */
  current: number
  isOpen: boolean
  ask: (words: string) => void
  step: (by: number) => void
  open: () => void
  close: () => void
}

export function useFinding(items: readonly Item[], asked: string): Finding {
  const [words, setWords] = useState(asked)
  const [isOpen, setOpen] = useState(asked !== "")
  const [chosen, setChosen] = useState(0)
  const places = useMemo(() => (isOpen ? matching(items, words) : []), [items, words, isOpen])
  const current = Math.max(0, Math.min(chosen, places.length - 1))
  return {
    words, places, current, isOpen,
    ask: (next) => { setWords(next); setChosen(0) },
    step: (by) => setChosen((current + by + places.length) % Math.max(1, places.length)),
    open: () => setOpen(true),
    close: () => setOpen(false),
  }
}

export function FindBar({ finding }: { finding: Finding }): ReactNode {
  const { words, places, current, isOpen, ask, step, open, close } = finding
  const field = useRef<HTMLInputElement>(null)
  const opener = useRef<HTMLButtonElement>(null)
  useFindKey(() => {
    const isThere = document.activeElement === field.current
    open()
    field.current?.select()
    return !isThere
  })
  useEffect(() => {
    if (isOpen) field.current?.focus()
  }, [isOpen])
  if (!isOpen) {
    return <button ref={opener} type="button" className="button quiet icon find-open" aria-label="Find in the transcript" title="Find in the transcript (Ctrl+F)" onClick={open}><Icon name="search" /></button>
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1)
    else if (event.key === "Escape") close()
  }
  return (
    <div className="find" role="search">
      <input ref={field} className="input" type="text" aria-label="Find in the transcript" placeholder="Find in the transcript" value={words} onChange={(event) => ask(event.target.value)} onKeyDown={onKeyDown} />
      <span className="tiny muted number" role="status">{words.trim() === "" ? "" : places.length === 0 ? "None" : `${current + 1} of ${places.length}`}</span>
      <button type="button" className="button quiet icon" aria-label="Previous match" disabled={places.length === 0} onClick={() => step(-1)}><span className="upward"><Icon name="down" /></span></button>
      <button type="button" className="button quiet icon" aria-label="Next match" disabled={places.length === 0} onClick={() => step(1)}><Icon name="down" /></button>
      <button type="button" className="button quiet icon" aria-label="End the search" onClick={close}><Icon name="cross" /></button>
    </div>
  )
}

/** Ctrl+F opens this search; once more, from within it, the browser's. */
function useFindKey(find: () => boolean): void {
  const latest = useRef(find)
  useEffect(() => void (latest.current = find))
  useEffect(() => {
    const press = (event: globalThis.KeyboardEvent): void => {
      if (event.key === "f" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && latest.current()) event.preventDefault()
    }
    addEventListener("keydown", press)
    return () => removeEventListener("keydown", press)
  }, [])
}
