// One practice booking and what comes of it: five results, a text that is changed, a rehearsal, one service that breaks
// and is mended. Run it with `tests/e2e/session.sh node --test tests/e2e/automations.test.mjs`.

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { engines, signalctl } from "./engines.mjs";
import { looking } from "./looking.mjs";

// Whatever a workspace begins with: each channel has something to do when a booking comes.
const wanted = {
  email: { to: "{{ customer.email }}", subject: "Your booking, {{ customer.name }}", html: "<p>Hello {{ customer.name }},</p><p>until {{ startTime | datetime }}.</p>" },
  sms: { to: "{{ customer.phone }}", message: "{{ title }} on {{ startTime | datetime }}." },
  calendar: { operation: "sync", title: "{{ customer.name }}: {{ title }}", startTime: "{{ startTime }}", endTime: "{{ endTime }}" },
  storage: { key: "bookings/{{ bookingId }}.txt", content: "{{ title }} for {{ customer.name }}, {{ startTime | datetime }}" },
};

const engine = process.env.SIGNALBOX_ENGINE;
for (const [name, open] of Object.entries(engines).filter(([name]) => !engine || name === engine)) {
  test(`a practice booking has five results; a text is changed; what breaks is mended (${name})`, async (story) => {
    const home = mkdtempSync(join(tmpdir(), `signalbox-${name}-`));
    const app = await open(home, { practice: true });
    const page = app.browser;
    const look = looking(name, page);
    const results = (channel, word) => page.found(`[...document.querySelectorAll('.fates [data-channel="' + arguments[0] + '"] .state')].find((one) => one.classList.contains(arguments[1]))`, channel, word);
    const run = (...args) => signalctl(home, ...args);
    let email;
    try {
      await story.test("practice looks like practice, and the calendar is one sign-in away", async () => {
        await page.see("Practice. Nothing you do here leaves this computer.");
        for (const [kind, action] of Object.entries(wanted)) {
          const has = run("automation", "list").items.find((one) => one.action.kind === kind && one.event.includes("booking.created") && one.isActive && !one.relativeTo);
          if (has) continue;
          const file = join(home, `${kind}.json`);
          writeFileSync(file, JSON.stringify({ name: `Practice ${kind}`, event: ["booking.created"], action: { kind, ...action } }));
          run("automation", "add", "--from", file);
        }
        email = run("automation", "list").items.find((one) => one.action.kind === "email" && one.event.includes("booking.created") && one.isActive);
        await page.go("integrations/calendar?do=sign-in");
        await page.press("Connect with Google", "dialog");
        await app.allow();
        await page.see("Google Calendar is connected.");
        await page.press("Done", "dialog");
      });
      await story.test("a practice booking has five results", async (step) => {
        await page.press("Today", "nav");
        await page.press("Practice booking");
        for (const channel of ["email", "sms", "calendar", "storage", "webhook"]) await results(channel, "success");
        await look(step, "practice-booking");
      });
      await story.test("a text is changed with its preview beside it", async (step) => {
        await page.press("Automations", "nav");
        await page.see(email.name);
        await look(step, "automations");
        await page.go(`automations/${email.id}`);
        await page.see("Preview with");
        await page.found("document.querySelector('.right iframe')");
        await look(step, "automation");
        await page.rewrite("#aut-subject", "See you soon, {{ customer.name }}");
        await page.found("document.querySelector('.right')?.innerText.includes('See you soon, ') && !document.querySelector('.right').innerText.includes('{{')");
        await page.press("Save changes");
        await page.see("Version 2");
        await page.rewrite("#aut-subject", "See you {{ customer.name");
        await page.see("A text cannot be read.");
        await look(step, "automation-mistake");
        await page.press("Undo changes");
        await page.found("!document.body.innerText.includes('A text cannot be read.')");
        assert.equal(run("automation", "show", email.id).automation.action.subject, "See you soon, {{ customer.name }}");
      });
      await story.test("what happened is rehearsed, and nothing is sent", async (step) => {
        const before = run("deliveries", "list").items.length;
        await page.press("Rehearse…");
        await page.press("Rehearse", "dialog footer");
        await page.found("document.querySelector('dialog .result b')");
        await look(step, "rehearsal");
        await page.press("Close", "dialog footer");
        assert.equal(run("deliveries", "list").items.length, before);
      });
      await story.test("one service breaks: its entry waits, the others go", async (step) => {
        const made = run("calendar", "create", "--title", "Lunch", "--start", "2031-11-26T12:00", "--end", "2031-11-26T13:00");
        await fetch(`${new URL(made.htmlLink).origin}/withdraw`, { method: "POST" });
        await page.press("Today", "nav");
        await page.press("Practice booking");
        await results("calendar", "held");
        for (const channel of ["email", "sms", "storage", "webhook"]) await results(channel, "success");
        await look(step, "practice-broken");
        await page.press("Needs you", "nav");
        await page.see("Reconnect");
        await look(step, "practice-needs-you");
      });
      await story.test("mended, what waited goes out by itself", async () => {
        await page.press("Reconnect");
        await page.press("Connect with Google", "dialog");
        await app.allow();
        await page.see("Google Calendar is connected.");
        await page.press("Done", "dialog");
        await page.patiently(() => {
          const open = run("deliveries", "list").items.filter((one) => one.channel === "calendar" && one.status !== "success");
          assert.deepEqual(open.map((one) => one.state.word), []);
        });
      });
    } finally {
      await app.quit();
    }
  });
}
