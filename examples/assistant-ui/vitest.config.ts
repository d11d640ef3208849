import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import SummaryReporter from "../../web/test/support/summary-reporter.ts"

const source = (name: string): string => fileURLToPath(new URL(`../../web/src/${name}`, import.meta.url))

/** The package as it is in this repository, with this folder's React and TanStack DB: there must be one of each. */
const resolve = {
  alias: [
    { find: /^@headwater\/sessions$/, replacement: source("index.ts") },
    { find: /^@headwater\/sessions\/react$/, replacement: source("react/index.ts") },
  ],
  dedupe: ["@durable-streams/client", "@durable-streams/state", "@tanstack/db", "@tanstack/react-db", "react", "react-dom"],
}

export default defineConfig({
  resolve,
  test: {
    projects: [
      {
        resolve,
        test: { name: "assistant-ui", include: ["*.test.tsx"], environment: "jsdom", testTimeout: 60_000, hookTimeout: 30_000 },
      },
    ],
    reporters: ["default", new SummaryReporter()],
  },
})
