import { act, cleanup, renderHook } from "@testing-library/react"
import { StrictMode, type ReactNode } from "react"
import { afterEach, beforeEach, vi } from "vitest"
import { createSessions, type Chunk, type Sessions } from "../../src/index.js"
import { SessionProvider } from "../../src/react/index.js"
import { FakeServer } from "./fake-server.js"

export let server: FakeServer
export let sessions: Sessions

/** A server of its own for each test of the file, in fake time. */
export function onStage(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_750_000_000_000 })
    server = new FakeServer()
    sessions = createSessions({ url: "http://server", fetch: server.fetch })
  })
  afterEach(() => {
    cleanup()
    sessions.dispose()
    vi.useRealTimers()
  })
}

export const pass = (ms = 0): Promise<void> => act(async () => void (await vi.advanceTimersByTimeAsync(ms)))

export const chunk = (id: string, text: string, turn = 1): Chunk => ({ id, agentId: "coder", sessionId: "s", text, turn, timestamp: 1 })

export function say(id: string, text: string, turn?: number): void {
  act(() => server.put("session/s", "chunks", chunk(id, text, turn)))
}

export function Inside({ children, user = "ada" }: { children: ReactNode; user?: string }): ReactNode {
  return (
    <StrictMode>
      <SessionProvider sessions={sessions} sessionId="s" user={{ userId: user, displayName: user }}>
        {children}
      </SessionProvider>
    </StrictMode>
  )
}

export const hook = <T,>(use: () => T) => renderHook(use, { wrapper: Inside }).result
