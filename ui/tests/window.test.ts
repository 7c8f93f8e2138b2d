import { cleanup, configure, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import axe from "axe-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import App from "../src/App.svelte";
import { listenTo, open, wayIn, type Ask } from "../src/api/client";
import { fetched } from "../src/pages";
import { arrive, pageOf } from "../src/state/route.svelte";
import type { Changed } from "../src/api/schema";

// A computer that is busy with other things is slow, not broken.
configure({ asyncUtilTimeout: 5000 });

const working = { word: "Working", shape: "tick-filled", role: "success" };
const received = { word: "Received", shape: "tick-filled", role: "success" };
const failed = { word: "Failed", shape: "octagon-bar", role: "failed" };
const days = [18, 19, 20, 21, 22, 23, 24].map((day) => ({ day: `2026-11-${day}`, succeeded: day - 17, failed: day === 24 ? 1 : 0 }));
const row = {
  id: "dlv_1", channel: "webhook", eventId: "evt_1", eventType: "booking.created", subject: "1042", webhookId: "whk_1", automationId: null, recipient: "kasse.example",
  who: "Cash desk", what: "New booking 1042", status: "failed", statusReason: null, state: failed, statusCode: 500, code: null, error: null, attemptCount: 1, test: false,
  replayOf: null, createdAt: "2026-11-24T14:02:00.000Z", dueAt: null, finishedAt: null, deliveredAt: null, durationMs: 12,
};
const webhook = {
  id: "whk_1", name: "Cash desk", url: "https://kasse.example/hook", host: "kasse.example", events: ["*"], isActive: true, allowPrivateNetwork: false, totalCalls: 3,
  format: "payload", retryAttempts: 9, retryDelay: 1000, retrySchedule: "standard", timeoutSeconds: 15, filter: null, headerNames: [], rateLimitPerSecond: null, previousSecretValidUntil: null, pausedReason: null, problemId: null,
  successfulCalls: 2, failedCalls: 1, lastTriggered: null, lastError: null, secretCreatedAt: "2026-11-24T14:00:00.000Z", secretAge: { sentence: "Made today.", isOld: false }, state: working, sentence: "All calls get through.",
  held: 0, waiting: 2, days, successRate: null,
};
const answers: Record<string, unknown> = {
  "GET /api/workspaces": { workspaces: [{ id: "ws_1", name: "Nordlicht Salon", timezone: "Europe/Berlin", createdAt: "2026-11-24T00:00:00.000Z" }] },
  "GET /api/today": {
    sentence: "All good. 20 messages since midnight, none waiting.", arm: "clear", counts: { events: 20, delivered: 20, waiting: 0, held: 0, failed: 0 },
    receivers: [{ webhookId: "whk_1", name: "Cash desk", host: "kasse.example", state: working, days, today: 7, lastSuccess: "2026-11-24T14:02:00.000Z" }],
    justNow: [{ eventId: "evt_1", at: "2026-11-24T14:02:00.000Z", title: "Booking 1042", what: "Maria Petersen, cut and colour", plates: [{ channel: "webhook", deliveryId: "dlv_1", who: "Cash desk", state: received }] }],
  },
  "GET /api/event-types": {
    eventTypes: [{
      type: "booking.created", label: "New booking", description: "Somebody booked.", declared: false,
      schema: { type: "object", properties: { bookingId: { type: "string", title: "Booking number" }, price: { type: ["number", "string"], title: "Price" }, customer: { type: "object", title: "Customer", properties: { name: { type: "string", title: "Name" }, email: { type: "string", format: "email", title: "Email" } } } } },
      example: { bookingId: "1042", price: 85, customer: { name: "Maria Petersen" } },
    }],
  },
  "POST /api/events": { success: true, eventId: "evt_2", deliveries: 1, duplicate: false, warnings: [] },
  "GET /api/deliveries": { deliveries: [row], nextCursor: "older", total: 2, totalIsExact: true },
  "GET /api/deliveries?cursor": { deliveries: [{ ...row, id: "dlv_0", what: "New booking 1041" }], nextCursor: null, total: 2, totalIsExact: true },
  "GET /api/deliveries/histogram": { from: "2026-11-24T12:00:00.000Z", to: "2026-11-24T15:00:00.000Z", bucketSeconds: 3600, buckets: [{ start: "2026-11-24T14:00:00.000Z", success: 1, waiting: 0, held: 0, failed: 1, other: 0 }], sentence: "2 deliveries in 3 hours, 1 failed." },
  "GET /api/problems": { problems: [], solved: [], sentence: "Nothing needs you." },
  "GET /api/deliveries/dlv_1": {
    delivery: {
      ...row, sentence: "Cash desk did not take it.", explanation: "It answered 500.", actions: ["retry", "cancel"], body: "{}",
      attempts: [{ id: "att_1", number: 1, trigger: "auto", startedAt: "2026-11-24T14:02:00.000Z", durationMs: 12, statusCode: 500, code: null, error: null, summary: "Answered 500", state: failed, requestUrl: "https://kasse.example/hook", requestHeaders: { "webhook-id": "evt_1" }, requestBody: "{}", responseHeaders: {}, responseBody: "broken", responseTruncated: false }],
    },
  },
  "POST /api/deliveries/dlv_1/retry": { success: true, delivery: { ...row, status: "pending" } },
  "GET /api/integrations/webhooks/whk_1": { webhook },
  "GET /api/integrations/webhooks/whk_1/snippets": { snippets: [{ language: "node", label: "Node.js", code: "import http", install: null, runs: "save it as receiver.mjs" }, { language: "php", label: "PHP", code: "<?php", install: null, runs: "php" }] },
  "GET /api/integrations/webhooks": { webhooks: [webhook] },
  "GET /api/events/evt_1": { event: { id: "evt_1", deliveries: [] } },
  "POST /api/integrations/webhooks": { success: true, webhook: { ...webhook, secret: "whsec_shown_once" } },
  "DELETE /api/integrations/webhooks/whk_1": { message: "Deleted." },
  "GET /api/connection": { address: "http://127.0.0.1:7465", problem: null, firstEvent: null },
  "GET /api/tokens": { tokens: [{ id: "tok_1", name: "Booking page", scope: "events", createdAt: "2026-11-24T14:02:00.000Z", lastUsedAt: null, lastFour: "Qm4x" }] },
};

let asked: Ask[] = [];
let gone = false;
let refusedPath = "url";
let tell: (change: Changed | null) => void = () => {};
let stop = (): void => {};
const changed: Record<string, unknown> = {};

beforeEach(() => {
  // jsdom knows no modal dialogs, no sizes and no smooth ways.
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  Element.prototype.scrollTo = () => {};
  HTMLCanvasElement.prototype.getContext = () => null;
  Element.prototype.scrollIntoView = () => {};
  HTMLDialogElement.prototype.showModal = function () { this.open = true; };
  HTMLDialogElement.prototype.close = function () { this.open = false; };
  asked = [];
  gone = false;
  refusedPath = "url";
  for (const key of Object.keys(changed)) delete changed[key];
  stop = open({
    request: async (ask) => {
      asked.push(ask);
      if (gone) throw new Error("gone");
      const path = ask.path.includes("cursor=") ? "/api/deliveries?cursor" : ask.path.split("?")[0];
      const answer = changed[`${ask.method} ${path}`] ?? answers[`${ask.method} ${path}`];
      if (answer instanceof Error) return { status: 422, body: JSON.stringify({ title: "Wrong", status: 422, detail: answer.message, errors: [{ path: refusedPath, code: "invalid", message: "This is no address." }] }) };
      return answer ? { status: 200, body: JSON.stringify(answer) } : { status: 404, body: JSON.stringify({ title: "Not found", status: 404, detail: `No ${path}.` }) };
    },
    changes: (heard) => { tell = heard; return () => {}; },
    ready: () => {},
  });
});
afterEach(() => { cleanup(); stop(); });

async function see(page: string): Promise<void> {
  history.replaceState(null, "", `#/${page}`);
  arrive();
  await fetched(pageOf());
  render(App);
  await screen.findByRole("heading", { level: 1 });
}
const posted = (path: string): Record<string, unknown> => JSON.parse(asked.find((ask) => ask.method === "POST" && ask.path === path)?.body ?? "null") as Record<string, unknown>;

for (const [page, landmark] of [["today", "Just now"], ["today/record", "What happened"], ["activity", "Who and what"], ["activity/dlv_1", "Answered 500"], ["webhooks", "2 of 3"], ["webhooks/whk_1", "Last calls"], ["webhooks/whk_1?show=settings", "If it does not answer"], ["webhooks/whk_1?show=secret", "How the receiver checks it"], ["webhooks/whk_1?show=secret&do=rotate", "Both are valid for so many hours"], ["needs-you", "Nothing needs you"], ["webhooks/add", "What it is told about"], ["connect", "Nothing has arrived yet"]] as const) {
  test(`${page} can be read by everyone`, async () => {
    await see(page);
    await screen.findByText(landmark);
    const found = await axe.run(document.body, { rules: { "color-contrast": { enabled: false }, region: { enabled: false } } });
    expect(found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
  });
}

test("today opens with a sentence and looks again when something changes", async () => {
  await see("today");
  await screen.findByText("All good. 20 messages since midnight, none waiting.");
  changed["GET /api/today"] = { ...(answers["GET /api/today"] as object), sentence: "One message failed.", arm: "needs_you" };
  tell({ workspaceId: "ws_1", topics: ["deliveries"] });
  await screen.findByText("One message failed.");
  expect(asked.at(-1)?.workspace).toBe("ws_1");
});

test("a change in another workspace is not asked about", async () => {
  await see("today");
  await screen.findByText("Just now");
  const before = asked.length;
  tell({ workspaceId: "ws_2", topics: ["deliveries"] });
  expect(asked.length).toBe(before);
});

test("an event is recorded from a sample that was altered, and its fate is told", async () => {
  await see("today");
  changed["GET /api/events/evt_2"] = { event: { id: "evt_2", deliveries: [{ ...row, id: "dlv_2", state: received, error: null }] } };
  changed["POST /api/events"] = { ...(answers["POST /api/events"] as object), warnings: [{ path: "customer.email", code: "format", message: "does not look like an email address." }] };
  await fireEvent.click(await screen.findByRole("button", { name: "Record an event" }));
  await screen.findByLabelText("What happened");
  await fireEvent.click(screen.getByRole("button", { name: "Fill in a sample" }));
  expect(screen.getByLabelText<HTMLInputElement>("Booking number").value).toBe("1042");
  await fireEvent.input(screen.getByLabelText("Booking number"), { target: { value: "1048" } });
  await fireEvent.input(screen.getByLabelText("Name"), { target: { value: "Tom Brandt" } });
  await fireEvent.click(screen.getByRole("button", { name: "Record" }));
  await screen.findByText("New booking recorded. One delivery is on its way.");
  expect(posted("/api/events")).toMatchObject({ type: "booking.created", data: { bookingId: "1048", price: 85, customer: { name: "Tom Brandt" } } });
  await screen.findByText("Customer, Email");
  expect((await screen.findByRole("link", { name: "Open in Activity" })).getAttribute("href")).toBe("#/activity?eventId=evt_2");
  await screen.findAllByRole("link", { name: "Cash desk" });
});

test("what the engine minds about a field stands beside it", async () => {
  changed["POST /api/events"] = new Error("This cannot be recorded.");
  refusedPath = "data.customer.email";
  await see("today/record");
  await fireEvent.input(await screen.findByLabelText("Email"), { target: { value: "maria" } });
  await fireEvent.click(screen.getByRole("button", { name: "Record" }));
  await screen.findByText("This cannot be recorded.");
  const field = screen.getByLabelText("Email");
  expect(field.getAttribute("aria-invalid")).toBe("true");
  expect(document.getElementById(field.getAttribute("aria-describedby") ?? "")?.textContent).toBe("This is no address.");
});

test("the answers of a form are names and values of the owner's own", async () => {
  changed["GET /api/event-types"] = { eventTypes: [{ type: "form.submitted", label: "Form sent", description: "", declared: false, example: {}, schema: { type: "object", properties: { fields: { type: "object", title: "Answers" } } } }] };
  await see("today/record");
  await fireEvent.input(await screen.findByLabelText("Answers, name 1"), { target: { value: "Amount" } });
  await fireEvent.input(screen.getByLabelText("Answers, value 1"), { target: { value: "80" } });
  await fireEvent.click(screen.getByRole("button", { name: "Record" }));
  await waitFor(() => expect(posted("/api/events")).not.toBeNull());
  expect(posted("/api/events").data).toEqual({ fields: { Amount: "80" } });
});

test("what was left empty is not part of an event", async () => {
  await see("today");
  await fireEvent.click(await screen.findByRole("button", { name: "Record an event" }));
  await fireEvent.input(await screen.findByLabelText("Price"), { target: { value: "12.5" } });
  await fireEvent.click(screen.getByRole("button", { name: "Record" }));
  await waitFor(() => expect(posted("/api/events")).not.toBeNull());
  expect(posted("/api/events").data).toEqual({ price: 12.5 });
});

const rowsShown = (): (string | null)[] => [...document.querySelectorAll("[data-delivery-id]")].map((one) => one.getAttribute("data-delivery-id"));

test("the log goes on to older rows by itself and sends a delivery again", async () => {
  await see("activity/dlv_1");
  await screen.findByText(/New booking 1041/);
  expect(rowsShown()).toEqual(["dlv_1", "dlv_0"]);
  await fireEvent.click(await screen.findByRole("button", { name: "Send again" }));
  await waitFor(() => expect(asked.some((ask) => ask.path === "/api/deliveries/dlv_1/retry")).toBe(true));
});

test("who stands at the top of the log sees new rows come in", async () => {
  await see("activity");
  await screen.findByText(/New booking 1041/);
  changed["GET /api/deliveries"] = { deliveries: [{ ...row, id: "dlv_2", what: "New booking 1043" }, { ...row, state: received }], nextCursor: "older", total: 3, totalIsExact: true };
  tell({ workspaceId: "ws_1", topics: ["deliveries"] });
  await screen.findByText(/New booking 1043/);
  expect(rowsShown()).toEqual(["dlv_2", "dlv_1", "dlv_0"]);
  within(document.querySelector<HTMLElement>('[data-delivery-id="dlv_1"]') as HTMLElement).getByText("Received");
});

test("who reads further down is told of new rows and keeps the place", async () => {
  await see("activity");
  await screen.findByText(/New booking 1041/);
  const grid = screen.getByRole("grid");
  grid.scrollTop = 400;
  await fireEvent.scroll(grid);
  changed["GET /api/deliveries"] = { deliveries: [{ ...row, id: "dlv_2", what: "New booking 1043" }, row], nextCursor: "older", total: 3, totalIsExact: true };
  tell({ workspaceId: "ws_1", topics: ["deliveries"] });
  const more = await screen.findByRole("button", { name: "1 new" });
  expect(rowsShown()).not.toContain("dlv_2");
  await fireEvent.click(more);
  grid.scrollTop = 0;
  await fireEvent.scroll(grid);
  await waitFor(() => expect(rowsShown()).toEqual(["dlv_2", "dlv_1", "dlv_0"]));
});

test("the keyboard walks through the log and opens a delivery", async () => {
  await see("activity");
  await screen.findByText(/New booking 1041/);
  const grid = screen.getByRole("grid");
  grid.focus();
  await fireEvent.keyDown(grid, { key: "ArrowDown" });
  expect(grid.getAttribute("aria-activedescendant")).toBe("row-dlv_0");
  await fireEvent.keyDown(grid, { key: "ArrowUp" });
  await fireEvent.keyDown(grid, { key: "Enter" });
  await screen.findByRole("complementary", { name: "Delivery" });
  await fireEvent.keyDown(document.body, { key: "Escape" });
  await waitFor(() => expect(screen.queryByRole("complementary")).toBeNull());
});

test("a chip asks for what it says", async () => {
  await see("activity");
  await fireEvent.click(await screen.findByRole("button", { name: "1 failed" }));
  await waitFor(() => expect(asked.some((ask) => ask.path.startsWith("/api/deliveries?") && ask.path.includes("status=failed"))).toBe(true));
  await screen.findByRole("button", { name: "Remove status failed" });
});

test("what is typed becomes a chip, and the rest is looked for", async () => {
  await see("activity");
  const field = await screen.findByRole("combobox", { name: "Search or filter" });
  await waitFor(() => expect(asked.some((ask) => ask.path === "/api/integrations/webhooks")).toBe(true));
  await fireEvent.input(field, { target: { value: 'webhook:"Cash desk" maria ' } });
  await waitFor(() => expect(location.hash).toContain("webhookId=whk_1"));
  expect(new URLSearchParams(location.hash.split("?")[1]).get("q")).toBe("maria");
  arrive();
  await screen.findByRole("button", { name: "Remove webhook Cash desk" });
});

test("those that were chosen are sent again after it was said what goes out", async () => {
  changed["POST /api/deliveries/replay"] = { success: true, matched: 2, queued: 1, excluded: [{ reason: "test", count: 1, sentence: "1 is a test and is left out." }], sentence: "1 goes to Cash desk.", replayId: "rpl_1" };
  await see("activity?status=failed");
  await screen.findByText(/New booking 1041/);
  await fireEvent.click(screen.getByRole("button", { name: "Send again…" }));
  const dialog = within(await screen.findByRole("dialog"));
  await dialog.findByText("1 is a test and is left out.");
  await fireEvent.click(dialog.getByRole("button", { name: "Send 1" }));
  await screen.findByText("1 goes to Cash desk.");
  const calls = asked.filter((ask) => ask.path === "/api/deliveries/replay").map((ask) => JSON.parse(ask.body ?? "{}") as Record<string, unknown>);
  expect(calls.at(0)).toMatchObject({ filter: { status: "failed" }, dryRun: true });
  expect(calls.at(-1)).toEqual({ filter: { status: "failed" }, perMinute: null });
});

test("an engine that went away is a calm line, and what was seen stays", async () => {
  await see("today");
  await screen.findByText("Just now");
  gone = true;
  tell(null);
  await screen.findByText(/Signalbox does not answer/);
  screen.getByText("Just now");
  gone = false;
  tell(null);
  await waitFor(() => expect(screen.queryByText(/Signalbox does not answer/)).toBeNull());
});

test("a new webhook's secret is shown once", async () => {
  await see("webhooks");
  await fireEvent.click(await screen.findByRole("button", { name: "Add webhook" }));
  await fireEvent.input(await screen.findByLabelText("Name"), { target: { value: "Cash desk" } });
  changed["POST /api/integrations/webhooks"] = new Error("This cannot be saved.");
  await fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Add webhook" }));
  await screen.findByText("This is no address.");
  expect(screen.getByLabelText("Address").getAttribute("aria-invalid")).toBe("true");
  await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText("Address")));
  delete changed["POST /api/integrations/webhooks"];
  await fireEvent.input(screen.getByLabelText("Address"), { target: { value: "https://kasse.example/hook" } });
  await fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Add webhook" }));
  expect((await screen.findByTestId("secret")).textContent).toBe("whsec_shown_once");
  await fireEvent.click(screen.getByRole("button", { name: "I have stored it" }));
  await waitFor(() => expect(screen.queryByTestId("secret")).toBeNull());
});

