/**
 * Two people write into one Yjs document through Headwater, with the official provider and the official Yjs server. The network
 * is cut, the server is killed, both go on typing all the while, and a third comes late. All documents end equal.
 */
import { YjsServer } from "@durable-streams/y-durable-streams/server"
import { openDocument } from "./document.mjs"
import { check, eventually, example, sleep } from "../support/checks.mjs"
import { Headwater } from "../support/headwater.mjs"
import { Line } from "../support/line.mjs"
import { TOKENS } from "../support/story.mjs"

const TYPING_INTERVAL_MS = 10
const WORDS = 200

const server = await Headwater.start()
// It turns documents into streams. Without compaction: that adds one to offsets, which are opaque to clients of the protocol.
const yjs = new YjsServer({ dsServerUrl: server.url, compactionThreshold: Number.POSITIVE_INFINITY })
await yjs.start()
const line = await Line.to(yjs.url)
const where = { baseUrl: `${line.url}/v1/yjs/notes`, docId: "shared/rivers" }
const open = []
// The packages log every request that fails. Here, that is the plan.
console.error = () => {}

await example(run, async () => {
  for (const each of open) each.close()
  await line.stop()
  await yjs.stop()
  await server.stop()
})

async function run() {
  const [ada, bob] = [join(), join()]
  await eventually(() => ada.provider.synced && bob.provider.synced, "both being connected")
  await Promise.all([type(ada, "ada"), type(bob, "bob"), trouble()])
  await eventually(() => isWhole(ada) && isWhole(bob) && text(ada) === text(bob), "both documents being whole and equal")
  check("the server was killed while both were typing", server.kills === 1)
  check("providers gave up and were connected again", ada.losses() + bob.losses() > 0)
  check("both documents are equal and hold every word once", text(ada) === text(bob) && isWhole(ada))
  check("fields that both wrote agree", ada.doc.getMap("last").get("word") === bob.doc.getMap("last").get("word"))

  const late = join()
  await eventually(() => text(late) === text(ada), "the late document being equal")
  check("who comes late has the same document", isWhole(late))

  const restarted = server.killAndRestart()
  late.doc.getText("notes").insert(0, "Written meanwhile. ")
  await restarted
  await eventually(() => [ada, bob].every((each) => text(each).startsWith("Written meanwhile")), "the last edit arriving")
  check("an edit made while the server restarts arrives everywhere", text(ada) === text(late) && text(bob) === text(late))
}

function join() {
  const document = openDocument(where)
  open.push(document)
  return document
}

async function type({ doc }, name) {
  const list = doc.getArray(name)
  for (let place = 0; place < WORDS; place += 1) {
    const word = TOKENS[place % TOKENS.length].trim()
    doc.transact(() => {
      list.push([place])
      doc.getText("notes").insert(doc.getText("notes").length, `${name}-${place} ${word}\n`)
      doc.getMap("last").set("word", word)
    })
    await sleep(TYPING_INTERVAL_MS)
  }
}

async function trouble() {
  const wait = (WORDS * TYPING_INTERVAL_MS) / 5
  await sleep(wait)
  line.cut()
  await sleep(wait)
  await server.killAndRestart()
  await sleep(wait)
  line.cut()
}

function text({ doc }) {
  return doc.getText("notes").toString()
}

/** Every word of both is there once; those of one person are in the order of typing. */
function isWhole({ doc }) {
  return ["ada", "bob"].every((name) => {
    const places = doc.getArray(name).toArray()
    const written = [...doc.getText("notes").toString().matchAll(new RegExp(`${name}-(\\d+) `, "g"))]
    return places.length === WORDS && places.every((place, index) => place === index) && written.length === WORDS
  })
}
