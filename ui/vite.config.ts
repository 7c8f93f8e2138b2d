import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  server: { host: "127.0.0.1", port: 5173, strictPort: true },
  // Everything is a file of its own: the page's policy allows no inline style, script or font.
  build: { target: "safari16.4", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  resolve: mode === "test" ? { conditions: ["browser"] } : {},
  test: { environment: "jsdom", include: ["tests/*.test.ts"], testTimeout: 30_000 },
}));
