/** The replay of one session: its log, its position, and the view of that moment. */
import { useConnectedSession, useReadable } from "@headwater/sessions/react"
import { useCallback, useEffect, useMemo, useRef, useState } from "react"
import type { View } from "../session/view.ts"
import { ReplayFold } from "./fold.ts"
import { EventLog, type LogState } from "./log.ts"
import { advance, at, type Position } from "./player.ts"

const FRAME_MS = 60

export interface Replay {
  log: LogState
  /** Undefined while live. */
  view: View | undefined
  position: Position | undefined
  isPlaying: boolean
  speed: number
  seek: (count: number) => void
  play: () => void
  pause: () => void
  setSpeed: (speed: number) => void
  goLive: () => void
}

export function useEventLog(): EventLog {
  const session = useConnectedSession()
  const log = useMemo(() => new EventLog(session.service, session.id), [session])
  const offset = useReadable(session.connection, (connection) => connection.offset)
  useEffect(() => {
    if (offset !== null) log.want()
  }, [log, offset])
  useEffect(() => () => log.stop(), [log])
  return log
}

export function useReplay(eventLog: EventLog): Replay {
  const log = useReadable(eventLog)
  const fold = useRef<ReplayFold | undefined>(undefined)
  const [position, setPosition] = useState<Position>()
  const [isPlaying, setPlaying] = useState(false)
  const [speed, setSpeed] = useState(1)
  const events = useRef(log.events)
  events.current = log.events
  const show = useCallback((next: Position) => {
    fold.current ??= new ReplayFold()
    fold.current.seek(events.current, next.count)
    setPosition(next)
  }, [])
  const seek = useCallback((count: number) => show(at(events.current, count)), [show])
  const goLive = useCallback(() => {
    setPlaying(false)
    setPosition(undefined)
    fold.current = undefined
  }, [])
  const current = useRef(position)
  current.current = position
  useEffect(() => {
    if (!isPlaying) return
    const timer = setInterval(() => {
      const before = current.current ?? at(events.current, 0)
      const next = advance(events.current, before, FRAME_MS * speed)
      show(next)
      if (next.count >= events.current.length) setPlaying(false)
    }, FRAME_MS)
    return () => clearInterval(timer)
  }, [isPlaying, speed, show])
  const play = useCallback(() => {
    const { current: all } = events
    const count = current.current?.count ?? all.length
    seek(count >= all.length ? 0 : count)
    setPlaying(true)
  }, [seek])
  return { log, view: position && fold.current?.view, position, isPlaying, speed, seek, play, pause: () => setPlaying(false), setSpeed, goLive }
}
