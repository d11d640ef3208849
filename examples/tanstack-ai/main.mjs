/**
 * A chat of TanStack AI over Headwater, with the official transport. Two people follow one session. While the model answers,
 * their connections are cut, one of them loads the page anew, and the server is killed three times, at any moment.
 */
import { openChat, textsOf } from "./chat.mjs"
import { startApp } from "./app.mjs"
import { materializeSnapshotFromDurableStream } from "@durable-streams/tanstack-ai-transport"
import { check, eventually, example } from "../support/checks.mjs"
import { Headwater } from "../support/headwater.mjs"
import { Line } from "../support/line.mjs"
import { STORY, TOKENS } from "../support/story.mjs"

const ID = "rivers"
const KILLS = 3
const at = (share) => Math.floor(TOKENS.length * share)

const server = await Headwater.start()
const line = await Line.to(server.url)
const streams = `${line.url}/v1/stream`
const happenings = new Map([
  [at(0.2), () => void server.killAndRestart()],
  [at(0.4), () => line.cut()],
  [at(0.5), () => void server.killAndRestart()],
  [at(0.7), reloadPage],
  [at(0.8), () => void server.killAndRestart()],
])
const app = await startApp({ streams: `${server.url}/v1/stream`, beforeToken: happenOnce })
await fetch(`${streams}/${ID}`, { method: "PUT", headers: { "Content-Type": "application/json" } })
const ada = openChat({ id: ID, app: app.url, streams })
let bob = openChat({ id: ID, app: app.url, streams })
const bobBefore = bob

await example(run, async () => {
  await app.stop()
  await line.stop()
  await server.stop()
})

async function run() {
  await ada.chat.sendMessage("Tell me about rivers")
  const conversation = ["user: Tell me about rivers", `assistant: ${STORY}`]
  await eventually(() => isEqual(textsOf(bob.chat.getMessages()), conversation), "Bob's page showing the answer")
  await eventually(() => isEqual(textsOf(ada.chat.getMessages()), conversation), "Ada's page showing the answer")

  check("the server was killed three times while the model answered", server.kills === KILLS)
  check("appends were repeated", app.counts.retries > 0)
  check("Ada's page lost its connection and shows the whole conversation once", ada.counts.failures > 0)
  check("Bob's page, loaded anew half-way, shows the same", bob !== bobBefore)
  check("the stream holds each token once, in order", isEqual(await tokensOfStream(), TOKENS))
  const { messages } = await materializeSnapshotFromDurableStream({ readUrl: `${streams}/${ID}` })
  check("who comes late gets the conversation as it was", isEqual(textsOf(messages), conversation))

  await bob.chat.sendMessage("And again?")
  const longer = [...conversation, "user: And again?", `assistant: ${STORY}`]
  await eventually(() => isEqual(textsOf(ada.chat.getMessages()), longer), "the second answer on Ada's page")
  check("the conversation goes on, for both", isEqual(textsOf(bob.chat.getMessages()), longer))
}

async function happenOnce(place) {
  const happening = happenings.get(place)
  happenings.delete(place)
  await happening?.()
}

/** What a server would render: the messages so far, and the offset to follow from. */
async function reloadPage() {
  bob.close()
  const { messages, offset } = await materializeSnapshotFromDurableStream({ readUrl: `${streams}/${ID}` })
  bob = openChat({ id: ID, app: app.url, streams, messages, offset })
}

async function tokensOfStream() {
  const chunks = await (await fetch(`${streams}/${ID}`)).json()
  const contents = chunks.filter(({ type, model }) => type === "TEXT_MESSAGE_CONTENT" && model !== "client")
  return contents.map(({ delta }) => delta)
}

function isEqual(one, other) {
  return JSON.stringify(one) === JSON.stringify(other)
}
