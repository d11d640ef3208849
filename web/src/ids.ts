/** UUIDs of version 7: unique, and sorted by the time they were made, also within a millisecond. */

const COUNTER_BITS = 12
const COUNTER_MAX = 2 ** COUNTER_BITS - 1

let lastMs = 0
let counter = 0

export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const now = Date.now()
  if (now > lastMs) {
    lastMs = now
    // Half the range is left to count up within the millisecond.
    counter = (((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0)) & (COUNTER_MAX >> 1)
  } else if (++counter > COUNTER_MAX) {
    lastMs += 1
    counter = 0
  }
  for (let place = 0; place < 6; place += 1) bytes[place] = Math.floor(lastMs / 2 ** (8 * (5 - place))) & 0xff
  bytes[6] = 0x70 | (counter >> 8)
  bytes[7] = counter & 0xff
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
}
