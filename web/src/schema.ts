/** The streams of a session for people who read them with StreamDB: pass these as `state`. */
import { createStateSchema, type CollectionDefinition } from "@durable-streams/state"
import { CHANNELS, type AgentState, type Channel, type Chunk, type Presence } from "./channels.js"
import type { TerminalLine, ToolCall, WorkflowEvent } from "./channels.js"
import { isObject } from "./change.js"

/** The server has validated what it stores: here a row must have its key, and may have more fields than are known. */
function definition<Row>(channel: Channel): CollectionDefinition<Row> {
  const { type, key } = CHANNELS[channel]
  return {
    type,
    primaryKey: key,
    schema: {
      "~standard": {
        version: 1,
        vendor: "headwater",
        validate: (value) =>
          isObject(value) && typeof value[key] === "string"
            ? { value: value as Row }
            : { issues: [{ message: `not a ${type}: it has no ${key}`, path: [key] }] },
      },
    },
  }
}

/** Of the stream `session/{id}`. */
export const sessionSchema = /* @__PURE__ */ createStateSchema({
  chunks: definition<Chunk>("chunks"),
  toolCalls: definition<ToolCall>("toolCalls"),
  terminal: definition<TerminalLine>("terminal"),
  workflow: definition<WorkflowEvent>("workflow"),
  agentState: definition<AgentState>("agentState"),
})

/** Of the stream `session/{id}/presence`. */
export const presenceSchema = /* @__PURE__ */ createStateSchema({
  presence: definition<Presence>("presence"),
})
