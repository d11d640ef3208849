"use client"
/** One hook per thing to look at. Selectors narrow what a component renders again for. */
import { useCallback, useEffect, useMemo, useRef } from "react"
import type { AgentStreamState } from "../agent.js"
import type { Channel, Cursor, Message, Presence, TerminalLine, ToolCall } from "../channels.js"
import type { ConnectionState } from "../connection.js"
import { derive, newestFirst } from "../derive.js"
import type { Tables } from "../fold.js"
import type { PendingWrite, WriteOptions } from "../optimistic.js"
import type { Handler } from "../router.js"
import type { SessionRow, User } from "../service.js"
import { inputHistory } from "../terminal.js"
import type { ReadableTable } from "../table.js"
import { useConnectedSession, useReadable, type IsEqual, type Select } from "./connect.js"
import { useSessionsClient, useUser, type InSession } from "./context.js"

export interface Selecting<S> extends InSession {
  isEqual?: IsEqual<S>
}

export type RowOf<Name extends keyof Tables> = Tables[Name] extends ReadableTable<infer Row> ? Row : never

/** The rows of any table, in stream order. */
export function useRows<Name extends keyof Tables, S = readonly RowOf<Name>[]>(
  name: Name,
  select?: Select<readonly RowOf<Name>[], S>,
  options?: Selecting<S>,
): S {
  const table = useConnectedSession(options).tables[name] as ReadableTable<RowOf<Name>>
  return useReadable(table, select, options?.isEqual)
}

/** Oldest first. */
export function useMessages<S = readonly Message[]>(
  select?: Select<readonly Message[], S>,
  options?: Selecting<S>,
): S {
  return useReadable(useConnectedSession(options).tables.messages, select, options?.isEqual)
}

/** Newest first. */
export function useToolCalls<S = readonly ToolCall[]>(
  select?: Select<readonly ToolCall[], S>,
  options?: Selecting<S>,
): S {
  return useReadable(newestFirst(useConnectedSession(options).tables.toolCalls), select, options?.isEqual)
}

export interface AgentStreamResult extends AgentStreamState {
  clearStreaming: () => void
}

export function useAgentStream(agentId: string, options?: InSession): AgentStreamResult {
  const agent = useConnectedSession(options).agent(agentId)
  const state = useReadable(agent)
  return useMemo(() => ({ ...state, clearStreaming: agent.clearStreaming }), [agent, state])
}

export interface PresenceResult {
  /** Who was seen within half a minute, the user included. */
  participants: readonly Presence[]
  onlineCount: number
  /** May be called as often as the pointer moves. */
  updateCursor: (cursor: Cursor) => void
}

/** Who is there; and the user of the provider, or the one given, is there while the component is mounted. */
export function usePresence(options: InSession & { user?: User } = {}): PresenceResult {
  const session = useConnectedSession(options)
  const outer = useUser()
  const { userId, displayName, avatarUrl } = options.user ?? outer ?? {}
  const attendance = userId === undefined ? undefined : session.attend(userId)
  // ORDER: described before joining, so that nobody is seen without a name first.
  useEffect(() => attendance?.describe({ displayName, avatarUrl }), [attendance, displayName, avatarUrl])
  useEffect(() => attendance?.retain(), [attendance])
  const participants = useReadable(session.participants)
  const updateCursor = useCallback((cursor: Cursor) => attendance?.updateCursor(cursor), [attendance])
  return useMemo(
    () => ({ participants, onlineCount: participants.length, updateCursor }),
    [participants, updateCursor],
  )
}

export interface TerminalResult {
  lines: readonly TerminalLine[]
  /** What users put in, newest first, at most 50. */
  inputHistory: readonly string[]
  sendCommand: (command: string, options?: WriteOptions<"terminal">) => PendingWrite<"terminal">
}

export function useTerminal(options?: InSession): TerminalResult {
  const session = useConnectedSession(options)
  const lines = useReadable(session.tables.terminal)
  return useMemo(
    () => ({
      lines,
      inputHistory: inputHistory(lines),
      sendCommand: (command, write) => session.sendTerminalInput(command, write),
    }),
    [session, lines],
  )
}

export interface ConnectionResult extends ConnectionState {
  /** Tries at once, also after a fatal error. */
  reconnect: () => void
}

/** Everything of the connection; with a selector, a part. */
export function useConnection(options?: InSession): ConnectionResult
export function useConnection<S>(select: Select<ConnectionState, S>, options?: Selecting<S>): S
export function useConnection<S>(
  first?: Select<ConnectionState, S> | InSession,
  second?: Selecting<S>,
): ConnectionResult | S {
  const select = typeof first === "function" ? first : undefined
  const options: Selecting<S> | undefined = typeof first === "function" ? second : first
  const session = useConnectedSession(options)
  const state = useReadable<ConnectionState, S | ConnectionState>(session.connection, select ?? identity)
  return useMemo(
    () => (select ? (state as S) : { ...(state as ConnectionState), reconnect: () => session.reconnect() }),
    [session, select === undefined, state],
  )
}

/** Hears what happens while the component is mounted, always with the handler of the latest render. */
export function useSessionEvent<C extends Channel | "*">(channel: C, handler: Handler<C>, options?: InSession): void {
  const session = useConnectedSession(options)
  const latest = useRef(handler)
  useEffect(() => void (latest.current = handler))
  useEffect(() => session.on(channel, (event) => latest.current(event)), [session, channel])
}

/** Writes that show and are not confirmed yet, oldest first. */
export function usePendingWrites(options?: InSession): readonly PendingWrite[] {
  return useReadable(useConnectedSession(options).pendingWrites)
}

export interface SessionListResult {
  sessions: readonly SessionRow[]
  isLoading: boolean
  connection: ConnectionState
}

/** All sessions of the server, live, in the order in which they were created. */
export function useSessionList(): SessionListResult {
  const { registry } = useSessionsClient()
  useEffect(() => registry.retain(), [registry])
  const list = useMemo(() => {
    const { sessions, loaded, connection } = registry
    const sources = [sessions, loaded, connection]
    return derive(sources, () => ({ sessions: sessions.get(), isLoading: !loaded.get(), connection: connection.get() }))
  }, [registry])
  return useReadable(list)
}

function identity<T>(value: T): T {
  return value
}
