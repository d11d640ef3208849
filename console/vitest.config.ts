import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import SummaryReporter from "./test/summary-reporter.ts"

const binary = fileURLToPath(new URL("../target/release/headwater", import.meta.url))

export default defineConfig({
  test: {
    reporters: ["default", new SummaryReporter()],
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], environment: "node" } },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          environment: "node",
          env: { HEADWATER_BIN: process.env.HEADWATER_BIN ?? binary },
          testTimeout: 40_000,
          hookTimeout: 40_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
