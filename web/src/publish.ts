/** Publishing one kind of thing at a time, for those who write sessions and do not watch them. */
import {
  agentStateEvent,
  chunkEvent,
  terminalEvent,
  toolCallEvent,
  workflowEvent,
  type EventData,
  type EventInput,
} from "./events.js"
import type { Acknowledgement, SessionService, User } from "./service.js"

/** A session, or what can send to one. */
export interface Publisher {
  readonly id: string
  readonly service: SessionService
}

const publish = ({ id, service }: Publisher, event: EventInput): Promise<Acknowledgement> => service.publish(id, event)

export const publishChunk = (to: Publisher, data: EventData["chunks"]) => publish(to, chunkEvent(data))

export const publishToolCall = (to: Publisher, data: EventData["toolCalls"]) => publish(to, toolCallEvent(data))

export const publishAgentState = (to: Publisher, data: EventData["agentState"]) => publish(to, agentStateEvent(data))

export const publishTerminal = (to: Publisher, data: EventData["terminal"]) => publish(to, terminalEvent(data))

export const publishWorkflow = (to: Publisher, data: EventData["workflow"]) => publish(to, workflowEvent(data))

export const publishPresence = ({ id, service }: Publisher, data: EventData["presence"]) =>
  service.updatePresence(id, data)

export const joinSession = ({ id, service }: Publisher, user: User) => service.join(id, user, { snapshot: false })

export const leaveSession = ({ id, service }: Publisher, userId: string) => service.leave(id, userId)
