// One small WebDriver client for WebKitWebDriver and chromedriver alike, in the words of a person:
// press, write, see.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";
const PATIENCE_MS = 20_000;

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class Browser {
  static async start(program, capabilities, env = {}) {
    const port = await freePort();
    const driver = spawn(program, [`--port=${port}`], { stdio: "ignore", env: { ...process.env, ...env } });
    const browser = new Browser(driver, `http://127.0.0.1:${port}`);
    await browser.patiently(() => browser.call("GET", "/status"));
    const { sessionId } = await browser.call("POST", "/session", { capabilities: { alwaysMatch: capabilities } });
    browser.base += `/session/${sessionId}`;
    await browser.call("POST", "/timeouts", { script: PATIENCE_MS });
    return browser;
  }

  constructor(driver, base) {
    this.driver = driver;
    this.base = base;
  }

  async call(method, path, body) {
    const answer = await fetch(this.base + path, { signal: AbortSignal.timeout(2 * PATIENCE_MS), method, body: body && JSON.stringify(body), headers: body && { "content-type": "application/json" } });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  }

  /** Until a driver answers, or a page that is on its way has come. */
  async patiently(attempt) {
    for (let end = Date.now() + PATIENCE_MS; ; ) {
      try {
        return await attempt();
      } catch (error) {
        if (Date.now() > end) throw error;
        await new Promise((later) => setTimeout(later, 50));
      }
    }
  }

  run(script, ...args) {
    return this.call("POST", "/execute/sync", { script, args });
  }
  later(script, ...args) {
    return this.call("POST", "/execute/async", { script, args });
  }

  /** What the expression finds, as soon as a change of the page lets it find something. */
  async found(expression, ...args) {
    const script = `
      const done = arguments[arguments.length - 1], given = [...arguments].slice(0, -1);
      const look = () => (function () { return ${expression} }).apply(null, given);
      const hit = look();
      if (hit) return done(hit);
      const watch = new MutationObserver(() => { const hit = look(); if (hit) { watch.disconnect(); done(hit); } });
      watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });`;
    try {
      return await this.later(script, ...args);
    } catch (error) {
      const page = await this.run("return document.body?.innerText ?? ''").catch(() => "");
      throw new Error(`${error.message}\nlooked for ${expression} of ${JSON.stringify(args)}; the page says:\n${page}`);
    }
  }

  see(text) {
    return this.found("document.body?.innerText.includes(arguments[0])", text);
  }

  /** Presses what bears this name; again where the page drew it anew meanwhile. */
  press(name, within = "body") {
    return this.patiently(async () => {
      const element = await this.found(
        `[...document.querySelectorAll(arguments[1] + " :is(a, button, label)")].find((one) => one.innerText.trim().startsWith(arguments[0]) && one.getClientRects().length)`,
        name, within);
      await this.call("POST", `/element/${element[ELEMENT]}/click`, {});
    });
  }

  /** Presses what has no name of its own to be found by. */
  tap(selector) {
    return this.patiently(async () => {
      const element = await this.found("document.querySelector(arguments[0])", selector);
      await this.call("POST", `/element/${element[ELEMENT]}/click`, {});
    });
  }

  write(selector, text) {
    return this.patiently(async () => {
      const element = await this.found("document.querySelector(arguments[0])", selector);
      await this.call("POST", `/element/${element[ELEMENT]}/value`, { text });
    });
  }

  /** Writes over what stands there. */
  rewrite(selector, text) {
    return this.patiently(async () => {
      const element = await this.found("document.querySelector(arguments[0])", selector);
      await this.call("POST", `/element/${element[ELEMENT]}/clear`, {});
      await this.call("POST", `/element/${element[ELEMENT]}/value`, { text });
    });
  }

  /** Picks what bears this name in a list of choices. */
  choose(selector, name) {
    return this.found(`(() => {
      const list = document.querySelector(arguments[0]);
      const option = [...(list?.options ?? [])].find((one) => one.label === arguments[1]);
      if (!option) return null;
      list.value = option.value;
      list.dispatchEvent(new Event("change", { bubbles: true }));
      return true;
    })()`, selector, name);
  }

  /** Presses and lets go a key. */
  async key(value) {
    await this.call("POST", "/actions", { actions: [{ type: "key", id: "keys", actions: [{ type: "keyDown", value }, { type: "keyUp", value }] }] });
  }

  /** Does something in the tab that was opened beside this one, and closes it. */
  async elsewhere(act) {
    const here = await this.call("GET", "/window");
    const there = await this.patiently(async () => {
      const other = (await this.call("GET", "/window/handles")).find((one) => one !== here);
      if (!other) throw new Error("no other tab was opened");
      return other;
    });
    await this.call("POST", "/window", { handle: there });
    await act();
    await this.call("DELETE", "/window");
    await this.call("POST", "/window", { handle: here });
  }

  async go(page) {
    await this.run(`location.hash = "#/${page}"`);
  }

  /** Once nothing moves any more: a theme that changes fades. */
  async picture(path) {
    await this.later(`const done = arguments[arguments.length - 1];
      const moving = document.getAnimations().filter((one) => one.effect?.getComputedTiming().iterations !== Infinity);
      Promise.allSettled(moving.map((one) => one.finished)).then(() => done(true));`);
    await writeFile(path, Buffer.from(await this.call("GET", "/screenshot"), "base64"));
  }

  /** Ends the driver; what it drove ends before. */
  async end() {
    await this.call("DELETE", "").catch(() => {});
    const gone = once(this.driver, "exit");
    this.driver.kill();
    await gone;
  }
}
