// @vitest-environment happy-dom
/** The example of the documentation, as it stands there: two of them look at one session. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { cleanup, fireEvent, render } from "@testing-library/react"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createSessions, streamToken } from "../../src/index.js"
import { Viewer } from "../../examples/viewer.js"
import { eventually } from "../support/eventually.js"
import { Headwater } from "../support/headwater.js"

const text = (path: string): string => readFileSync(join(import.meta.dirname, path), "utf8")

let server: Headwater

beforeAll(async () => {
  server = await Headwater.start()
})
afterAll(() => server.stop())

describe("the viewer of the documentation", () => {
  it("S-0.1 stands in the documentation as it is tested, and has twenty lines", () => {
    const example = text("../../examples/viewer.tsx")
    expect(text("../../../docs/web.md")).toContain(`\`\`\`tsx\n${example}\`\`\``)
    expect(example.trimEnd().split("\n").length).toBeLessThanOrEqual(20)
  })

  it("S-1.3 shows what an agent says, who is there and what they type, to both", async () => {
    const { service } = createSessions({ url: server.url })
    const { id } = await service.create({ projectId: "docs" })
    const show = (userId: string): HTMLElement =>
      render(<Viewer url={server.url} sessionId={id} userId={userId} />).container
    const [ada, bob] = [show("ada"), show("bob")]
    await eventually(() => ada.textContent?.includes("connected: ada, bob") ?? false, "both users")
    await service.step(id, streamToken({ agentId: "coder", text: "Hello, both", turn: 1 }))
    await eventually(() => [ada, bob].every((each) => each.querySelector("p")?.textContent === "coder Hello, both"))
    const input = ada.querySelector("input") as HTMLInputElement
    fireEvent.change(input, { target: { value: "make test" } })
    fireEvent.submit(ada.querySelector("form") as HTMLFormElement)
    await eventually(() => [ada, bob].every((each) => each.querySelector("pre")?.textContent === "make test"))
    cleanup()
    await eventually(async () => (await service.presence(id)).length === 0, "both gone")
  })
})
