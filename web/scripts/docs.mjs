/** Writes the TypeScript examples of the documentation to files, for the type check. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

const path = (name) => fileURLToPath(new URL(name, import.meta.url))
const folder = path("../docs-examples/")
const documents = [path("../../docs/web.md"), path("../README.md")]

await rm(folder, { recursive: true, force: true })
await mkdir(folder)
let count = 0
for (const document of documents) {
  const text = await readFile(document, "utf8")
  for (const [, language, code] of text.matchAll(/^```(tsx?)\n([^]*?)^```$/gm)) {
    await writeFile(`${folder}example-${(count += 1)}.${language}`, code)
  }
}
if (count === 0) throw new Error("the documentation has no example")
