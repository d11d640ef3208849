/** A session, its writer, and what everybody must see of it. */
const ROOT = "/v1/stream"

export class Session {
  #base
  #turn = 0
  #serial = 0
  /** channel → key → row, as the requirements say they end up. */
  rows = { toolCalls: new Map(), terminal: new Map(), workflow: new Map(), agentState: new Map() }
  /** `agent-turn` → text. */
  texts = new Map()

  static async create(base, title) {
    const session = new Session()
    session.#base = base
    const answer = await call(base, "POST", "/api/sessions", { projectId: "conformance", title })
    session.id = answer.data.id
    return session
  }

  get base() {
    return this.#base
  }

  get streamUrl() {
    return `${this.#base}${ROOT}/session/${this.id}`
  }

  /** Several agents at work: tokens, tools, terminal, approvals, states. */
  async work({ turns, tokens }) {
    for (let done = 0; done < turns; done += 1, this.#turn += 1) {
      const agentId = `agent-${this.#turn % 2}`
      const turn = this.#turn
      await this.#state(agentId, { status: "running", turn })
      for (let token = 0; token < tokens; token += 1) await this.#token(agentId, turn, `t${turn}.${token} ✓ `)
      await this.#tool(agentId)
      await this.#line("terminal", { type: "output", data: `\u001b[32mok\u001b[0m ${turn}\n`, source: "agent" })
      await this.#line("workflow", { type: "approval:requested", payload: { turn } })
      await this.#state(agentId, { status: "completed", message: `turn ${turn}` })
    }
  }

  async close() {
    await call(this.#base, "POST", `/api/sessions/${this.id}/close`)
  }

  async publish(channel, data) {
    const answer = await call(this.#base, "POST", `/api/streams?sessionId=${this.id}`, { channel, data })
    if (typeof answer.offset !== "string" || typeof answer.txid !== "string") throw new Error(JSON.stringify(answer))
    return answer
  }

  async log(view) {
    const query = view === "snapshot" ? "?offset=-1&view=snapshot" : "?offset=-1"
    return (await fetch(`${this.streamUrl}${query}`)).text()
  }

  async bytesOf(view) {
    return (await this.log(view)).length
  }

  async #token(agentId, turn, text) {
    await this.publish("chunks", { agentId, text, turn })
    const key = `${agentId}-${turn}`
    this.texts.set(key, (this.texts.get(key) ?? "") + text)
  }

  async #tool(agentId) {
    const started = await this.publish("toolCalls", { agentId, tool: "search", input: { q: "ü" }, status: "running" })
    await this.publish("toolCalls", { id: started.id, status: "complete", output: { hits: [1, 2] }, duration: 12 })
    const row = { id: started.id, agentId, sessionId: this.id, tool: "search", input: { q: "ü" }, status: "complete" }
    this.rows.toolCalls.set(started.id, { ...row, output: { hits: [1, 2] }, duration: 12 })
  }

  async #line(channel, data) {
    const id = `${channel}-${(this.#serial += 1)}`
    await this.publish(channel, { id, ...data })
    this.rows[channel].set(id, { id, sessionId: this.id, ...data })
  }

  async #state(agentId, data) {
    await this.publish("agentState", { agentId, ...data })
    const before = this.rows.agentState.get(agentId) ?? { agentId, sessionId: this.id }
    this.rows.agentState.set(agentId, { ...before, ...data })
  }
}

export async function call(base, method, path, body) {
  const answer = await fetch(`${base}${path}`, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const content = await answer.json()
  if (!answer.ok || content.ok === false) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(content)}`)
  return content
}
