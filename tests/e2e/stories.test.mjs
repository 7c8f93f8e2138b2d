// The stories of the owner, told once and seen twice: in the real window and in a browser.
// Run them with `tests/e2e/session.sh node --test tests/e2e/`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { engines, signalctl } from "./engines.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const shots = here("../../shots/");
mkdirSync(shots, { recursive: true });
const axe = readFileSync(here("../../ui/node_modules/axe-core/axe.min.js"), "utf8");

/** Without a network but with this computer's own addresses. */
const offline = process.getuid() === 0 ? ["--net"] : ["--map-current-user", "--keep-caps", "--net"];

async function cashDesk() {
  const calls = [];
  const server = createServer(async (request, answer) => {
    const body = Buffer.concat(await request.toArray());
    calls.push({ headers: request.headers, body });
    answer.end("thanks");
    server.emit("call");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { calls, url: `http://127.0.0.1:${server.address().port}/hook`, called: once(server, "call"), close: () => server.close() };
}

const wanted = process.env.SIGNALBOX_ENGINE;
for (const [name, open] of Object.entries(engines).filter(([name]) => !wanted || name === wanted)) {
  test(`a booking is recorded, delivered, seen in Activity, and still there offline (${name})`, async (story) => {
    const home = mkdtempSync(join(tmpdir(), `signalbox-${name}-`));
    const desk = await cashDesk();
    const app = await open(home);
    const page = app.browser;
    const look = async (step, screen) => {
      for (const theme of ["light", "dark"]) {
        await page.run("document.documentElement.dataset.theme = arguments[0]", theme);
        await page.picture(`${shots}${name}-${screen}-${theme}.png`);
        if (name !== "chromium") continue;
        await step.test(`${screen} is accessible, ${theme}`, async () => {
          const found = await page.later(`${axe}; const done = arguments[arguments.length - 1]; axe.run({ preload: false }).then((all) => done(all.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.html + " " + node.failureSummary).join(" | "))), (error) => done([String(error)]))`);
          assert.deepEqual(found, []);
        });
      }
      await page.run("document.documentElement.dataset.theme = 'light'");
    };
    let secret;
    try {
      if (name === "window") {
        await story.test("the page cannot be tampered with through prototypes", async (step) => {
          assert.equal(await page.run("return Object.isFrozen(Object.prototype)"), true);
        });
      }
      await story.test("a webhook is added, and its secret is shown once", async (step) => {
        await page.press("Webhooks");
        await page.press("Add webhook");
        await page.write("#webhook-name", "Cash desk");
        await page.write("#webhook-url", desk.url);
        await page.press("It is on my own network");
        await look(step, "add-webhook");
        await page.press("Add webhook", "dialog");
        secret = await page.found("document.querySelector('[data-testid=secret]')?.innerText");
        await page.press("I have stored it");
        await page.see("Cash desk");
      });
      await story.test("the secret lies in the keychain", () => {
        const [workspace] = signalctl(home, "workspace", "list").items;
        const [webhook] = signalctl(home, "webhook", "list").items;
        const kept = execFileSync("secret-tool", ["lookup", "service", "signalbox", "username", `${workspace.id}/${webhook.id}`], { encoding: "utf8" });
        assert.ok(kept.includes(secret), "secret-tool shows another secret");
      });
      await story.test("a booking is recorded by hand", async (step) => {
        await page.press("Today");
        await page.press("Record an event");
        await page.press("Fill in a sample", "dialog");
        await look(step, "record");
        await page.press("Record", "dialog form footer");
        await page.see("recorded. One receiver is being told.");
      });
      await story.test("the receiver gets it, signed", async (step) => {
        await desk.called;
        const [{ headers, body }] = desk.calls;
        const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
        const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
        assert.equal(headers["webhook-signature"], `v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
      });
      await story.test("Activity shows it delivered", async (step) => {
        await page.press("Activity");
        await page.see("Received");
        await look(step, "activity");
        await page.press("", ".log");
        await page.see("Attempts");
        await look(step, "delivery");
      });
      await story.test("every other screen can be looked at", async (step) => {
        for (const [screen, sentence] of [["today", "Just now"], ["webhooks", "Cash desk"], ["connect", "Connect your software"]]) {
          await page.go(screen);
          await page.see(sentence);
          await look(step, screen);
        }
      });
    } finally {
      desk.close();
      await app.quit();
    }
    await story.test("after quit and a start without network it is still there", () => {
      const up = 'ip link set lo up && exec "$@"';
      execFileSync("unshare", [...offline, "sh", "-c", up, "sh", process.execPath, here("reopened.mjs"), name, home, `${shots}${name}-offline.png`], { stdio: "inherit" });
    });
  });
}
