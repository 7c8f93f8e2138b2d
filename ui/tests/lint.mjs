// The promises of the window's tree: who may import whom, that only src/api speaks to the outside, that
// text is never put in as markup, and that every message exists and is used.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const root = new URL("../src", import.meta.url).pathname;
const files = readdirSync(root, { recursive: true }).map(String).filter((name) => /\.(ts|svelte)$/.test(name));
const messages = new Set([...readFileSync(join(root, "i18n/en.ftl"), "utf8").matchAll(/^([a-z][a-z0-9-]*) =/gm)].map((found) => found[1]));
const used = new Set();
const wrong = [];

// What stands at the top of the tree may use everything; types of the API may be used everywhere.
const may = { pages: ["state", "components", "i18n"], components: ["i18n"], state: ["api", "i18n"], api: ["i18n"], i18n: [] };
const layer = (name) => (name.includes("/") ? name.split("/")[0] : null);

for (const name of files) {
  const text = readFileSync(join(root, name), "utf8");
  const own = layer(name);
  for (const [, only, from] of text.matchAll(/^\s*(?:import|export) (type )?[^;]*?from "(\.[^"]+)"/gm)) {
    const target = normalize(join(dirname(name), from));
    const other = layer(target);
    if (!own || !other || only) continue;
    const across = own === "pages" && other === "pages" && name.split("/")[1] !== target.split("/")[1];
    if (across || (own !== other && !may[own]?.includes(other))) wrong.push(`${name} imports ${target}, which ${own} may not.`);
  }
  if (own !== "api") {
    if (/from "@tauri-apps|import\("@tauri-apps/.test(text)) wrong.push(`${name} imports Tauri; only src/api may.`);
    // The lines to copy are text for other programs.
    if (name !== "pages/connect/lines.ts" && /\bfetch\(|new (EventSource|XMLHttpRequest|WebSocket)\b/.test(text)) wrong.push(`${name} speaks to the outside; only src/api may.`);
  }
  if (/\{@html|innerHTML|insertAdjacentHTML/.test(text)) wrong.push(`${name} puts text in as markup.`);
  // A key that is put together: all that begin like it are said.
  for (const [, start] of text.matchAll(/\bt\(`([a-z-]+-)\$\{/g)) for (const key of messages) if (key.startsWith(start)) used.add(key);
  for (const [, call] of text.matchAll(/\bt\(([^)]*)/g)) {
    for (const [, key] of call.split("{")[0].matchAll(/"([a-z][a-z0-9-]*)"/g)) {
      used.add(key);
      if (!messages.has(key)) wrong.push(`${name} says “${key}”, which en.ftl does not know.`);
    }
  }
}
for (const key of messages) if (!used.has(key)) wrong.push(`en.ftl knows “${key}”, which nobody says.`);

if (wrong.length) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
console.log(`${files.length} files, ${messages.size} messages: nothing to object to.`);
