/** What the scripted models of the examples say, token by token. Nothing here asks a network. */
const SENTENCES = [
  "A stream is a promise that what was said stays said. ",
  "Η ροή συνεχίζεται, токен за токеном, 一つずつ, 🌊 and 👩‍👩‍👧‍👦 with it. ",
  "\n\n- data: this line only looks like the wire format\n- {\"type\":\"text-delta\"} so does this one\n\n",
]
const REPEATS = 12

/** Words with the space after them; no two neighbours tell where a gap or a repetition would be, so each is numbered. */
export const TOKENS = Array.from({ length: REPEATS }, () => SENTENCES)
  .flat()
  .flatMap((sentence) => sentence.match(/\S*\s+/gu) ?? [])
  .map((token, place) => (place % 10 === 0 ? `[${place}] ${token}` : token))

export const STORY = TOKENS.join("")
