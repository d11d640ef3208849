/** Where something was said, in all sessions; nothing is shown when the server keeps no index. */
import type { SearchHit, SessionRow } from "@headwater/sessions"
import { useSessionsClient } from "@headwater/sessions/react"
import { useEffect, useState, type ReactNode } from "react"
import { urlOf } from "../route.ts"
import { Ago, Link } from "../ui/parts.tsx"

const TYPING_MS = 250
const CHANNELS = { messages: "message", toolCalls: "tool call", terminal: "terminal" } as const

export function Found({ words, sessions }: { words: string; sessions: readonly SessionRow[] }): ReactNode {
  const { service } = useSessionsClient()
  const [hits, setHits] = useState<readonly SearchHit[]>([])
  useEffect(() => {
    let current = true
    const timer = setTimeout(() => {
      // Without an index, or while it fails, titles are all that can be searched.
      void service.search(words, { limit: 8 }).then((page) => current && setHits(page.hits), () => current && setHits([]))
    }, TYPING_MS)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [service, words])
  if (hits.length === 0) return null
  return (
    <section className="card found" aria-label="Found in sessions">
      <h2>Found in what was said and done</h2>
      <ul>
        {hits.map((hit) => (
          <li key={`${hit.sessionId} ${hit.channel} ${hit.key} ${hit.offset}`}>
            <Link to={urlOf.session(hit.sessionId)} className="hit">
              <span className="tiny muted">
                {sessions.find(({ id }) => id === hit.sessionId)?.title ?? hit.sessionId} · {CHANNELS[hit.channel]}
                {hit.agentId && <> · {hit.agentId}</>} · <Ago at={hit.timestamp} />
              </span>
              <span className="small">{hit.parts.map(({ text, match }, place) => (match ? <mark key={place}>{text}</mark> : <span key={place}>{text}</span>))}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  )
}