test("a key store that cannot be used is said where the webhook was to be added", async () => {
  changed["POST /api/integrations/webhooks"] = { success: false, error: "This computer's key store is locked.", gracefulFail: true, code: "keychain_unavailable", willRetry: false };
  await see("webhooks/add");
  await fireEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Add webhook" }));
  await screen.findByText("This computer's key store is locked.");
  expect(screen.queryByTestId("secret")).toBeNull();
});

async function choose(name: string): Promise<void> {
  await fireEvent.keyDown(await screen.findByRole("button", { name: "More for Cash desk" }), { key: "Enter" });
  await fireEvent.keyDown(await screen.findByRole("menuitem", { name }), { key: "Enter" });
}

test("a test of a webhook, with the event that was chosen, says in a sentence how it went", async () => {
  changed["POST /api/integrations/webhooks/whk_1/test"] = { success: false, message: "It answered 404.", statusCode: 404, deliveryId: "dlv_1" };
  await see("webhooks");
  await choose("Send a test…");
  const dialog = within(await screen.findByRole("dialog"));
  await fireEvent.change(dialog.getByLabelText("What it is sent"), { target: { value: "booking.created" } });
  await fireEvent.click(dialog.getByRole("button", { name: "Send a test" }));
  await dialog.findByText("It answered 404.");
  expect(posted("/api/integrations/webhooks/whk_1/test")).toEqual({ event: "booking.created" });
  expect(dialog.getByRole("link", { name: "See request and answer" }).getAttribute("href")).toBe("#/activity/dlv_1?webhookId=whk_1");
  changed["POST /api/integrations/webhooks/whk_1/test"] = { success: true, message: "It answered 200.", statusCode: 200, deliveryId: "dlv_1" };
  await fireEvent.click(dialog.getByRole("button", { name: "Send another" }));
  await dialog.findByText("It answered 200.");
});

