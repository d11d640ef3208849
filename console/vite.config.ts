import react from "@vitejs/plugin-react"
import { defineConfig } from "vite"

/** Where `npm run dev` asks: any running server. */
const server = process.env.HEADWATER_URL ?? "http://127.0.0.1:4437"

export default defineConfig({
  base: "/console/",
  plugins: [react()],
  // The package is linked and brings its own copies of what must be there once.
  resolve: {
    dedupe: ["react", "react-dom", "@tanstack/db", "@tanstack/react-db", "@durable-streams/client", "@durable-streams/state"],
  },
  build: {
    outDir: "../crates/server/console",
    emptyOutDir: true,
    target: "es2023",
    // Inlined assets would be `data:` URLs, which the policy allows for images only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/v1", "/metrics", "/readyz", "/console/config.json"].map((path) => [path, { target: server }]),
    ),
  },
})
