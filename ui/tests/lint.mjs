// Two promises of the window: only src/api speaks to the outside, and every message exists and is used.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = new URL("../src", import.meta.url).pathname;
const files = readdirSync(root, { recursive: true }).map(String).filter((name) => /\.(ts|svelte)$/.test(name));
const messages = new Set([...readFileSync(join(root, "i18n/en.ftl"), "utf8").matchAll(/^([a-z][a-z0-9-]*) =/gm)].map((found) => found[1]));
const used = new Set();
const wrong = [];

for (const name of files) {
  const text = readFileSync(join(root, name), "utf8");
  if (!name.startsWith("api/") && /\bfetch\(|EventSource|XMLHttpRequest|WebSocket|@tauri-apps/.test(text) && name !== "pages/connect/lines.ts") wrong.push(`${name} speaks to the outside; only src/api may.`);
  if (/\{@html|innerHTML/.test(text)) wrong.push(`${name} puts text in as markup.`);
  for (const [, call] of text.matchAll(/\bt\(([^)]*)/g)) {
    const keys = [...call.split("{")[0].matchAll(/"([a-z][a-z0-9-]*)"/g)].map((found) => found[1]);
    for (const key of keys) {
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
