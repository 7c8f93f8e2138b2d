// Stories of the owner's days, told once and seen twice: in the real window and in a browser.
// Run them with `tests/e2e/session.sh node --test tests/e2e/owner.test.mjs`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { engines, signalctl } from "./engines.mjs";
import { sendGrid } from "./sendgrid.mjs";
import { twilio } from "./twilio.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const shots = here("../../shots/");
mkdirSync(shots, { recursive: true });

/** The only way out of this session; see session.sh. */
const wifi = (what) => execFileSync(here("wifi.sh"), [what], { stdio: "inherit" });
const address = "10.77.0.2";

/** Software of the owner's, at an address that is there while the Wi-Fi is. */
async function cashDesk() {
  const desk = { calls: [], status: 200 };
  const server = createServer(async (request, answer) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()));
    desk.calls.push({ id: request.headers["webhook-id"], about: body.bookingId });
    answer.writeHead(desk.status).end();
    server.emit("call");
  }).listen(0, "0.0.0.0");
  await once(server, "listening");
  return Object.assign(desk, {
    url: `http://${address}:${server.address().port}/hook`,
    close: () => server.close(),
    /** The call number `count`, once it came. */
    async call(count) {
      while (desk.calls.length < count) await once(server, "call", { signal: AbortSignal.timeout(30_000) });
      return desk.calls[count - 1];
    },
  });
}

