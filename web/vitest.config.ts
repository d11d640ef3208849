import { defineConfig } from "vitest/config"
import SummaryReporter from "./test/support/summary-reporter.ts"

export default defineConfig({
  test: {
    reporters: ["default", new SummaryReporter()],
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], environment: "node" } },
      { test: { name: "react", include: ["test/react/**/*.test.{ts,tsx}"], environment: "happy-dom" } },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.{ts,tsx}"],
          environment: "node",
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
    ],
  },
})
