import { expect, test } from "vitest";
import { asked, chips, read, resolved, sought, suggestions } from "../src/state/filter";
import { sayTimesOf } from "../src/i18n/say";

const names = { webhooks: [{ id: "whk_1", name: "Cash desk" }, { id: "whk_2", name: "Online shop" }], types: [{ type: "booking.created", label: "New booking" }] };
const now = new Date("2026-11-24T10:00:00Z");
sayTimesOf("Europe/Berlin");

test("every chip of the owner's words is understood", () => {
  const { filter, rest } = read('status:failed reason:none channel:webhook webhook:"Cash desk" type:booking.created subject:1047 since:mon until:today is:test maria', {}, names, true, now);
  expect(filter).toEqual({ status: "failed", statusReason: "none", channel: "webhook", webhookId: "whk_1", eventType: "booking.created", subject: "1047", since: "mon", until: "today", test: "true" });
  expect(rest).toBe("maria");
});
test("a word that is still being typed is no chip yet, and is not looked for", () => {
  expect(read("status:fai", {}, names, false, now)).toEqual({ filter: {}, rest: "status:fai", wrong: undefined });
  expect(sought("maria status:fai")).toBe("maria");
  expect(read('webhook:"Cash ', {}, names, false, now).filter).toEqual({});
});
test("what means nothing is said, and stays", () => {
  expect(read("status:purple ", {}, names, false, now)).toMatchObject({ filter: {}, wrong: "status:purple" });
  expect(read("since:whenever", {}, names, true, now)).toMatchObject({ filter: {}, wrong: "since:whenever" });
});
test("several states are asked for at once, one day replaces another", () => {
  expect(read("status:held since:today", { status: "failed", since: "mon" }, names, true, now).filter).toEqual({ status: "failed,held", since: "today" });
});
test("a chip that is edited says what it said", () => {
  const shown = chips({ status: "pending,sending,failed", webhookId: "whk_1", since: "2026-11-19T08:10:00.000Z", test: "false" }, names);
  expect(shown.map((chip) => chip.text)).toEqual(["status:failed,waiting", 'webhook:"Cash desk"', "since:2026-11-19T09:10", "is:real"]);
  for (const chip of shown) expect(Object.keys(read(chip.text, {}, names, true, now).filter)).toEqual([chip.member]);
});
test("days are those of the business, and a day that something goes until is part of it", () => {
  expect(resolved("today", "since", now)).toBe("2026-11-23T23:00:00.000Z");
  expect(resolved("mon", "since", now)).toBe("2026-11-22T23:00:00.000Z");
  expect(resolved("mon", "until", now)).toBe("2026-11-23T23:00:00.000Z");
  expect(resolved("9:03", "since", now)).toBe("2026-11-24T08:03:00.000Z");
  expect(resolved("2h", "since", now)).toBe("2026-11-24T08:00:00.000Z");
  expect(resolved("2026-13-45", "since", now)).toBeNull();
  expect(asked({ since: "yesterday", q: "maria" }, now)).toEqual({ since: "2026-11-22T23:00:00.000Z", q: "maria" });
});
test("what may come next is offered", () => {
  expect(suggestions("sta", names).map((one) => one.text)[0]).toBe("status:");
  expect(suggestions("webhook:on", names).map((one) => one.text)).toEqual(['webhook:"Online shop"'].map(() => "webhook:\"Online shop\""));
  expect(suggestions("cash", names).map((one) => one.text)).toContain('webhook:"Cash desk"');
});
