"use client"
import { useMemo } from "react"
import type { AgentState, Message, Presence, TerminalLine, ToolCall } from "../channels.js"
import { derive, newestFirst } from "../derive.js"
import { SessionError } from "../errors.js"
import type { EventData } from "../events.js"
import type { PendingWrite } from "../optimistic.js"
import type { PresenceAcknowledgement, User } from "../service.js"
import type { Session } from "../session.js"
import type { Readable } from "../store.js"
import type { Sources } from "../tracker.js"
import { useConnectedSession, useTracked } from "./connect.js"
import { useUser, type InSession } from "./context.js"

export interface SessionValues {
  /** Oldest first. */
  messages: readonly Message[]
  /** Newest first. */
  toolCalls: readonly ToolCall[]
  presence: readonly Presence[]
  terminal: readonly TerminalLine[]
  /** Of the agent that was heard of last. */
  agentState: AgentState | null
  isConnected: boolean
  /** Until everything that there was has been read; reconnecting is no loading. */
  isLoading: boolean
  error: SessionError | null
}

export interface SessionResult extends SessionValues {
  session: Session
  sendInput: (data: string) => PendingWrite<"terminal">
  updatePresence: (data: Partial<EventData["presence"]>) => Promise<PresenceAcknowledgement>
}

/** Renders again only for the values that the component looks at. */
export function useSession(where?: InSession): SessionResult {
  const session = useConnectedSession(where)
  const user = useUser()
  const values = useTracked(useMemo(() => sourcesOf(session), [session]))
  const actions = useMemo(() => actionsOf(session, user), [session, user])
  return useMemo(() => Object.defineProperties(actions(), Object.getOwnPropertyDescriptors(values)), [values, actions])
}

function sourcesOf(session: Session): Sources<SessionValues> {
  const { tables, connection, loaded, participants } = session
  return {
    messages: tables.messages,
    toolCalls: newestFirst(tables.toolCalls),
    presence: participants,
    terminal: tables.terminal,
    agentState: latestState(tables.agentState),
    isConnected: derive([connection], () => connection.get().status === "connected"),
    isLoading: derive([loaded, connection], () => !loaded.get() && connection.get().status !== "disconnected"),
    error: derive([connection], () => connection.get().error),
  }
}

function latestState(states: Readable<readonly AgentState[]>): Readable<AgentState | null> {
  return derive([states], () => {
    const newer = (one: AgentState, other: AgentState): AgentState => (other.timestamp >= one.timestamp ? other : one)
    const [first, ...others] = states.get()
    return first ? others.reduce(newer, first) : null
  })
}

function actionsOf(session: Session, user: User | undefined): () => SessionResult {
  const actions = {
    session,
    sendInput: (data: string) => session.sendTerminalInput(data),
    updatePresence: async (data: Partial<EventData["presence"]>) => {
      const userId = data.userId ?? user?.userId
      if (userId === undefined) throw new SessionError({ code: "INVALID_PARAMS", message: "whose presence? no userId" })
      return session.sendPresenceUpdate({ ...user, ...data, userId })
    },
  }
  return () => ({ ...actions }) as SessionResult
}