test("a test that the key store kept from going out is told as well", async () => {
  changed["POST /api/integrations/webhooks/whk_1/test"] = { success: false, error: "This computer's key store is locked.", gracefulFail: true, code: "keychain_unavailable", willRetry: false };
  await see("webhooks/whk_1");
  await fireEvent.click(await screen.findByRole("button", { name: "Send a test…" }));
  await fireEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Send a test" }));
  await screen.findByText("This computer's key store is locked.");
});

const bodyOf = (method: string, path: string): unknown => JSON.parse(asked.findLast((ask) => ask.method === method && ask.path === path)?.body ?? "null");

test("what was changed of a webhook is sent and nothing else, and an error keeps what was typed", async () => {
  await see("webhooks/whk_1?show=settings");
  const name = await screen.findByLabelText<HTMLInputElement>("Name");
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Save changes" }).disabled).toBe(true);
  await fireEvent.input(name, { target: { value: "Till" } });
  await fireEvent.input(screen.getByLabelText("Time limit, in seconds"), { target: { value: "99" } });
  changed["PATCH /api/integrations/webhooks/whk_1"] = new Error("Not saved.");
  refusedPath = "timeoutSeconds";
  await fireEvent.click(screen.getByRole("button", { name: "Save changes" }));
  const limit = screen.getByLabelText<HTMLInputElement>("Time limit, in seconds");
  await waitFor(() => expect(limit.getAttribute("aria-invalid")).toBe("true"));
  await waitFor(() => expect(document.activeElement).toBe(limit));
  expect([name.value, limit.value]).toEqual(["Till", "99"]);
  changed["PATCH /api/integrations/webhooks/whk_1"] = { webhook: { ...webhook, name: "Till", timeoutSeconds: 20 }, warnings: [] };
  await fireEvent.input(limit, { target: { value: "20" } });
  await fireEvent.click(screen.getByRole("button", { name: "Save changes" }));
  await screen.findByText("Till was saved.");
  expect(bodyOf("PATCH", "/api/integrations/webhooks/whk_1")).toEqual({ name: "Till", timeoutSeconds: 20 });
});

