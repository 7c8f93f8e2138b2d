// The stories of the owner, told once and seen twice: in the real window and in a browser.
// Run them with `tests/e2e/session.sh node --test tests/e2e/`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { engines, signalctl } from "./engines.mjs";
import { looking } from "./looking.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const shots = here("../../shots/");

/** Without a network but with this computer's own addresses. */
const offline = process.getuid() === 0 ? ["--net"] : ["--map-current-user", "--keep-caps", "--net"];

/** Software of the owner's that takes calls, or does not: it answers with `status`. */
async function cashDesk() {
  const desk = { calls: [], status: 200 };
  const server = createServer(async (request, answer) => {
    const body = Buffer.concat(await request.toArray());
    desk.calls.push({ headers: request.headers, body });
    answer.writeHead(desk.status).end(desk.status < 300 ? "thanks" : "broken");
    server.emit("call");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(desk, {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    close: () => server.close(),
    /** The call number `count`, once it came. */
    async call(count) {
      while (desk.calls.length < count) await once(server, "call", { signal: AbortSignal.timeout(20_000) });
      return desk.calls[count - 1];
    },
  });
}
function isSigned({ headers, body }, secret) {
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  assert.equal(headers["webhook-signature"], `v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
}

const wanted = process.env.SIGNALBOX_ENGINE;
for (const [name, open] of Object.entries(engines).filter(([name]) => !wanted || name === wanted)) {
  test(`a booking is recorded, delivered, seen in Activity, and still there offline (${name})`, async (story) => {
    const home = mkdtempSync(join(tmpdir(), `signalbox-${name}-`));
    const desk = await cashDesk();
    const app = await open(home);
    const page = app.browser;
    const look = looking(name, page);
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
        await page.see("recorded. One delivery is on its way.");
      });
      await story.test("the receiver gets it, signed", async () => {
        isSigned(await desk.call(1), secret);
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

  test(`the web person adds a webhook, tries it, changes its secret, and what failed is sent again (${name})`, async (story) => {
    const home = mkdtempSync(join(tmpdir(), `signalbox-${name}-`));
    const desk = await cashDesk();
    const app = await open(home);
    const page = app.browser;
    const look = looking(name, page);
    const book = (id, price) => {
      const booking = join(home, "booking.json");
      writeFileSync(booking, JSON.stringify({ bookingId: id, title: "Cut and colour", price, customer: { name: "Maria Petersen" } }));
      signalctl(home, "event", "booking.created", "--data", booking);
    };
    const shown = () => page.found("document.querySelector('[data-testid=secret]')?.innerText");
    let at;
    try {
      await story.test("a webhook is added and has a page of its own", async (step) => {
        await page.go("webhooks/add");
        await page.write("#webhook-name", "Online shop");
        await page.write("#webhook-url", desk.url);
        await page.press("It is on my own network");
        await page.press("Add webhook", "dialog");
        await shown();
        await page.press("I have stored it");
        await page.see("Nothing was sent yet.");
        at = `webhooks/${signalctl(home, "webhook", "list").items[0].id}`;
        await look(step, "webhook-new");
      });
      await story.test("it is tested with the sample of an event", async (step) => {
        await page.press("Send a test…");
        await page.choose("#test-event", "New booking");
        await page.press("Send a test", "dialog footer");
        await page.see("See request and answer");
        assert.equal(JSON.parse((await desk.call(1)).body).bookingId, "1042");
        await look(step, "webhook-test");
      });
      await story.test("request and answer of the test are seen", async () => {
        await page.press("See request and answer");
        await page.see("Request and answer");
        await page.see("thanks");
      });
      await story.test("its secret is changed, with both valid for a while", async (step) => {
        await page.go(`${at}?show=secret`);
        await page.press("Change the secret…");
        await look(step, "webhook-rotate");
        await page.press("Make a new secret");
        const secret = await shown();
        await page.press("I have stored it");
        await page.see("Two secrets are valid until");
        await look(step, "webhook-secret");
        await page.press("Finish now");
        await page.see("accepted a test with the new secret alone");
        isSigned(await desk.call(2), secret);
      });
      await story.test("it is set to give up at once, and only to be told of what costs more", async (step) => {
        book("1049", 30);
        await desk.call(3);
        await page.go(`${at}?show=settings`);
        await page.rewrite("#set-retryAttempts", "0");
        await page.press("Add a condition");
        await page.write(".lines input.path", "price");
        await page.choose(".lines select", "is more than");
        await page.write(".lines input.value", "50");
        await page.press("Try it on past events");
        await page.see("The only event since then does not fit.");
        await look(step, "webhook-settings");
        await page.press("Save changes");
        await page.see("Online shop was saved.");
      });
      await story.test("what did not get through needs the owner, and one press sends it again", async (step) => {
        desk.status = 500;
        for (const [id, price] of [["1050", 20], ["1051", 80], ["1052", 90]]) book(id, price);
        await page.go("needs-you");
        await page.see("Send the 2");
        await look(step, "needs-you");
        await page.go(at);
        await page.see("Send the 2");
        await look(step, "webhook-trouble");
        desk.status = 200;
        await page.go("needs-you");
        await page.press("Send the 2");
        await page.see("Nothing needs you");
        await look(step, "needs-you-solved");
        assert.deepEqual(desk.calls.slice(-2).map((call) => JSON.parse(call.body).bookingId).sort(), ["1051", "1052"]);
      });
      await story.test("Escape closes what was opened, and the focus goes back", async () => {
        await page.go(at);
        await page.press("Send a test…");
        await page.see("What it is sent");
        await page.key("\uE00C");
        await page.found("!document.querySelector('dialog') && document.activeElement.innerText.trim() === 'Send a test…'");
      });
    } finally {
      desk.close();
      await app.quit();
    }
  });
}
