/** What is checked of bytes and texts. */
import { Checks } from "../checks.mjs"

export class ResponseChecks extends Checks {
  same(name, seen, expected) {
    this.check(name, Buffer.compare(seen, expected) === 0, `${seen.length} of ${expected.length} bytes, or other ones`)
  }

  equal(name, seen, expected) {
    this.check(name, seen === expected, `${JSON.stringify(seen)} instead of ${JSON.stringify(expected)}`)
  }
}
