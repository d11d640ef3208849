/** Who is there, and where they point. */
import type { Presence } from "@headwater/sessions"
import { useConnectedSession, usePresence, useReadable } from "@headwater/sessions/react"
import { useEffect, useState, type ReactNode, type RefObject } from "react"
import { tone } from "../format.ts"
import { useMe } from "../preferences.ts"
import { Icon } from "../ui/icon.tsx"
import { Avatar } from "../ui/parts.tsx"

const nameOf = (person: Presence): string => person.displayName ?? person.userId

const sameFaces = (one: readonly Presence[], other: readonly Presence[]): boolean =>
  one.length === other.length && one.every((person, place) => person.userId === other[place]?.userId && person.displayName === other[place]?.displayName)

export function People(): ReactNode {
  const { participants } = useConnectedSession()
  const people = useReadable(participants, (all) => all, sameFaces)
  const { userId } = useMe()
  if (people.length === 0) return null
  const names = people.map((person) => (person.userId === userId ? `${nameOf(person)} (you)` : nameOf(person)))
  return (
    <div className="row people" title={names.join(", ")}>
      <ul className="avatars" aria-label={`${people.length} here: ${names.join(", ")}`}>
        {people.slice(0, 5).map((person) => <li key={person.userId}><Avatar name={nameOf(person)} id={person.userId} /></li>)}
      </ul>
      <span className="tiny muted number">{people.length} here</span>
    </div>
  )
}

/** Nearer to the edges than that, names stand on the other side. */
const LABEL_HEIGHT = 40
const LABEL_WIDTH = 150

/** Positions are pixels from the corner of the area, held inside of it: areas of others may be larger. */
export function Cursors({ area }: { area: RefObject<HTMLElement | null> }): ReactNode {
  const { participants, updateCursor } = usePresence()
  const { userId } = useMe()
  const [size, setSize] = useState({ width: 0, height: 0 })
  useEffect(() => {
    const element = area.current
    if (!element) return
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }))
    observer.observe(element)
    return () => observer.disconnect()
  }, [area])
  useEffect(() => {
    const element = area.current
    if (!element) return
    const move = ({ clientX, clientY }: PointerEvent): void => {
      const { left, top } = element.getBoundingClientRect()
      updateCursor({ x: Math.round(clientX - left), y: Math.round(clientY - top) })
    }
    element.addEventListener("pointermove", move)
    return () => element.removeEventListener("pointermove", move)
  }, [area, updateCursor])
  const others = participants.filter((person) => person.cursor && person.userId !== userId)
  return (
    <div className="cursors" aria-hidden="true">
      {others.map((person) => {
        const { x, y } = person.cursor ?? { x: 0, y: 0 }
        const left = Math.max(0, Math.min(x, size.width - 24))
        const top = Math.max(0, Math.min(y, size.height - 24))
        const turned = `${top > size.height - LABEL_HEIGHT ? " upward-label" : ""}${left > size.width - LABEL_WIDTH ? " leftward-label" : ""}`
        return (
          <div key={person.userId} data-user={person.userId} className={`cursor tone-${tone(person.userId)}${turned}`} style={{ transform: `translate(${left}px, ${top}px)` }}>
            <Icon name="cursor" size={18} />
            <span>{nameOf(person)}</span>
          </div>
        )
      })}
    </div>
  )
}
