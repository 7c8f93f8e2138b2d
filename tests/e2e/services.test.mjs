// Calendar, texts and files, on a practice workspace: connected, used, broken and mended.
// Run it with `tests/e2e/session.sh node --test tests/e2e/services.test.mjs`.

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { engines, signalctl, signalctlGracefully } from "./engines.mjs";
import { looking } from "./looking.mjs";

const wanted = process.env.SIGNALBOX_ENGINE;
for (const [name, open] of Object.entries(engines).filter(([name]) => !wanted || name === wanted)) {
  test(`calendar, texts and files work, and what breaks is mended (${name})`, async (story) => {
    const home = mkdtempSync(join(tmpdir(), `signalbox-${name}-`));
    const app = await open(home, { practice: true });
    const page = app.browser;
    const look = looking(name, page);
    const entry = (title) => ["calendar", "create", "--title", title, "--start", "2031-11-26T10:00", "--end", "2031-11-26T11:00"];
    const calendarCard = 'article[data-kind="calendar"]';
    const textCard = 'article[data-kind="sms"]';
    let google;
    const account = async () => (await fetch(google)).text();
    try {
      await story.test("the calendar is connected by one sign-in in the browser", async (step) => {
        await page.press("Integrations", "nav");
        await page.see("You need nothing but your Google account");
        await look(step, "practice-integrations");
        await page.press("Connect", calendarCard);
        await page.see("Your browser opens");
        await look(step, "calendar-connect");
        await page.press("Connect with Google", "dialog");
        await app.allow();
        await page.see("Google Calendar is connected.");
        await look(step, "calendar-connected");
        await page.press("Done", "dialog");
        await page.found("!document.querySelector('dialog')");
      });
      await story.test("an entry that is made stands in the calendar", async (step) => {
        const made = signalctl(home, ...entry("Haircut, Maria"));
        google = new URL(made.htmlLink).origin;
        assert.match(await account(), /Haircut, Maria/);
        await page.found(`document.querySelector(arguments[0])?.innerText.includes("Working")`, calendarCard);
        await page.tap(`${calendarCard} summary`);
        await page.see("Haircut, Maria");
        await look(step, "calendar-working");
      });
      await story.test("when access is removed at the provider, the next entry is held and the card says so", async (step) => {
        await fetch(`${google}/withdraw`, { method: "POST" });
        const held = signalctlGracefully(home, ...entry("Colour, Tom"));
        assert.equal(held.code, "sign_in_expired");
        await page.found(`document.querySelector(arguments[0])?.innerText.includes("Needs you, 1 held")`, calendarCard);
        await look(step, "calendar-needs-you");
        await page.go("needs-you");
        await page.see("Reconnect");
        await look(step, "calendar-problem");
        assert.doesNotMatch(await account(), /Colour, Tom/);
      });
      await story.test("signed in again, what was held goes out, once", async (step) => {
        await page.press("Reconnect");
        await page.press("Connect with Google", "dialog");
        await app.allow();
        await page.see("Google Calendar is connected.");
        await page.press("Done", "dialog");
        await page.patiently(async () => assert.equal((await account()).split("Colour, Tom").length, 2));
        await page.go("integrations");
        await page.found(`document.querySelector(arguments[0])?.innerText.includes("Working")`, calendarCard);
        await look(step, "calendar-mended");
      });
      await story.test("texts are set up", async (step) => {
        await page.go("integrations/sms?do=disconnect");
        await page.press("Disconnect", "dialog footer");
        await page.press("Set up", textCard);
        await page.write("#set-accountSid", "AC5197a1b0c5197a1b0c5197a1b0c51970");
        await page.write("#set-authToken", "practice0token0of0no0real0account");
        await page.write("#set-fromNumber", "+15005550006");
        await look(step, "texts-set-up");
        await page.press("Test and save", "dialog");
        await page.see("Twilio is connected");
        await page.press("Done", "dialog");
        await page.found("!document.querySelector('dialog')");
      });
      await story.test("a text shows its size, is sent and arrives", async (step) => {
        await page.go("compose/sms");
        await page.write("#text-to", "+1 500 555 0006");
        await page.write("#text-message", "See you on Friday at three, dear Łucja!");
        await page.see("1 text");
        await look(step, "compose-text");
        await page.press("Send text", "form");
        await page.see("Twilio accepted it.");
        await page.press("Open in Activity", "form");
        await page.see("See you on Friday");
        await page.see("Delivered");
        await look(step, "text-delivered");
      });
      await story.test("a file is added, linked to and deleted", async (step) => {
        const content = Buffer.alloc(12 * 1024 * 1024, "price list ");
        const file = join(home, "Price list 2027.pdf");
        writeFileSync(file, content);
        await page.go("files");
        await page.see("No files here yet");
        await look(step, "files-empty");
        await page.run("window.progressSeen = []; new MutationObserver(() => { const bar = document.querySelector('progress'); if (bar) window.progressSeen.push(bar.value / bar.max) }).observe(document, { subtree: true, childList: true, attributes: true })");
        await page.write("input[type=file]", file);
        await page.found(`[...document.querySelectorAll("td")].some((cell) => cell.innerText.includes("Price list 2027.pdf"))`);
        assert.ok((await page.run("return window.progressSeen")).length, "how far it has come was shown");
        await look(step, "files");
        await page.press("Link", "table");
        const link = await page.found(`document.querySelector('[data-testid="link"]')?.innerText.trim()`);
        await look(step, "file-link");
        const stored = Buffer.from(await (await fetch(link)).arrayBuffer());
        assert.ok(stored.equals(content));
        await page.press("Done", "dialog");
        await page.found("!document.querySelector('dialog')");
      });
      await story.test("the stored file goes with an email", async (step) => {
        await page.go("compose/email");
        await page.write("#mail-to", "maria@example.com");
        await page.write("#mail-subject", "Our prices");
        await page.write("#mail-text", "Dear Maria, here they are.");
        await page.press("Attach stored files", "form");
        await page.see("Price list 2027.pdf");
        await page.press("Price list 2027.pdf", "dialog");
        await look(step, "attach-stored");
        await page.press("Attach", "dialog footer");
        await page.found("!document.querySelector('dialog') && document.querySelector('form .tag')");
        await look(step, "email-with-stored");
        await page.press("Send email", "form");
        await page.see("SendGrid accepted it.");
      });
      await story.test("a file that is deleted is gone", async (step) => {
        await page.go("files");
        await page.see("Price list 2027.pdf");
        await page.tap("td.act [data-dropdown-menu-trigger]");
        await page.tap('[role="menuitem"]');
        await page.see("This cannot be undone");
        await look(step, "file-delete");
        await page.press("Delete file", "dialog");
        await page.see("No files here yet");
      });
    } finally {
      await app.quit();
    }
  });
}
