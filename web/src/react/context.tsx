"use client"
/** Which server, which session and which user the hooks below mean. Providers nest: an inner one adds to the outer. */
import { createContext, useContext, useMemo, useState, type ReactNode } from "react"
import type { DehydratedSession } from "../dehydrated.js"
import type { User } from "../service.js"
import type { Session } from "../session.js"
import { createSessions, type Sessions, type SessionsOptions } from "../sessions.js"

interface Context {
  sessions: Sessions | undefined
  sessionId: string | undefined
  user: User | undefined
}

const SessionContext = createContext<Context>({ sessions: undefined, sessionId: undefined, user: undefined })

export interface SessionProviderProps {
  /** The way to the server, when the application has one already. */
  sessions?: Sessions
  /** Or how to make one; read once. */
  options?: SessionsOptions
  sessionId?: string
  /** Who is looking: present in the session while `usePresence` is in use. */
  user?: User
  /** What a server rendered with. */
  dehydrated?: DehydratedSession | readonly DehydratedSession[]
  children?: ReactNode
}

export function SessionProvider(props: SessionProviderProps): ReactNode {
  const { sessions, options, sessionId, user, dehydrated, children } = props
  const outer = useContext(SessionContext)
  const [own] = useState(() => (sessions ?? outer.sessions ? undefined : createSessions(options)))
  const client = sessions ?? outer.sessions ?? own
  // During rendering, because children render with it; what is open already is left alone.
  useMemo(() => dehydrated && client?.hydrate(...[dehydrated].flat()), [client, dehydrated])
  const id = sessionId ?? outer.sessionId
  const who = user ?? outer.user
  const context = useMemo(() => ({ sessions: client, sessionId: id, user: who }), [client, id, who])
  return <SessionContext.Provider value={context}>{children}</SessionContext.Provider>
}

/** Which session a hook means, when not the provider's. */
export interface InSession {
  sessionId?: string | undefined
}

export function useSessionsClient(): Sessions {
  const { sessions } = useContext(SessionContext)
  if (!sessions) throw new Error("hooks of sessions need a <SessionProvider> above them")
  return sessions
}

export function useUser(): User | undefined {
  return useContext(SessionContext).user
}

/** The shared session, without connecting it. */
export function useUnconnectedSession({ sessionId }: InSession = {}): Session {
  const sessions = useSessionsClient()
  const outer = useContext(SessionContext).sessionId
  const id = sessionId ?? outer
  if (id === undefined) throw new Error("which session? give <SessionProvider> or the hook a sessionId")
  return sessions.session(id)
}