const wanted = process.env.SIGNALBOX_ENGINE;
for (const [name, open] of Object.entries(engines).filter(([name]) => !wanted || name === wanted)) {
  /** A business with its cash desk connected, and what happens to it in a story. */
  const business = async (tell) => {
    const home = mkdtempSync(join(tmpdir(), `signalbox-${name}-`));
    const desk = await cashDesk();
    let app;
    const day = {
      home, desk,
      get page() { return app.browser; },
      async start() {
        app = await open(home);
        await day.page.found("document.querySelector('h1')");
      },
      async quit() {
        const ended = app;
        app = undefined;
        await ended.quit();
      },
      /** As when the battery is empty. */
      async crash() {
        process.kill(JSON.parse(readFileSync(join(home, "api.json"))).pid, "SIGKILL");
        const ended = app;
        app = undefined;
        await ended.browser.end();
      },
      /** What the owner's own software says to Signalbox. */
      async say(path, body) {
        const { url } = JSON.parse(readFileSync(join(home, "api.json")));
        const began = performance.now();
        const answer = await fetch(`${url}${path}`, { method: body ? "POST" : "GET", headers: { authorization: `Bearer ${day.token}`, ...(body && { "content-type": "application/json" }) }, body: body && JSON.stringify(body) });
        const said = await answer.json();
        assert.ok(answer.ok, JSON.stringify(said));
        return { ...said, took: performance.now() - began };
      },
      book: (id, customer = {}) => day.say("/api/events", { type: "booking.created", data: { bookingId: id, title: "Cut and colour", customer: { name: "Maria Petersen", ...customer } } }),
      look: (screen) => day.page.picture(`${shots}${name}-${screen}.png`),
      async search(typed) {
        await day.page.go("activity");
        await day.page.found("document.querySelector('[role=combobox]') && !document.querySelector('[role=combobox] + .off')");
        await day.page.write("[role=combobox]", typed);
      },
      /** Deliveries that fit, oldest first, each with its attempts. */
      async deliveries(filter) {
        const { deliveries } = await day.say(`/api/deliveries?order=asc&${filter}`);
        return Promise.all(deliveries.map(async (one) => (await day.say(`/api/deliveries/${one.id}`)).delivery));
      },
    };
    try {
      await day.start();
      signalctl(home, "webhook", "add", "--name", "Cash desk", "--url", desk.url, "--event", "booking.created", "--allow-private-network");
      day.token = signalctl(home, "token", "create", "Booking software", "--scope", "full").token;
      await tell(day);
    } finally {
      desk.close();
      await app?.quit();
    }
  };

  test(`bookings while the Wi-Fi is down (${name})`, (story) => business(async (day) => {
    const { desk } = day;
    await story.test("the Wi-Fi goes, four people book, and each booking is accepted at once", async () => {
      wifi("off");
      const took = [];
      for (const id of ["1047", "1048", "1049", "1050"]) took.push((await day.book(id)).took);
      assert.ok(Math.min(...took) < 100, `accepted within ${took.map(Math.round)} ms`);
    });
    await story.test("the window says that four wait for internet", async () => {
      await day.page.go("today");
      await day.page.see("No internet since");
      await day.page.see("4 messages are waiting for it and go out by themselves.");
      await day.look("wifi-down-today");
      await day.page.go("activity");
      await day.page.see("Waiting for internet");
      assert.equal((await day.deliveries("status=held&statusReason=offline")).length, 4);
      await day.look("wifi-down-activity");
    });
    await story.test("quit and started again, and after a crash, they still wait", async () => {
      await day.quit();
      await day.start();
      await day.page.see("4 messages are waiting for it");
      await day.crash();
      await day.start();
      await day.page.see("4 messages are waiting for it");
      assert.equal(desk.calls.length, 0);
    });
    await story.test("the Wi-Fi is back: within 30 s all go out, oldest first, none twice", async () => {
      wifi("on");
      await desk.call(4);
      await day.page.see("All good. 4 messages since midnight, none waiting.");
      const sent = await day.deliveries("status=success");
      const began = sent.map((one) => one.attempts.at(-1).startedAt);
      assert.deepEqual(began, began.toSorted());
      assert.equal(new Set(desk.calls.map((call) => call.id)).size, 4);
      assert.equal(desk.calls.length, 4);
    });
    await story.test("the log says when each came, when it went, and why so late", async () => {
      await day.search("1047");
      await day.page.found("document.querySelectorAll('.log [role=row]').length === 1");
      await day.page.press("", ".log");
      await day.page.see("Received by Cash desk at");
      await day.page.see("There was no internet from");
      await day.page.see("It waited here and went out by itself.");
      await day.look("wifi-back-delivery");
    });
  }));

  test(`Monday on the train (${name})`, (story) => business(async (day) => {
    const { desk } = day;
    const provider = await sendGrid();
    try {
      await story.test("on Sunday everything works, and Maria gets an email", async () => {
        await day.say("/api/integrations/email", { apiKey: "SG.practice.works", fromEmail: "info@nordlicht.example", apiBaseUrl: provider.url });
        await day.book("1047");
        await desk.call(1);
        await day.say("/api/email/send", { to: "maria@example.com", subject: "See you on Friday", text: "Dear Maria, we look forward to Friday at 14:00." });
        await provider.email(1);
        await day.page.see("All good. 2 messages since midnight");
      });
      await story.test("on the train there is no network: how it stood then is said, and three wait", async () => {
        await day.quit();
        wifi("off");
        await day.start();
        for (const id of ["1048", "1049", "1050"]) await day.book(id);
        await day.page.go("today");
        await day.page.see("3 messages are waiting for it");
        await day.page.found("/As of .*\\d\\d:\\d\\d, 3 waiting\\./.test(document.body.innerText)");
        await day.look("train-today");
      });
      await story.test("filters, search, the chart and the exact text that Maria got are there", async () => {
        await day.search("status:held ");
        await day.page.see("3 deliveries");
        await day.search("look forward");
        await day.page.see("1 delivery");
        await day.page.press("", ".log");
        await day.page.see("As the customer sees it");
        await day.page.found("[...document.querySelectorAll('aside')].some((one) => one.innerText.includes('we look forward to Friday at 14:00.'))");
        await day.look("train-delivery");
        await day.page.go("activity");
        await day.page.press("Table");
        await day.page.see("3 held, none failed.");
        await day.look("train-activity");
      });
      await story.test("what is sent again waits with the rest, and goes when there is a network", async () => {
        await day.search("status:received channel:webhook ");
        await day.page.see("1 delivery");
        await day.page.press("Send again…");
        await day.page.see("1 call would go out again, to 1 receiver.");
        await day.look("train-again");
        await day.page.press("Send 1", "dialog");
        await day.page.go("today");
        await day.page.see("4 messages are waiting for it");
        wifi("on");
        await desk.call(5);
        await day.page.see("none waiting");
        assert.deepEqual(desk.calls.map((call) => call.about).sort(), ["1047", "1047", "1048", "1049", "1050"]);
        assert.equal(new Set(desk.calls.map((call) => call.id)).size, 4, "sent again under its own id");
      });
    } finally {
      wifi("on");
      provider.close();
    }
  }));

  test(`did Maria get her reminder? (${name})`, (story) => business(async (day) => {
    const [provider, phones] = [await sendGrid(), await twilio()];
    try {
      await story.test("Maria books; she gets a text and an email, and Jon books too", async () => {
        await day.say("/api/integrations/email", { apiKey: "SG.practice.works", fromEmail: "info@nordlicht.example", apiBaseUrl: provider.url });
        await day.say("/api/integrations/sms", phones.settings);
        await day.book("1047", { email: "maria@example.com", phone: "+49 170 1234567" });
        await day.book("1048", { name: "Jon Smith", email: "jon@example.com" });
        await day.say("/api/email/send", { to: "maria@example.com", subject: "Tomorrow at 14:00", text: "Dear Maria, see you tomorrow." });
        await day.say("/api/sms/send", { to: "+491701234567", message: "See you tomorrow at 14:00." });
        await day.desk.call(2);
        await day.page.go("activity");
        await day.page.see("Delivered");
      });
      for (const [what, typed, sentence] of [
        ["her number", "0170 1234567", /text accepted \d\d:\d\d, delivered \d\d:\d\d/],
        ["her address", "maria@example.com", /email accepted by SendGrid \d\d:\d\d, delivery not confirmed/],
        ["her name", "Petersen", /Cash desk received it \d\d:\d\d/i],
        ["her booking", "1047", /Cash desk received it \d\d:\d\d/i],
      ]) {
        await story.test(`${what} answers with a sentence first, within a second`, async () => {
          await day.search(typed);
          await day.page.found("new RegExp(arguments[0], 'i').test(document.querySelector('.told')?.innerText)", sentence.source);
          const { took } = await day.say(`/api/story?customer=${encodeURIComponent(typed)}`);
          assert.ok(took < 1000, `${took} ms`);
          await day.look(`maria-${what.replace(" ", "-")}`);
        });
      }
    } finally {
      provider.close();
      phones.close();
    }
  }));

  test(`the bookkeeper and the web person (${name})`, (story) => business(async (day) => {
    const { desk, home } = day;
    await story.test("three bookings reach the shop's software", async () => {
      for (const id of ["1047", "1048", "1049"]) await day.book(id);
      await desk.call(3);
      await day.page.see("All good. 3 messages since midnight, none waiting.");
    });
    await story.test("the bookkeeper takes today as a table", async () => {
      await day.search("since:today status:received ");
      await day.page.see("3 deliveries");
      await day.look("bookkeeper");
      const table = join(home, "today.csv");
      signalctl(home, "deliveries", "export", "--format", "csv", "--since", new Date(Date.now() - 864e5 / 2).toISOString(), "--out", table);
      const [head, ...rows] = readFileSync(table, "utf8").trim().split("\r\n");
      assert.ok(head.startsWith("id,createdAt,channel,"));
      assert.equal(rows.length, 3);
    });
    await story.test("the web person sends the range again, with the same ids", async () => {
      await day.page.press("Send again…");
      await day.page.see("3 calls would go out again, to 1 receiver.");
      await day.page.press("Send 3", "dialog");
      await desk.call(6);
      assert.deepEqual(desk.calls.slice(3).map((call) => call.id).sort(), desk.calls.slice(0, 3).map((call) => call.id).sort());
    });
    await story.test("the shop's software says stop: what comes is kept, never dropped", async () => {
      desk.status = 410;
      await day.book("1050");
      await desk.call(7);
      await day.page.go("needs-you");
      await day.page.see("says: stop. It wants no more calls.");
      for (const id of ["1051", "1052"]) await day.book(id);
      await day.page.see("Keep it, send the 3");
      await day.look("web-person-stopped");
      assert.equal(desk.calls.length, 7);
    });
    await story.test("it is mended, and one press sends the three", async () => {
      desk.status = 200;
      await day.page.press("Keep it, send the 3");
      await desk.call(10);
      await day.page.see("Nothing needs you");
      assert.deepEqual(desk.calls.slice(7).map((call) => call.about).sort(), ["1050", "1051", "1052"]);
    });
  }));
}