test("a value that is not a whole number is said at its field before anything is sent", async () => {
  await see("webhooks/whk_1?show=settings");
  await fireEvent.input(await screen.findByLabelText("Tries after the first"), { target: { value: "" } });
  await fireEvent.click(screen.getByRole("button", { name: "Save changes" }));
  await screen.findByText("Give a whole number.");
  expect(asked.some((ask) => ask.method === "PATCH")).toBe(false);
});

test("a filter is put together in lines, tried on past events, and its errors stand at their line", async () => {
  await see("webhooks/whk_1?show=settings");
  await fireEvent.click(await screen.findByRole("button", { name: "Add a condition" }));
  const line = within(screen.getByRole("listitem", { name: "Condition 1" }));
  await fireEvent.input(line.getByLabelText("What to look at"), { target: { value: "price" } });
  await fireEvent.change(line.getByLabelText("How to compare"), { target: { value: "gt" } });
  changed["POST /api/integrations/webhooks/filter/test"] = new Error("The filter is not right yet.");
  refusedPath = "filter.all.0.value";
  await fireEvent.click(screen.getByRole("button", { name: "Try it on past events" }));
  await line.findByText("This is no address.");
  expect(line.getByLabelText("With what").getAttribute("aria-invalid")).toBe("true");
  changed["POST /api/integrations/webhooks/filter/test"] = { checked: 2, matched: 1, sentence: "1 of 2 events would have been sent.", samples: [{ eventId: "evt_1", at: "2026-11-24T14:02:00.000Z", label: "New booking", what: "Maria Petersen", matches: false, why: "price is 30, not more than 50." }] };
  await fireEvent.input(line.getByLabelText("With what"), { target: { value: "50" } });
  await fireEvent.click(screen.getByRole("button", { name: "Try it on past events" }));
  await screen.findByText("1 of 2 events would have been sent.");
  screen.getByText("price is 30, not more than 50.");
  expect(bodyOf("POST", "/api/integrations/webhooks/filter/test")).toEqual({ events: ["*"], filter: { all: [{ path: "price", op: "gt", value: 50 }] } });
});

