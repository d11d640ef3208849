/**
 * A chat of the Vercel AI SDK over Headwater, with the official transport. While the model answers, the reader's connection
 * is cut, the page is loaded anew, and the server is killed and started again. The answer is there once, and whole.
 */
import { answerOf, openChat } from "./chat.mjs"
import { startApp } from "./app.mjs"
import { nothingInFlight } from "./in-flight.mjs"
import { scriptedModel } from "./model.mjs"
import { check, eventually, example } from "../support/checks.mjs"
import { Headwater } from "../support/headwater.mjs"
import { Line } from "../support/line.mjs"
import { STORY, TOKENS } from "../support/story.mjs"

// A reader that breaks also rejects a promise that nobody holds: a line in a browser's console, the end of a Node process.
process.on("unhandledRejection", (reason) => {
  if (!isLostConnection(reason)) throw reason
})

const CHAT = { id: "rivers" }
const quarter = (count) => Math.floor((TOKENS.length * count) / 4)

const server = await Headwater.start()
const line = await Line.to(server.url)
const happenings = new Map([
  [quarter(1), () => line.cut()],
  [quarter(2), reloadPage],
  [quarter(3), restartServer],
])
const model = scriptedModel(happenOnce)
const app = await startApp({ model, streams: `${server.url}/v1/stream`, readStreams: `${line.url}/v1/stream` })
let page = openChat({ ...CHAT, app: app.url })
const firstPage = page

await example(run, async () => {
  await app.stop()
  await line.stop()
  await server.stop()
})

async function run() {
  // It fails with the connection that is cut, and the chat resumes by itself.
  await page.chat.sendMessage({ text: "Tell me about rivers" })
  await eventually(() => !app.chats.get(CHAT.id).active && page.chat.status === "ready", "the end of the answer")

  check("the reader noticed that its connection was cut", firstPage.counts.failures > 0)
  check("the server was killed once", server.kills === 1)
  check("the page that was loaded anew shows the whole answer once", answerOf(page.chat) === STORY)
  const { messages, last } = app.chats.get(CHAT.id)
  check("it shows the messages that the application has stored", sameMessages(page.chat.messages, messages))
  check("the stream holds each token once, in order, and is closed", await streamIsWhole(last))

  const late = openChat({ ...CHAT, app: app.url, messages })
  await late.resume()
  check("who comes when it is over resumes nothing", late.chat.status === "ready" && answerOf(late.chat) === STORY)

  await page.chat.sendMessage({ text: "And again?" })
  check("the chat goes on: a second answer is whole", answerOf(page.chat) === STORY && page.chat.messages.length === 4)
}

async function happenOnce(place) {
  const happening = happenings.get(place)
  happenings.delete(place)
  await happening?.()
}

/** A new page knows what the application stored, and that is the question only. */
async function reloadPage() {
  await page.chat.stop()
  page = openChat({ ...CHAT, app: app.url, messages: app.chats.get(CHAT.id).messages })
  void page.resume()
}

/**
 * While the model thinks and all appends are answered: this transport's writer does not number its appends, and one that
 * is killed before its answer arrives would be repeated.
 */
async function restartServer() {
  const said = TOKENS.slice(0, quarter(3)).join("")
  await eventually(() => answerOf(page.chat) === said && nothingInFlight(), "all appends being answered")
  await server.killAndRestart()
}

function isLostConnection(reason) {
  return reason instanceof TypeError && reason.cause?.code === "UND_ERR_SOCKET"
}

async function streamIsWhole(name) {
  const response = await fetch(`${server.url}/v1/stream/${name}`)
  const deltas = (await response.json()).filter(({ type }) => type === "text-delta").map(({ delta }) => delta)
  return response.headers.get("stream-closed") === "true" && JSON.stringify(deltas) === JSON.stringify(TOKENS)
}

function sameMessages(shown, stored) {
  const told = (messages) => JSON.stringify(messages.map(({ id, role, parts }) => ({ id, role, parts })))
  return told(shown) === told(stored)
}
