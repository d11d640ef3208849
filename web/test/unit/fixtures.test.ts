import { describe, expect, it } from "vitest"
import { CHANNEL_NAMES, CHANNELS } from "../../src/channels.js"
import { DURABLE_CHANNELS, Fold, PRESENCE_CHANNELS, SessionTables } from "../../src/fold.js"
import { joinChunks } from "../../src/messages.js"
import type { Chunk } from "../../src/channels.js"
import { fixtures, type Fixture } from "../support/fixtures.js"

const all = fixtures()

/** One message at a time, as live, or as one batch, as when catching up. */
function folded(fixture: Fixture, batches: "one" | "each"): SessionTables {
  const tables = new SessionTables()
  const durable = new Fold(tables.channels, DURABLE_CHANNELS)
  const presence = new Fold(tables.channels, PRESENCE_CHANNELS)
  for (const { expect } of fixture.steps) {
    for (const [fold, messages] of [[durable, expect.changes ?? []], [presence, expect.presence ?? []]] as const) {
      for (const message of messages) {
        fold.fold([message])
        if (batches === "each") tables.publish()
      }
    }
  }
  tables.publish()
  return tables
}

function rows(tables: SessionTables): { [type: string]: readonly object[] } {
  const present = CHANNEL_NAMES.filter((channel) => tables.channels[channel].size > 0)
  return Object.fromEntries(present.map((channel) => [CHANNELS[channel].type, tables.channels[channel].get()]))
}

describe("the shared fixtures", () => {
  it("S-1.3 there are fixtures to fold", () => {
    expect(all.length).toBeGreaterThan(5)
  })

  for (const fixture of all) {
    it(`S-1.3 rows and messages, event by event: ${fixture.title}`, () => {
      const tables = folded(fixture, "each")
      expect(rows(tables)).toEqual(fixture.rows)
      expect(tables.messages.get()).toEqual(fixture.messages)
    })

    it(`S-1.3 rows and messages, as one batch: ${fixture.title}`, () => {
      const tables = folded(fixture, "one")
      expect(rows(tables)).toEqual(fixture.rows)
      expect(tables.messages.get()).toEqual(fixture.messages)
    })

    it(`S-1.3 from the snapshot: ${fixture.title}`, () => {
      const tables = new SessionTables()
      new Fold(tables.channels, DURABLE_CHANNELS).fold(fixture.snapshot)
      tables.publish()
      const { chunk, presence, ...others } = fixture.rows
      const { chunk: merged = [], ...seen } = rows(tables)
      expect(seen).toEqual(others)
      expect([...joinChunks(merged as Chunk[]).values()]).toEqual(fixture.messages)
      expect(tables.messages.get()).toEqual(fixture.messages)
      expect(merged).toHaveLength(fixture.messages.length)
    })
  }
})
