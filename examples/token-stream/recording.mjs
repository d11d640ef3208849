/**
 * The recording: a transcript, and the length in bytes of each token it came in.
 *
 * Tokens of byte-level models end anywhere, also inside a character, so they are bytes here and not strings.
 */
import { readFile } from "node:fs/promises"

const fixture = (name) => new URL(`./fixture/${name}`, import.meta.url)

export async function loadRecording() {
  const bytes = await readFile(fixture("transcript.txt"))
  const lengths = (await readFile(fixture("token-lengths.txt"), "utf8")).trim().split(/\s+/).map(Number)
  const tokens = []
  let at = 0
  for (const length of lengths) {
    tokens.push(bytes.subarray(at, at + length))
    at += length
  }
  if (at !== bytes.length) throw new Error(`the tokens hold ${at} bytes, the transcript ${bytes.length}`)
  return { bytes, tokens }
}