test("own headers are named, never shown, and dropped with a word of warning where the address leads elsewhere", async () => {
  changed["GET /api/integrations/webhooks/whk_1"] = { webhook: { ...webhook, headerNames: ["X-Api-Key", "X-Tenant"] } };
  changed["PATCH /api/integrations/webhooks/whk_1"] = { webhook: { ...webhook, headerNames: ["X-Api-Key", "X-New"] }, warnings: [{ path: "headers", code: "dropped", message: "The values of X-Tenant are gone." }] };
  await see("webhooks/whk_1?show=settings");
  await fireEvent.input(await screen.findByLabelText("Address"), { target: { value: "https://other.example/hook" } });
  await screen.findByText(/the values of X-Api-Key, X-Tenant are dropped when you save/);
  await fireEvent.click(screen.getByRole("button", { name: "Replace X-Api-Key" }));
  await fireEvent.input(screen.getByLabelText("Value"), { target: { value: "k-1" } });
  await screen.findByText(/the values of X-Tenant are dropped when you save/);
  await fireEvent.click(screen.getByRole("button", { name: "Add a header" }));
  await fireEvent.input(screen.getByLabelText("Name of the header"), { target: { value: "X-New" } });
  await fireEvent.input(screen.getAllByLabelText("Value").at(-1) as HTMLElement, { target: { value: "k-2" } });
  await fireEvent.click(screen.getByRole("button", { name: "Save changes" }));
  await screen.findByText("The values of X-Tenant are gone.");
  expect(bodyOf("PATCH", "/api/integrations/webhooks/whk_1")).toEqual({ url: "https://other.example/hook", headers: { "X-Api-Key": "k-1", "X-New": "k-2" } });
});

