/**
 * What would be published, once it is built: every entry can be imported by its name and comes with types and source maps,
 * the core needs no React, and our own code, gzipped and with peers left out, stays small: all of it, and what an
 * application that imports one function pays.
 */
import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
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
  { name: "the core", code: all("index"), without: "react" },
  { name: "the hooks, with what they use", code: all("react/index") },
  { name: "everything", code: all("index", "react/index", "react/suspense"), limit: LIMIT_BYTES },
  { name: "one small function", code: `export { newId } from "${source}index.ts"`, limit: 1_000 },
]

let passed = 0
let failed = 0
function check(name, holds) {
  if (holds) passed += 1
  else failed += 1
  console.log(`${holds ? "ok" : "FAILED"}: ${name}`)
}

const { exports, name: packageName } = JSON.parse(await readFile(join(root, "package.json"), "utf8"))
for (const [entry, target] of Object.entries(exports)) {
  if (typeof target === "string") continue
  const name = join(packageName, entry)
  const entities = await import(name).catch((error) => (console.error(error), {}))
  check(`${name} can be imported`, Object.keys(entities).length > 0)
  const beside = [target.types, `${target.default}.map`].map((file) => join(root, file))
  check(`${name} has types and a source map`, beside.every((file) => existsSync(file)))
}
for (const { name, code, limit, without } of cases) {
  const { bytes, imports } = await bundle(code)
  if (limit !== undefined) check(`${name}: ${bytes} bytes gzipped of ${limit}`, bytes < limit)
  else console.log(`   ${name}: ${bytes} bytes gzipped`)
  if (without) check(`${name} imports no ${without}`, imports.every((each) => !each.includes(without)))
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

async function bundle(code) {
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
    const chunks = output.filter(({ type }) => type === "chunk")
    const bytes = gzipSync(chunks.map((chunk) => chunk.code).join("")).length
    return { bytes, imports: chunks.flatMap((chunk) => chunk.imports) }
  } finally {
    await rm(folder, { recursive: true })
  }
}
