/**
 * The size of our own code, gzipped, with peers left out: every entry, and what an application that imports one function
 * pays. Fails when all entries together reach the limit.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { isAbsolute, join } from "node:path"
import { gzipSync } from "node:zlib"
import { fileURLToPath } from "node:url"
import { build } from "vite"

const LIMIT_BYTES = 25_000
const root = fileURLToPath(new URL("..", import.meta.url))

const source = fileURLToPath(new URL("../src/", import.meta.url))
const all = (...names) => names.map((name, place) => `export * as entry${place} from "${source}${name}.ts"`).join("\n")

const cases = [
  { name: "the core", code: all("index") },
  { name: "the hooks, with what they use", code: all("react/index") },
  { name: "everything", code: all("index", "react/index", "react/suspense"), limit: LIMIT_BYTES },
  { name: "one small function", code: `export { newId } from "${source}index.ts"`, limit: 1_000 },
]

let failed = 0
for (const { name, code, limit } of cases) {
  const bytes = await sizeOf(code)
  const isSmall = limit === undefined || bytes < limit
  if (!isSmall) failed += 1
  console.log(`${isSmall ? "ok" : "FAILED"}: ${name}: ${bytes} bytes gzipped${limit === undefined ? "" : ` of ${limit}`}`)
}
const checked = cases.filter(({ limit }) => limit !== undefined).length
console.log(`${checked - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

async function sizeOf(code) {
  const folder = await mkdtemp(join(tmpdir(), "size-"))
  const entry = join(folder, "entry.ts")
  await writeFile(entry, code)
  try {
    const { output } = await build({
      root,
      logLevel: "error",
      configFile: false,
      build: {
        write: false,
        minify: true,
        rollupOptions: {
          input: entry,
          preserveEntrySignatures: "strict",
          external: (id) => !id.startsWith(".") && !isAbsolute(id),
        },
      },
    })
    return gzipSync(output.map((file) => (file.type === "chunk" ? file.code : "")).join("")).length
  } finally {
    await rm(folder, { recursive: true })
  }
}
