import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import SummaryReporter from "./test/support/summary-reporter.ts"

const source = (name: string): string => fileURLToPath(new URL(`./src/${name}`, import.meta.url))

/** The package by its name, as examples import it. */
const resolve = {
  alias: [
    { find: /^@headwater\/sessions$/, replacement: source("index.ts") },
    { find: /^@headwater\/sessions\/react$/, replacement: source("react/index.ts") },
    { find: /^@headwater\/sessions\/react\/suspense$/, replacement: source("react/suspense.ts") },
  ],
}

const binary = fileURLToPath(new URL("../target/release/headwater", import.meta.url))

export default defineConfig({
  resolve,
  test: {
    reporters: ["default", new SummaryReporter()],
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], environment: "node" } },
      { test: { name: "react", include: ["test/react/**/*.test.{ts,tsx}"], environment: "happy-dom" } },
      {
        resolve,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.{ts,tsx}"],
          environment: "node",
          env: { HEADWATER_BIN: process.env.HEADWATER_BIN ?? binary },
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
    ],
  },
})
