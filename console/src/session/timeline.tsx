/** From the first event to now: look at any moment, let it play, go on from there. */
import { useSessionsClient } from "@headwater/sessions/react"
import { useMemo, useState, type ReactNode } from "react"
import { clock, count } from "../format.ts"
import { density, nextError, SPEEDS } from "../replay/player.ts"
import type { Replay } from "../replay/use-replay.ts"
import { go, urlOf } from "../route.ts"
import { Icon } from "../ui/icon.tsx"
import { messageOf } from "../ui/parts.tsx"

const BINS = 120

export function Timeline({ id, replay }: { id: string; replay: Replay }): ReactNode {
  const { log, position, isPlaying } = replay
  const { events } = log
  const shown = position?.count ?? events.length
  const began = events[0]?.at ?? 0
  const now = events[Math.max(0, shown - 1)]?.at ?? began
  const end = events.at(-1)?.at ?? began
  const error = useMemo(() => nextError(events, position?.count ?? 0), [events, position])
  const told = `${clock(now - began)} of ${clock(end - began)}, event ${shown} of ${events.length}`
  return (
    <section className="timeline" aria-label="Timeline">
      <button type="button" className="button icon" disabled={events.length === 0} aria-label={isPlaying ? "Pause the replay" : "Play from here"} title={isPlaying ? "Pause" : "Replay"} onClick={isPlaying ? replay.pause : replay.play}>
        <Icon name={isPlaying ? "pause" : "play"} />
      </button>
      <div className="speeds" role="group" aria-label="Speed">
        {SPEEDS.map((speed) => (
          <button key={speed} type="button" className="button quiet" aria-pressed={replay.speed === speed} onClick={() => replay.setSpeed(speed)}>{speed}×</button>
        ))}
      </div>
      <div className="scrubber">
        <Marks replay={replay} shown={shown} />
        <input type="range" min={0} max={events.length} value={shown} disabled={events.length === 0} aria-label="Moment of the session" aria-valuetext={told}
          onChange={(event) => { replay.pause(); replay.seek(Number(event.target.value)) }} />
      </div>
      <span className="tiny muted number timeline-told">{clock(now - began)} / {clock(end - began)}<br />{count(shown)} of {count(events.length)}{log.isComplete ? "" : "…"}</span>
      <button type="button" className="button" disabled={error === undefined} title="Go to the next failure" onClick={() => { if (error !== undefined) { replay.pause(); replay.seek(error) } }}>
        <Icon name="alert" /> <span className="wide">Next error</span>
      </button>
      <ForkHere id={id} offset={position ? events[position.count - 1]?.offset : undefined} disabled={position?.count === 0} />
      <button type="button" className="button live-button" aria-pressed={position === undefined} onClick={replay.goLive}><Icon name="live" /> <span className="wide">Live</span></button>
    </section>
  )
}

function Marks({ replay: { log }, shown }: { replay: Replay; shown: number }): ReactNode {
  const marks = useMemo(() => density(log.events, BINS), [log.events])
  const reached = log.events.length === 0 ? 0 : (shown / log.events.length) * BINS
  return (
    <svg className="marks" viewBox={`0 0 ${BINS} 20`} preserveAspectRatio="none" aria-hidden="true">
      {marks.map(({ weight, errors }, place) => (
        <rect key={place} x={place + 0.15} width={0.7} y={20 - 20 * weight} height={20 * weight} className={errors ? "error" : place < reached ? "past" : ""} />
      ))}
    </svg>
  )
}

function ForkHere({ id, offset, disabled }: { id: string; offset: string | undefined; disabled: boolean }): ReactNode {
  const { service } = useSessionsClient()
  const [state, setState] = useState<{ busy: boolean; refused?: string }>({ busy: false })
  const fork = async (): Promise<void> => {
    setState({ busy: true })
    try {
      const made = await service.fork(id, offset === undefined ? {} : { offset })
      setState({ busy: false })
      go(urlOf.session(made.id))
    } catch (error) {
      setState({ busy: false, refused: messageOf(error) })
    }
  }
  return (
    <>
      <button type="button" className="button" disabled={disabled || state.busy} title="A new session that shares everything up to this moment" onClick={() => void fork()}>
        <Icon name="fork" /> <span className="wide">Fork from here</span>
      </button>
      {state.refused && <span className="tiny" role="alert">Not forked: {state.refused}</span>}
    </>
  )
}
