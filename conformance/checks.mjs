/** What is checked, counted and reported. */
export class Checks {
  #passed = 0
  #failed = 0

  check(name, holds, detail = "") {
    if (holds) this.#passed += 1
    else this.#failed += 1
    console.log(`${holds ? "ok" : "FAILED"}: ${name}${holds || !detail ? "" : `\n  ${detail}`}`)
  }

  fail(name, error) {
    this.check(name, false, error.stack ?? String(error))
  }

  /** Prints the count; answers the exit code. */
  report() {
    console.log(`${this.#passed} passed, ${this.#failed} failed`)
    return this.#failed === 0 && this.#passed > 0 ? 0 : 1
  }
}
