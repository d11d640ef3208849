/**
 * A recorded token stream goes through Headwater while three readers follow it, each in its own way; the server is killed
 * and restarted on the way. All of them must end with the very bytes that were recorded.
 */
import { DurableStream, stream } from "@durable-streams/client"
import { loadRecording } from "./recording.mjs"
import { record } from "./producer.mjs"
import { follow, poll } from "./readers.mjs"
import { Headwater } from "../support/headwater.mjs"

/** How often the server is killed, at equal distances along the recording. */
const KILLS = Number(process.env.TOKEN_STREAM_KILLS ?? 3)

const TIME_LIMIT_MS = 120_000

const recording = await loadRecording()
const server = await Headwater.start()
const code = await Promise.race([run(), timeLimit()]).catch((error) => {
  console.error(error)
  return report([["the example ran to its end", false]])
})
await server.stop()
// Readers of a run that failed would go on reconnecting.
process.exit(code)

async function run() {
  const url = `${server.url}/v1/stream/transcript-${Date.now()}`
  await DurableStream.create({ url, contentType: "text/plain; charset=utf-8" })

  const readers = { "long-poll": follow(url, "long-poll"), SSE: follow(url, "sse"), "catch-up polling": poll(url) }
  const began = performance.now()
  const written = await record(url, recording.tokens, killAlongTheWay())
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`producer: ${recording.tokens.length} tokens, ${recording.bytes.length} bytes in ${seconds} s`)
  console.log(`producer: ${written.requests} requests, ${written.retries} attempts failed and were repeated`)
  console.log(`server: killed ${server.kills} times`)

  const checks = [["the server was killed as often as planned", server.kills === KILLS]]
  for (const [name, reader] of Object.entries(readers)) {
    const read = await reader
    console.log(`${name}: ${read.bytes.length} bytes in ${read.chunks} chunks, reconnected ${read.reconnects} times`)
    checks.push([`${name} ends with the recorded bytes`, recording.bytes.equals(read.bytes)])
  }
  const afterwards = await stream({ url, live: false })
  checks.push(["a reader that comes late gets the recorded bytes", recording.bytes.equals(await afterwards.body())])
  return report(checks)
}

/** Called before each token; kills the server when its turn has come. */
function killAlongTheWay() {
  const distance = recording.tokens.length / (KILLS + 1)
  return (token) => {
    if (server.kills < KILLS && token >= distance * (server.kills + 1)) void server.killAndRestart()
  }
}

async function timeLimit() {
  await new Promise((resolve) => setTimeout(resolve, TIME_LIMIT_MS).unref())
  throw new Error(`not done within ${TIME_LIMIT_MS} ms`)
}

function report(checks) {
  for (const [name, holds] of checks) console.log(`${holds ? "ok" : "FAILED"}: ${name}`)
  const failed = checks.filter(([, holds]) => !holds).length
  console.log(`${checks.length - failed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}
