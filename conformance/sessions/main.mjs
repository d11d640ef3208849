/**
 * The official StreamDB on a session's stream: every collection is right, from the log and from a snapshot, by long-poll
 * and SSE, live and across a restart of the server.
 */
import { Headwater } from "./headwater.mjs"
import { SessionChecks } from "./checks.mjs"
import { Session } from "./session.mjs"
import { Viewer } from "./viewer.mjs"

const TIME_LIMIT_MS = 120_000
const LIVE_MODES = ["long-poll", "sse"]
const VIEWS = ["log", "snapshot"]

const checks = new SessionChecks()
const server = await Headwater.start()
try {
  await Promise.race([run(), timeLimit()])
} catch (error) {
  checks.fail("the suite ran to its end", error)
} finally {
  await server.stop()
}
process.exit(checks.report())

async function run() {
  const session = await Session.create(server.url, "history")
  await session.work({ turns: 4, tokens: 25 })

  const logBefore = await session.log()

  const early = await viewers(session)
  for (const viewer of early) await checks.sees(`${viewer.name}: what was there`, viewer, session)

  await session.work({ turns: 2, tokens: 10 })
  for (const viewer of early) await checks.sees(`${viewer.name}: what came while it watched`, viewer, session)

  await checks.presence("presence is seen, and goes when a user leaves", session)
  await checks.agent("an agent's stream holds its part of two sessions", server.url)

  const logBytes = await session.bytesOf("log")
  const snapshotBytes = await session.bytesOf("snapshot")
  checks.check(`a snapshot is smaller than the log (${snapshotBytes} of ${logBytes} bytes)`, snapshotBytes < logBytes / 2)
  // A JSON page is an array: without its end, the older one begins the newer one.
  const isKept = (await session.log()).startsWith(logBefore.slice(0, -1))
  checks.check("the log stays as it was, whoever asked for snapshots", isKept)

  early.forEach((viewer) => viewer.close())
  await server.killAndRestart()
  const late = await viewers(session)
  for (const viewer of late) await checks.sees(`${viewer.name}: what was there before the restart`, viewer, session)
  await session.work({ turns: 1, tokens: 10 })
  for (const viewer of late) await checks.sees(`${viewer.name}: what came after the restart`, viewer, session)

  await session.close()
  for (const viewer of await viewers(session)) await checks.sees(`${viewer.name}: a closed session`, viewer, session)
  late.forEach((viewer) => viewer.close())
}

async function viewers(session) {
  const opened = []
  for (const live of LIVE_MODES) for (const view of VIEWS) opened.push(await Viewer.open(session, live, view))
  return opened
}

async function timeLimit() {
  await new Promise((resolve) => setTimeout(resolve, TIME_LIMIT_MS).unref())
  throw new Error(`not done within ${TIME_LIMIT_MS} ms`)
}
