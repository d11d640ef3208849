/** The JavaScript of the documentation, as it stands there. */
import { readFileSync } from "node:fs"
import { stream } from "@durable-streams/client"

const IMPORT = 'import { stream } from "@durable-streams/client"\n'
const AsyncFunction = (async () => {}).constructor

const page = readFileSync(new URL("../../docs/proxy.md", import.meta.url), "utf8")
const blocks = [...page.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code)

/** The only block that has this in it. */
function block(mark) {
  const [code, another] = blocks.filter((code) => code.includes(mark))
  if (!code || another) throw new Error(`docs/proxy.md has not exactly one example with ${mark}`)
  return code
}

export const examples = {
  /** Reads with the official client. */
  async client(url, show) {
    const code = block(IMPORT).replace(IMPORT, "")
    await new AsyncFunction("stream", "url", "savedOffset", "show", code)(stream, url, undefined, show)
  },
  /** Reads with `fetch`. */
  resume: new Function(`${block("function* resume")}; return resume`)(),
  /** A `fetch` for libraries. */
  durableFetch(secret, proxy) {
    const code = `${block("function durableFetch")}; return durableFetch`
    return new Function("stream", "secret", "proxy", code)(stream, secret, proxy)
  },
}