test("a secret is changed with overlap, shown once, and the change is finished", async () => {
  changed["POST /api/integrations/webhooks/whk_1/rotate-secret"] = { success: true, secret: "whsec_new", previousValidUntil: "2026-11-26T14:02:00.000Z" };
  await see("webhooks/whk_1?show=secret");
  await fireEvent.click(await screen.findByRole("button", { name: "Change the secret…" }));
  await waitFor(() => expect(location.hash).toContain("do=rotate"));
  arrive();
  await fireEvent.input(await screen.findByLabelText("Both are valid for so many hours"), { target: { value: "48" } });
  await fireEvent.click(screen.getByRole("button", { name: "Make a new secret" }));
  expect((await screen.findByTestId("secret")).textContent).toBe("whsec_new");
  expect(bodyOf("POST", "/api/integrations/webhooks/whk_1/rotate-secret")).toEqual({ overlapHours: 48 });
  changed["GET /api/integrations/webhooks/whk_1"] = { webhook: { ...webhook, previousSecretValidUntil: "2026-11-26T14:02:00.000Z" } };
  await fireEvent.click(screen.getByRole("button", { name: "I have stored it" }));
  await waitFor(() => expect(screen.queryByTestId("secret")).toBeNull());
  changed["POST /api/integrations/webhooks/whk_1/rotate-secret"] = { success: false, error: "It answered 401. So a test with the new secret alone did not pass, and both stay valid.", message: "…", gracefulFail: true, code: "rejected", willRetry: false };
  await fireEvent.click(await screen.findByRole("button", { name: "Finish now" }));
  await screen.findByText(/both stay valid/);
  changed["POST /api/integrations/webhooks/whk_1/rotate-secret"] = { success: true, message: "Cash desk accepted a test with the new secret alone." };
  await fireEvent.click(screen.getByRole("button", { name: "Finish now" }));
  await screen.findByText("Cash desk accepted a test with the new secret alone.");
  expect(bodyOf("POST", "/api/integrations/webhooks/whk_1/rotate-secret")).toEqual({ finish: true });
});

test("programs that receive it can be looked at in each language", async () => {
  await see("webhooks/whk_1?show=secret");
  await screen.findByText("save it as receiver.mjs");
  await fireEvent.click(screen.getByRole("tab", { name: "PHP" }));
  expect(screen.getByRole("tabpanel").textContent).toContain("<?php");
});

const problem = {
  id: "failed.whk_1", cause: "failed", integration: "webhooks", webhookId: "whk_1", since: "2026-11-24T14:02:00.000Z", waiting: 0, failed: 3, actions: ["retry_all", "told_them", "remove"], state: failed, title: "3 calls did not get through to Cash desk.", effect: "Nothing is lost.",
  buttons: [{ action: "retry_all", label: "Send the 3", primary: true }, { action: "told_them", label: "I told them myself", primary: false }, { action: "remove", label: "Remove Cash desk", primary: false }], first: [row], filter: { webhookId: "whk_1", status: "failed", test: false },
};

