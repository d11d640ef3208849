/** The sessions that all clients must fold alike. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export interface Fixture {
  title: string
  session: string
  steps: { expect: { changes?: unknown[]; presence?: unknown[] } }[]
  /** Rows per type. */
  rows: { [type: string]: object[] }
  messages: object[]
  snapshot: unknown[]
}

const folder = fileURLToPath(new URL("../../../fixtures/sessions/", import.meta.url))

export function fixtures(): Fixture[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"))
  return names.map((name) => JSON.parse(readFileSync(`${folder}${name}`, "utf8")) as Fixture)
}
