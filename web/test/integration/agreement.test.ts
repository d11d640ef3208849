/** The folded state of a client is the server's, at every offset at which both can be asked. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createSessions, type DurableChannel, type EventInput, type Sessions } from "../../src/index.js"
import { eventually } from "../support/eventually.js"
import { Headwater } from "../support/headwater.js"

const SEED = Number(process.env.SEED ?? 20_240_607)
const ROUNDS = 30

let server: Headwater
let sessions: Sessions

beforeAll(async () => {
  server = await Headwater.start()
  sessions = createSessions({ url: server.url })
})
afterAll(async () => {
  sessions.dispose()
  await server.stop()
})

/** Numbers from 0 to below n, the same for the same seed. */
function dice(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}

function randomEvent(roll: (n: number) => number): EventInput<DurableChannel> {
  const agentId = `agent-${roll(3)}`
  const call = `call-${roll(8)}`
  const choices: (() => EventInput<DurableChannel>)[] = [
    () => ({ channel: "chunks", data: { agentId, text: `t${roll(100)} ü😀 `, turn: roll(4) } }),
    () => ({ channel: "chunks", data: { agentId, text: "no turn " } }),
    () => ({ channel: "toolCalls", data: { id: call, agentId: "agent-0", tool: "make", input: { n: roll(9) }, status: "running" } }),
    () => ({ channel: "toolCalls", data: { id: call, agentId: "agent-0", tool: "make", input: 1, status: "complete", output: [roll(9)] } }),
    () => ({ channel: "terminal", data: { type: "output", source: "agent", data: `\u001b[32m${roll(99)}` } }),
    () => ({ channel: "workflow", data: { type: "approval:requested", payload: { deep: [{ n: roll(9) }] } } }),
    () => ({ channel: "agentState", data: { agentId, status: "running", turn: roll(4), message: roll(2) ? null : "on it" } }),
  ]
  return (choices[roll(choices.length)] as () => EventInput<DurableChannel>)()
}

describe("agreement", () => {
  it(`S-1.3 what is folded here is what the server says, seed ${SEED}`, async () => {
    const roll = dice(SEED)
    const { id } = await sessions.service.create({ projectId: "agreement" })
    const early = sessions.session(id)
    early.retain()
    await early.preload()
    let compared = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let event = 0; event <= roll(8); event += 1) {
        // A tool call that would go back in time is refused: that is no change either.
        await early.publish(randomEvent(roll)).catch(() => {})
      }
      if (round === ROUNDS / 2) await server.killAndRestart()
      const { offset, ...expected } = await sessions.service.state(id)
      await eventually(() => early.connection.get().offset === offset, `offset ${offset}`)
      // One who looks only now begins with a snapshot, and sees the same.
      const late = createSessions({ url: server.url })
      for (const session of [early, late.session(id)]) {
        await session.preload()
        for (const [name, rows] of Object.entries(expected)) {
          expect(session.tables[name as keyof typeof expected].get(), `${name} at ${offset}`).toEqual(rows)
        }
        compared += 1
      }
      late.dispose()
    }
    expect(compared).toBe(2 * ROUNDS)
  })
})
