/** Builds the stage and shows it in a page, at an address of the server. */
import { fileURLToPath } from "node:url"
import react from "@vitejs/plugin-react"
import type { Page } from "playwright-core"
import { build, type Rolldown } from "vite"

export async function buildStage(): Promise<string> {
  const built = await build({
    configFile: false,
    root: fileURLToPath(new URL(".", import.meta.url)),
    mode: "development",
    define: { "process.env.NODE_ENV": '"development"' },
    logLevel: "error",
    plugins: [react()],
    resolve: { dedupe: ["react", "react-dom", "@tanstack/db", "@tanstack/react-db", "@durable-streams/client", "@durable-streams/state"] },
    build: { write: false, minify: false, target: "es2023", rolldownOptions: { input: fileURLToPath(new URL("stage.tsx", import.meta.url)) } },
  })
  const { output } = [built].flat()[0] as Rolldown.RolldownOutput
  const script = output.find((file) => file.type === "chunk" && file.isEntry)
  if (script?.type !== "chunk") throw new Error("the stage has no script")
  return script.code
}

export async function enter(page: Page, server: string, script: string, query: string): Promise<void> {
  await page.route("**/stage.html*", (route) => route.fulfill({ contentType: "text/html", body: '<!doctype html><title>Stage</title><div id="root"></div><script type="module" src="/stage.js"></script>' }))
  await page.route("**/stage.js", (route) => route.fulfill({ contentType: "text/javascript", body: script }))
  await page.goto(`${server}/stage.html?${query}`)
  await page.waitForFunction(() => "stage" in globalThis)
}
