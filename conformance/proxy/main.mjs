/**
 * Responses of models in the formats of their providers, at their pace, through the durable proxy: the official client
 * reads the same bytes and the AI SDK makes the same message of them, whoever drops the connection, and after the server
 * was killed and started again.
 */
import { isDeepStrictEqual } from "node:util"
import { Headwater } from "../sessions/headwater.mjs"
import { answer, Chat, model, textOf } from "./chat.mjs"
import { ResponseChecks } from "./checks.mjs"
import { examples } from "./documentation.mjs"
import { begin, durableFetch, read, readSome, SECRET, storedFetch } from "./generation.mjs"
import { FORMATS, TEXT, Upstream } from "./upstream.mjs"

const TIME_LIMIT_MS = 120_000
const READERS = 60
const LIVE_MODES = ["long-poll", "sse"]

const checks = new ResponseChecks()
const upstream = await Upstream.start()
const server = await Headwater.start("--proxy-secret", SECRET, "--proxy-allow", `${upstream.url}/v1/**`)
try {
  await Promise.race([run(), timeLimit()])
} catch (error) {
  checks.fail("the suite ran to its end", error)
} finally {
  await server.stop()
  upstream.stop()
}
process.exit(checks.report())

async function run() {
  const stored = []
  for (const format of FORMATS) for (const live of LIVE_MODES) stored.push(await bytes(format, live))
  for (const format of FORMATS) for (const live of LIVE_MODES) await parsed(format, live)
  const chats = []
  for (const format of FORMATS) chats.push(await chat(format))
  await crowd()
  const halted = await halt()

  for (const { format, live, url, contentType, half } of stored) {
    const name = `${format.name} by ${live}, after the restart`
    checks.same(`${name}: the whole`, (await read(url, { live })).bytes, format.body)
    const rest = await read(url, { live, offset: half.offset })
    checks.same(`${name}: the rest`, Buffer.concat([half.bytes, rest.bytes]), format.body)
    const { text } = await answer(model(format, upstream.url, storedFetch(url, contentType)))
    checks.equal(`${name}: the SDK's text`, text, TEXT)
  }
  for (const { name, chat, message } of chats) {
    checks.check(`${name}: the same message after the restart`, isDeepStrictEqual(await chat.message(), message))
  }
  await halted()
  await documented()
}

/** Reads a response while it comes, at once and with a connection that drops. */
async function bytes(format, live) {
  const name = `${format.name} by ${live}`
  const asked = upstream.asked
  const { url, contentType } = await begin(server.url, `${upstream.url}${format.path}`)
  const [whole, half] = await Promise.all([read(url, { live }), readSome(url, { live, bytesMin: 3_000 })])
  checks.same(`${name}: the bytes are the upstream's`, whole.bytes, format.body)
  checks.check(`${name}: they come while it speaks`, whole.firstAt + 1_000 < upstream.endedAt)
  const rest = await read(url, { live, offset: half.offset })
  checks.check(`${name}: a reader can leave in the middle`, half.bytes.length < format.body.length)
  checks.same(`${name}: and go on where it was`, Buffer.concat([half.bytes, rest.bytes]), format.body)
  checks.equal(`${name}: the upstream is asked once`, upstream.asked - asked, 1)
  checks.equal(`${name}: its content type is known`, contentType, "text/event-stream; charset=utf-8")
  const last = await fetch(url)
  checks.equal(`${name}: it is complete`, last.headers.get("upstream-outcome"), "complete")
  return { format, live, url, contentType, half }
}

/** The AI SDK's providers on top of a response whose reader drops once. */
async function parsed(format, live) {
  const { text, finishReason } = await answer(model(format, upstream.url, durableFetch(server.url, live)))
  checks.equal(`${format.name} by ${live}: the SDK's text`, text, TEXT)
  checks.equal(`${format.name} by ${live}: the SDK's reason to end`, finishReason, "stop")
}

/** The AI SDK's transport: a browser that leaves in the middle of a message and comes back. */
async function chat(format) {
  const name = `${format.name} in a chat`
  const chat = new Chat(server.url, format.name, model(format, upstream.url, durableFetch(server.url, "sse")))
  await chat.send(5)
  const message = await chat.message()
  checks.equal(`${name}: the message of a browser that comes back`, textOf(message), TEXT)
  return { name, chat, message }
}

/** Many readers at once, so that they read late: the client then has the end before it has handed on what comes before. */
async function crowd() {
  const readers = Array.from({ length: READERS }, async (_, number) => {
    const format = FORMATS[number % FORMATS.length]
    const { url } = await begin(server.url, `${upstream.url}${format.path}`)
    return (await read(url, { live: "sse" })).bytes.equals(format.body)
  })
  const whole = (await Promise.all(readers)).filter((isWhole) => isWhole).length
  checks.equal(`${READERS} readers by sse at once have all bytes`, whole, READERS)
}

/** Kills the server in the middle of a response; what is checked once it is back. */
async function halt() {
  const [format] = FORMATS
  const { url } = await begin(server.url, `${upstream.url}${format.path}`)
  const half = await readSome(url, { live: "sse", bytesMin: 3_000 })
  await server.killAndRestart()
  return async () => {
    const { bytes } = await read(url, { live: "sse" })
    const isBeginning = bytes.length >= half.bytes.length && bytes.equals(format.body.subarray(0, bytes.length))
    checks.check("a response in whose middle the server was killed keeps what was read of it", isBeginning)
    const outcome = (await fetch(url)).headers.get("upstream-outcome")
    checks.equal("and says what ended it", outcome, "server-stopped")
  }
}

/** The examples of the documentation. */
async function documented() {
  const [format] = FORMATS
  const target = `${upstream.url}${format.path}`
  const { url } = await begin(server.url, target)
  const shown = []
  await examples.client(url, (bytes) => shown.push(bytes))
  checks.same("the documented reader with the client", Buffer.concat(shown), format.body)
  let resumed = await collect(examples.resume(url), 2)
  const { offset } = resumed.at(-1)
  resumed = [...resumed, ...(await collect(examples.resume(url, offset)))]
  checks.same("the documented reader with fetch, twice", Buffer.concat(resumed.map(({ bytes }) => bytes)), format.body)
  checks.equal("it knows the outcome", resumed.at(-1).outcome, "complete")
  const durable = examples.durableFetch(SECRET, server.url)
  checks.equal("the documented fetch in the SDK", (await answer(model(format, upstream.url, durable))).text, TEXT)
}

async function collect(pages, pagesMax = Infinity) {
  const collected = []
  for await (const page of pages) if (collected.push(page) >= pagesMax) break
  return collected
}

async function timeLimit() {
  await new Promise((resolve) => setTimeout(resolve, TIME_LIMIT_MS).unref())
  throw new Error(`not done within ${TIME_LIMIT_MS} ms`)
}