for (const page of ["needs-you", "webhooks/whk_1"]) {
  test(`a problem is solved by its button on ${page}, and what takes something away asks once more`, async () => {
    changed["GET /api/problems"] = { problems: [problem], solved: [], sentence: problem.title };
    changed["GET /api/integrations/webhooks/whk_1"] = { webhook: { ...webhook, problemId: problem.id } };
    changed["POST /api/problems/failed.whk_1/resolve"] = { success: true, message: "3 calls go out again.", deliveries: 3 };
    await see(page);
    await fireEvent.click(await screen.findByRole("button", { name: "Remove Cash desk" }));
    await fireEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Keep it" }));
    expect(asked.some((ask) => ask.path.endsWith("/resolve"))).toBe(false);
    await fireEvent.click(screen.getByRole("button", { name: "Send the 3" }));
    await screen.findByText("3 calls go out again.");
    expect(posted("/api/problems/failed.whk_1/resolve")).toEqual({ action: "retry_all" });
  });
}

test("a secret that is to be replaced is made where it is shown", async () => {
  changed["GET /api/problems"] = { problems: [{ ...problem, id: "secret_old.whk_1", cause: "secret_old", failed: 0, actions: ["replace_key"], buttons: [{ action: "replace_key", label: "Change it", primary: true }] }], solved: [], sentence: "" };
  await see("needs-you");
  await fireEvent.click(await screen.findByRole("button", { name: "Change it" }));
  await waitFor(() => expect(location.hash).toBe("#/webhooks/whk_1?show=secret&do=rotate"));
  arrive();
  await screen.findByLabelText("Both are valid for so many hours");
  expect(asked.some((ask) => ask.path.endsWith("/resolve"))).toBe(false);
});

test("who comes back from one webhook is where they left the list", async () => {
  await see("webhooks/whk_1");
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("heading", { level: 1 })));
  await fireEvent.click(await screen.findByRole("link", { name: "Back to Webhooks" }));
  arrive();
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("link", { name: "Cash desk" })));
});

test("a webhook that is gone is said, and nothing else is offered", async () => {
  await see("webhooks/whk_9");
  await screen.findByText("No /api/integrations/webhooks/whk_9.");
  expect(screen.queryByRole("button", { name: "Send a test…" })).toBeNull();
});

test("what one person was told is a sentence, and a story", async () => {
  changed["GET /api/story"] = { title: "Maria Petersen", sentence: "2 things happened; everybody was told.", steps: [{ at: "2026-11-24T14:02:00.000Z", eventId: "evt_1", label: "New booking", what: "cut and colour", deliveries: [row] }], nextCursor: "older" };
  await see("activity?q=maria");
  await screen.findByText("2 things happened; everybody was told.");
  expect(asked.some((ask) => ask.path === "/api/story?customer=maria")).toBe(true);
  await fireEvent.click(screen.getByRole("link", { name: "See the story" }));
  arrive();
  const story = within(await screen.findByRole("region", { name: "Maria Petersen" }));
  story.getByRole("link", { name: "Cash desk" });
  changed["GET /api/deliveries?cursor"] = { title: "Maria Petersen", sentence: "", steps: [{ at: "2026-11-23T14:02:00.000Z", eventId: "evt_0", label: "New contact", what: "", deliveries: [] }], nextCursor: null };
  await fireEvent.click(story.getByRole("button", { name: "What came before" }));
  await story.findByText(/New contact/);
  expect(story.queryByRole("button", { name: "What came before" })).toBeNull();
});

test("those that were picked one by one are sent again by their ids", async () => {
  changed["POST /api/deliveries/replay"] = { success: true, matched: 1, queued: 1, excluded: [], sentence: "1 goes to Cash desk.", replayId: "rpl_1" };
  await see("activity");
  await fireEvent.click(await screen.findByRole("checkbox", { name: "Choose Cash desk, New booking 1042" }));
  await fireEvent.click(within(screen.getByRole("group", { name: "What is chosen" })).getByRole("button", { name: "Send again…" }));
  await fireEvent.click(await screen.findByRole("button", { name: "Send 1" }));
  await waitFor(() => expect(bodyOf("POST", "/api/deliveries/replay")).toEqual({ filter: { ids: "dlv_1" }, perMinute: null }));
});

test("what is being sent again shows how far it is, and can be stopped", async () => {
  const replay = { id: "rpl_1", startedAt: "2026-11-24T14:02:00.000Z", total: 212, sent: 84, failed: 1, waiting: 127, cancelled: 0, perMinute: 60, isRunning: true, sentence: "Sending 212 again to Cash desk." };
  changed["GET /api/replays"] = { replays: [replay] };
  changed["POST /api/replays/rpl_1/cancel"] = { ...replay, isRunning: false };
  await see("activity");
  await screen.findByText("Sending 212 again to Cash desk.");
  screen.getByText("85 of 212");
  changed["GET /api/replays"] = { replays: [{ ...replay, isRunning: false, cancelled: 127, waiting: 0, sentence: "Stopped: 84 of 212 went out." }] };
  await fireEvent.click(screen.getByRole("button", { name: "Stop" }));
  await screen.findByText("Stopped: 84 of 212 went out.");
  expect(screen.queryByRole("progressbar")).toBeNull();
});

