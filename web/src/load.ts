/** For servers that render: a session as it is now, read once. */
import type { DehydratedSession } from "./dehydrated.js"
import { createSession, type SessionOptions } from "./session.js"

export async function loadSession(id: string, options: SessionOptions = {}): Promise<DehydratedSession> {
  const session = createSession(id, options)
  try {
    await session.preload()
    return session.dehydrate()
  } finally {
    session.dispose()
  }
}
