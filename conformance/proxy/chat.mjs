/** A chat application on the AI SDK whose model is asked through the durable proxy, and whose messages are streams. */
import { createAnthropic } from "@ai-sdk/anthropic"
import { createOpenAI } from "@ai-sdk/openai"
import { createDurableChatTransport, toDurableStreamResponse } from "@durable-streams/aisdk-transport"
import { readUIMessageStream, streamText } from "ai"

const PROMPT = "What is a stream?"

/** The model of a format, asked with this `fetch`. */
export function model({ name }, upstream, fetch) {
  const options = { baseURL: `${upstream}/v1`, apiKey: "a-key", fetch }
  if (name === "anthropic-messages") return createAnthropic(options)("claude-sonnet-4-5")
  const openai = createOpenAI(options)
  return name === "openai-chat" ? openai.chat("gpt-4.1") : openai.responses("gpt-4.1")
}

/** What the SDK makes of a response: its text and why it ended. */
export async function answer(chosen) {
  const result = streamText({ model: chosen, prompt: PROMPT, maxRetries: 0, onError: () => {} })
  return { text: await result.text, finishReason: await result.finishReason }
}

/** The application: a browser's transport, and the handlers that it calls. */
export class Chat {
  #base
  #model
  #id

  constructor(base, id, chosen) {
    this.#base = base
    this.#id = id
    this.#model = chosen
  }

  get transport() {
    return createDurableChatTransport({ api: "http://chat.invalid/api/chat", fetchClient: this.#handle })
  }

  /** Sends a message and reads the answer until it has so many parts of text, then leaves. */
  async send(chunksMax) {
    const leave = new AbortController()
    const messages = [{ id: "1", role: "user", parts: [{ type: "text", text: PROMPT }] }]
    const sent = { trigger: "submit-message", chatId: this.#id, messages, abortSignal: leave.signal }
    const reader = (await this.transport.sendMessages(sent)).getReader()
    for (let chunks = 0; chunks < chunksMax; chunks += 1) await reader.read()
    leave.abort()
    await reader.cancel().catch(() => {})
  }

  /** The message, read by somebody who comes back. */
  async message() {
    let last
    const stream = await this.transport.reconnectToStream({ chatId: this.#id })
    for await (const message of readUIMessageStream({ stream })) last = message
    return last
  }

  #handle = async (url, { method }) => {
    const streamUrl = `${this.#base}/v1/stream/chat/${this.#id}`
    if (method === "GET") return Response.json({ streamUrl }, { headers: { location: streamUrl } })
    const result = streamText({ model: this.#model, prompt: PROMPT, maxRetries: 0 })
    const source = result.toUIMessageStream({ generateMessageId: () => "answer" })
    return toDurableStreamResponse({ source, stream: { writeUrl: streamUrl } })
  }
}

export const textOf = (message) => message.parts.filter(({ type }) => type === "text").map(({ text }) => text).join("")
