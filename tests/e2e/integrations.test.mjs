// Email from the first key to the last: connected, tested, its key replaced, paused and resumed.
// Run it with `tests/e2e/session.sh node --test tests/e2e/integrations.test.mjs`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { engines, signalctl } from "./engines.mjs";
import { looking } from "./looking.mjs";
import { sendGrid } from "./sendgrid.mjs";

const wanted = process.env.SIGNALBOX_ENGINE;
for (const [name, open] of Object.entries(engines).filter(([name]) => !wanted || name === wanted)) {
  test(`email is connected, tested, given a new key, paused and resumed (${name})`, async (story) => {
    const home = mkdtempSync(join(tmpdir(), `signalbox-${name}-`));
    const provider = await sendGrid();
    const app = await open(home);
    const page = app.browser;
    const look = looking(name, page);
    const kept = () => {
      const [workspace] = signalctl(home, "workspace", "list").items;
      return execFileSync("secret-tool", ["lookup", "service", "signalbox", "username", `${workspace.id}/email`], { encoding: "utf8" });
    };
    const emailCard = "article";
    try {
      await story.test("a key that is refused loses nothing, and one that works connects", async (step) => {
        await page.press("Integrations", "nav");
        await page.see("Not set up");
        await look(step, "integrations-empty");
        await page.press("Set up", emailCard);
        await page.write("#set-apiKey", "SG.wrong");
        await page.write("#set-fromEmail", "info@nordlicht.example");
        await page.write("#set-apiBaseUrl", provider.url);
        await look(step, "set-up");
        await page.press("Test and save", "dialog");
        await page.see("Nothing was saved. What you typed is still here.");
        await look(step, "set-up-refused");
        await page.run("document.querySelector('#set-apiKey').select()");
        await page.write("#set-apiKey", "SG.practice.works.first");
        await page.press("Test and save", "dialog");
        await page.see("SendGrid is connected");
        assert.match(kept(), /SG\.practice\.works\.first/);
      });
      await story.test("a test is sent to the owner and stands in Activity", async (step) => {
        await page.press("Send a test to me", "dialog");
        await page.found("document.querySelector('#test-to')?.value");
        await page.press("Send a test to me", "dialog");
        await provider.email(1);
        await page.press("Open in Activity", "dialog");
        await page.see("info@nordlicht.example");
        await page.see("Accepted by SendGrid");
        await look(step, "email-delivery");
      });
      await story.test("the key is replaced only by one that works", async (step) => {
        await page.go("integrations/email?do=key");
        await page.write("#set-apiKey", "SG.wrong");
        await page.press("Test and replace", "dialog");
        await page.see("The old key stays in use");
        assert.match(kept(), /SG\.practice\.works\.first/);
        await look(step, "key-refused");
        await page.run("document.querySelector('#set-apiKey').select()");
        await page.write("#set-apiKey", "SG.practice.works.second");
        await page.press("Test and replace", "dialog");
        await page.found("!document.querySelector('dialog')");
        assert.match(kept(), /SG\.practice\.works\.second/);
        assert.doesNotMatch(kept(), /first/);
      });
      await story.test("while it is paused, two emails wait", async (step) => {
        await page.press("Pause", emailCard);
        await page.see("Hold it");
        await look(step, "pause");
        await page.press("Pause SendGrid", "dialog");
        await page.see("Paused");
        await page.press("Write", emailCard);
        for (const who of ["maria", "tom"]) {
          await page.write("#mail-to", `${who}@example.com`);
          await page.write("#mail-subject", "See you on Friday");
          await page.write("#mail-text", `Dear ${who}, we look forward to seeing you.`);
          if (who === "maria") await look(step, "compose");
          await page.press("Send email", "form");
          await page.see("SendGrid is paused. It goes out when you resume.");
          await page.press("Write another", "form");
        }
        assert.equal(provider.emails.length, 1);
        await page.press("Integrations", "nav");
        await page.see("Paused, 2 held");
        await look(step, "integrations-paused");
      });
      await story.test("resumed, both go out once, with the new key", async (step) => {
        await page.press("Resume", emailCard);
        await provider.email(3);
        await page.see("Working");
        const [, ...two] = provider.emails;
        assert.deepEqual(two.map((email) => email.personalizations[0].to[0].email).sort(), ["maria@example.com", "tom@example.com"]);
        assert.ok(two.every((email) => email.key === "SG.practice.works.second"));
        await look(step, "integrations");
        await page.go("activity?channel=email");
        await page.see("maria@example.com");
        await page.see("tom@example.com");
        await look(step, "email-activity");
        assert.equal(provider.emails.length, 3);
      });
    } finally {
      provider.close();
      await app.quit();
    }
  });
}
