import { defineConfig } from "vitest/config"

/** One project per store, so that a report names the store a failure belongs to. */
const project = (store: "disk" | "memory") => ({
  test: {
    name: store,
    include: ["conformance.test.ts"],
    globalSetup: ["./server.ts"],
    // The suite's own property tests outlast Vitest's default on a loaded machine.
    testTimeout: 30_000,
    provide: { store },
  },
})

export default defineConfig({ test: { projects: [project("disk"), project("memory")] } })
