// The two ways to look at Signalbox: its own window, and a browser at `signalctl serve --ui`.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Browser } from "./webdriver.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const built = `${process.env.CARGO_TARGET_DIR ?? `${root}target`}/debug`;

export function signalctl(home, ...args) {
  return JSON.parse(execFileSync(`${built}/signalctl`, [...args, "--json"], { env: { ...process.env, SIGNALBOX_HOME: home } }));
}

/** The same, where it fails gracefully: what it said. */
export function signalctlGracefully(home, ...args) {
  const { status, stdout } = spawnSync(`${built}/signalctl`, [...args, "--json"], { env: { ...process.env, SIGNALBOX_HOME: home }, encoding: "utf8" });
  if (status !== 75) throw new Error(`signalctl ended with ${status}, not gracefully`);
  return JSON.parse(stdout);
}

/** Ends when `pid` has: its folder in /proc is gone. */
async function gone(browser, pid) {
  await browser.patiently(() => {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    throw new Error(`process ${pid} did not end`);
  });
}

/** A folder whose `xdg-open` is a browser in which somebody says yes. */
function browserThatAllows(home) {
  const folder = `${home}/bin`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/xdg-open`, `#!/bin/sh\nexec "${process.execPath}" "${fileURLToPath(new URL("./allows.mjs", import.meta.url))}" "$1"\n`, { mode: 0o755 });
  return folder;
}

/** `practice`: on a practice workspace, with all stand-ins. `allow` is what the owner does in the browser that was opened. */
export const engines = {
  async window(home, { practice = false } = {}) {
    const browser = await Browser.start(
      "WebKitWebDriver",
      { "webkitgtk:browserOptions": { binary: `${built}/signalbox`, args: practice ? ["--practice"] : [] } },
      { TAURI_WEBVIEW_AUTOMATION: "true", SIGNALBOX_HOME: home, PATH: `${browserThatAllows(home)}:${process.env.PATH}` });
    await browser.patiently(() => browser.run("if (!document.querySelector('h1') || document.hidden) throw new Error('not yet')"));
    // The driver's own picture waits for a frame that a page at rest never draws.
    browser.picture = async (path) => {
      await browser.later("const done = arguments[0]; setTimeout(done, 250); requestAnimationFrame(() => requestAnimationFrame(done))");
      execFileSync("import", ["-window", "root", path]);
    };
    return {
      browser,
      // The browser of this desktop says yes by itself.
      async allow() {},
      async quit() {
        const { pid } = JSON.parse(readFileSync(`${home}/api.json`));
        // The page that would answer goes away.
        await browser.run("setTimeout(() => window.__TAURI_INTERNALS__.invoke('quit'))").catch(() => {});
        await gone(browser, pid);
        await browser.end();
      },
    };
  },

  async chromium(home, { practice = false } = {}) {
    const serve = spawn(`${built}/signalctl`, [practice ? "practice" : "serve", "--port", "0", "--ui", `${root}ui/dist`], {
      stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, SIGNALBOX_HOME: home },
    });
    const [line] = await once(createInterface(serve.stdout), "line");
    const browser = await Browser.start("chromedriver", {
      "goog:chromeOptions": { args: ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1180,760"] },
    });
    await browser.call("POST", "/url", { url: JSON.parse(line).ui });
    return {
      browser,
      async allow() {
        await browser.elsewhere(async () => {
          await browser.press("Allow");
          // The next page comes from elsewhere, so what looks for it may be cut off.
          await browser.patiently(() => browser.run("if (!document.body?.innerText.includes('You can close this tab')) throw new Error('not signed in yet')"));
        });
      },
      async quit() {
        await browser.end();
        const ended = once(serve, "exit");
        serve.kill("SIGTERM");
        const [code] = await ended;
        if (code !== 0) throw new Error(`signalctl serve ended with ${code}`);
      },
    };
  },
};