test("a range is chosen on the chart and in the fields alike", async () => {
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(560);
  vi.stubGlobal("PointerEvent", MouseEvent);
  await see("activity");
  const chart = await screen.findByRole("img", { name: "2 deliveries in 3 hours, 1 failed." });
  Object.assign(chart, { setPointerCapture: () => {} });
  await fireEvent.pointerDown(chart, { button: 0, clientX: 100 });
  await fireEvent.pointerMove(chart, { clientX: 300 });
  await fireEvent.pointerUp(chart, { clientX: 300 });
  await waitFor(() => expect(location.hash).toMatch(/since=.*until=/));
  arrive();
  await fireEvent.click(screen.getByRole("button", { name: "Dates…" }));
  await fireEvent.input(await screen.findByLabelText("From"), { target: { value: "2026-11-24T13:00" } });
  await fireEvent.input(screen.getByLabelText("Until"), { target: { value: "2026-11-24T12:00" } });
  await fireEvent.click(screen.getByRole("button", { name: "Show range" }));
  await screen.findByText("The end must be after the beginning.");
  await fireEvent.input(screen.getByLabelText("Until"), { target: { value: "2026-11-24T15:00" } });
  await fireEvent.click(screen.getByRole("button", { name: "Show range" }));
  await waitFor(() => expect(location.hash).toContain("until=2026-11-24T15%3A00"));
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test("a webhook is deleted only after it was asked for twice", async () => {
  await see("webhooks");
  await choose("Delete");
  const dialog = await screen.findByRole("dialog");
  within(dialog).getByText(/2 deliveries that wait for it are cancelled/);
  expect(asked.some((ask) => ask.method === "DELETE")).toBe(false);
  await fireEvent.click(within(dialog).getByRole("button", { name: "Delete webhook" }));
  await screen.findByText("Cash desk was deleted. Its log stays in Activity.");
});

test("a token is shown once, and the lines to copy hold it", async () => {
  changed["POST /api/tokens"] = { success: true, id: "tok_2", name: "Shop", scope: "events", token: "sbt_shown_once" };
  await see("connect");
  await fireEvent.click(await screen.findByRole("button", { name: "New token" }));
  await fireEvent.input(await screen.findByLabelText("Name"), { target: { value: "Shop" } });
  await fireEvent.click(screen.getByRole("button", { name: "Make token" }));
  expect((await screen.findByTestId("token")).textContent).toBe("sbt_shown_once");
  await fireEvent.click(screen.getByRole("button", { name: "Done" }));
  for (const language of ["curl", "PHP", "JavaScript", "Python"]) {
    await fireEvent.click(screen.getByRole("tab", { name: language }));
    expect(screen.getByRole("tabpanel").textContent).toContain("sbt_shown_once");
  }
});

test("the arm rises when the first event comes with a token", async () => {
  await see("connect");
  await screen.findByText("Nothing has arrived yet");
  expect(document.querySelector(".arm.level")).not.toBeNull();
  changed["GET /api/connection"] = { address: "http://127.0.0.1:7465", problem: null, firstEvent: { id: "evt_1", type: "booking.created", label: "New booking", source: "Booking page", receivedAt: "2026-11-24T14:02:00.000Z" } };
  tell({ workspaceId: "ws_1", topics: ["events"] });
  await screen.findByText("First event arrived");
  expect(document.querySelector(".arm.clear")).not.toBeNull();
});

test("changes are read from a stream, wherever it is cut", async () => {
  const bytes = new TextEncoder().encode(': keep-alive\n\nevent: change\ndata: {"workspaceId":"ws_1","topics":["events"]}\n\n');
  const heard = vi.fn();
  await listenTo(new ReadableStream({ start(to) { for (const byte of bytes) to.enqueue(new Uint8Array([byte])); to.close(); } }), heard);
  expect(heard.mock.calls).toEqual([[{ workspaceId: "ws_1", topics: ["events"] }]]);
});

test("what can be pressed before the workspace is known is still there afterwards", async () => {
  history.replaceState(null, "", "#/today");
  arrive();
  render(App);
  const link = screen.getByRole("link", { name: "Activity" });
  await screen.findByText("Just now");
  expect(link.isConnected).toBe(true);
  expect(asked.every((ask) => ask.path === "/api/workspaces" || ask.workspace === "ws_1")).toBe(true);
});

test("when the stream of changes ends, whoever shows something looks again", async () => {
  const ended = new ReadableStream<Uint8Array>({ start: (to) => to.close() });
  vi.stubGlobal("fetch", vi.fn(async () => new Response(ended)));
  const heard = vi.fn();
  const end = (await wayIn()).changes(heard);
  await waitFor(() => expect(heard).toHaveBeenCalledWith(null));
  end();
  vi.unstubAllGlobals();
});
