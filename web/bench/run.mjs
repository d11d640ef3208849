/**
 * Our package beside the official StreamDB, in a real browser, against the real binary: in turns within one run. A figure is the
 * median of the rounds, a ratio the median of the rounds' own ratios.
 *
 *     npm run bench -- [--rounds N] [--only TEXT] [--replay SECONDS] [--write]
 */
import { readFile, writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { startBrowser } from "./browser.mjs"
import { replay } from "./replay.mjs"
import { workloads } from "./workloads.mjs"
import { Headwater } from "../../examples/support/headwater.mjs"

const README = new URL("./README.md", import.meta.url)
const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    /** How long the hour of replay takes; 0 leaves it out. */
    replay: { type: "string", default: "72" },
    write: { type: "boolean", default: false },
  },
})

const server = await Headwater.start()
const browser = await startBrowser()
const lines = []
try {
  for (const [name, workload] of Object.entries(workloads)) {
    if (name.includes(options.only)) await compare(name, workload)
  }
  const seconds = Number(options.replay)
  if (seconds > 0 && "replay".includes(options.only)) tell(await replay({ server, browser, seconds }))
} finally {
  await browser.stop()
  await server.stop()
}
if (options.write) await writeTable()

async function compare(name, workload) {
  const rounds = []
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const order = round % 2 === 0 ? ["headwater", "streamdb"] : ["streamdb", "headwater"]
    const figures = {}
    for (const implementation of order) figures[implementation] = await workload({ server, browser, implementation })
    rounds.push(figures)
  }
  const [first] = rounds
  for (const [place, measure] of Object.keys(first.headwater).entries()) {
    const of = (implementation) => median(rounds.map((figures) => figures[implementation][measure].value))
    const ratio = median(rounds.map(({ headwater, streamdb }) => headwater[measure].value / streamdb[measure].value))
    const { unit } = first.headwater[measure]
    const cells = [place === 0 ? name : "", measure, told(of("headwater"), unit), told(of("streamdb"), unit), toldRatio(ratio)]
    tell([cells])
  }
}

function tell(rows) {
  for (const cells of rows) {
    lines.push(`| ${cells.join(" | ")} |`)
    console.log(lines.at(-1))
  }
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)]
}

function told(value, unit) {
  if (!Number.isFinite(value)) return "never"
  const digits = value >= 100 || unit === "" ? 0 : 1
  return `${value.toFixed(digits)} ${unit}`.trim()
}

function toldRatio(ratio) {
  if (!Number.isFinite(ratio) || ratio <= 0) return "–"
  return ratio < 0.01 ? "< 0.01×" : `${ratio.toFixed(2)}×`
}

async function writeTable() {
  const head = "| workload | measure | `@headwater/sessions` | StreamDB | ratio |\n| --- | --- | ---: | ---: | ---: |"
  const text = await readFile(README, "utf8")
  const table = `<!-- results begin -->\n${head}\n${lines.join("\n")}\n<!-- results end -->`
  await writeFile(README, text.replace(/<!-- results begin -->[^]*<!-- results end -->/, table))
}
