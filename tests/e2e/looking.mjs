// Pictures of a screen, and whether everybody can read it.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const shots = here("../../shots/");
mkdirSync(shots, { recursive: true });
const axe = readFileSync(here("../../ui/node_modules/axe-core/axe.min.js"), "utf8");

/** Takes pictures of a screen in both themes; where the page is a browser's, everybody must be able to read it. */
export const looking = (name, page) => async (step, screen) => {
  // A page at rest draws no frames in the window, so a fade there would last.
  await page.run("const still = new CSSStyleSheet(); still.replaceSync('*, *::before { transition: none !important; animation: none !important }'); document.adoptedStyleSheets = [still]");
  for (const theme of ["light", "dark"]) {
    await page.run("document.documentElement.dataset.theme = arguments[0]", theme);
    await page.picture(`${shots}${name}-${screen}-${theme}.png`);
    if (name !== "chromium") continue;
    await step.test(`${screen} is accessible, ${theme}`, async () => {
      // A letter in a frame of its own is not the page's.
      const found = await page.later(`${axe}; const done = arguments[arguments.length - 1]; axe.run({ preload: false, iframes: false }).then((all) => done(all.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.html + " " + node.failureSummary).join(" | "))), (error) => done([String(error)]))`);
      assert.deepEqual(found, []);
    });
  }
  await page.run("document.documentElement.dataset.theme = 'light'");
};
