import { cleanup, configure, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import axe from "axe-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import App from "../src/App.svelte";
import { open, type Ask } from "../src/api/client";
import { automations } from "../src/api/fixture-automations";
import type { EventType } from "../src/api/schema";
import { changesOf, draftOf, meaningOf, valuesOf } from "../src/pages/automations/draft";
import { fetched } from "../src/pages";
import { drafts } from "../src/state/drafts.svelte";
import { arrive, pageOf } from "../src/state/route.svelte";

configure({ asyncUtilTimeout: 5000 });

const customer = { type: "object", title: "Customer", properties: { name: { type: "string", title: "Name" }, email: { type: "string", title: "Email", format: "email" } } };
const types = [
  { type: "booking.created", label: "New booking", description: "", declared: false, schema: { type: "object", properties: { title: { type: "string", title: "What" }, startTime: { type: "string", title: "Starts", format: "date-time" }, customer } }, example: { bookingId: "1", title: "Cut", startTime: "2026-11-26T09:30:00+01:00", customer: { name: "Maria", email: "maria@example.com" } } },
  { type: "booking.updated", label: "Booking changed", description: "", declared: false, schema: { type: "object", properties: {} }, example: {} },
  { type: "form.submitted", label: "Form sent", description: "", declared: false, schema: { type: "object", properties: {} }, example: {} },
] as unknown as EventType[];
const state = { word: "Working", shape: "tick-filled", role: "success" };

let asked: Ask[] = [];
let stop = (): void => {};
beforeEach(() => {
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  HTMLCanvasElement.prototype.getContext = () => null;
  Element.prototype.scrollTo = () => {};
  Element.prototype.scrollIntoView = () => {};
  HTMLDialogElement.prototype.showModal = function () { this.open = true; };
  HTMLDialogElement.prototype.close = function () { this.open = false; };
  for (const name of ["aut_1", "aut_2", "aut_3", "new booking.updated storage"]) drafts.forget(name);
  asked = [];
  const ofAutomations = automations("good", types);
  const others: Record<string, unknown> = {
    "/api/workspaces": { workspaces: [{ id: "ws_1", name: "Nordlicht Salon", timezone: "Europe/Berlin", createdAt: "2026-11-24T00:00:00.000Z", isPractice: false }, { id: "ws_2", name: "Practice", timezone: "Europe/Berlin", createdAt: "2026-11-24T00:00:00.000Z", isPractice: true }] },
    "/api/event-types": { eventTypes: types },
    "/api/integrations/webhooks": { webhooks: [{ id: "whk_1", name: "Cash desk", events: ["*"], isActive: true, state }] },
    "/api/problems": { problems: [], solved: [], sentence: "Nothing needs you." },
    "/api/deliveries": { deliveries: [{ id: "dlv_1", eventId: "evt_1", channel: "email", who: "maria@example.com", what: "New booking 1047", status: "failed", state, createdAt: "2026-11-24T10:00:00Z" }], nextCursor: null, total: 1, totalIsExact: true },
    "/api/deliveries/replay": { success: true, matched: 31, queued: 29, excluded: [{ reason: "superseded", count: 2, sentence: "2 are the truth no more." }], sentence: "29 are being sent again.", replayId: null },
    "/api/sms/preview": { to: "+49151", encoding: "gsm7", segments: 2, units: 200, left: 10, sentence: "Two texts, 10 characters left." },
    "/api/email/send": { success: true, messageId: "m", deliveryId: "dlv_9", duplicate: false },
    "/api/events": { success: true, eventId: "evt_9", deliveries: 5, duplicate: false, warnings: [] },
    "/api/events/evt_9": { event: { id: "evt_9", deliveries: ["email", "sms", "calendar", "storage", "webhook"].map((channel, at) => ({ id: `dlv_${at}`, channel, who: `who ${at}`, state: { ...state, word: `Word ${at}` } })) } },
    "/api/today": { sentence: "All good.", arm: "clear", counts: {}, receivers: [], justNow: [] },
  };
  stop = open({
    request: (ask) => {
      asked.push(ask);
      const path = ask.path.split("?")[0] ?? "";
      const [status, body] = (ask.method === "POST" && path === "/api/events" ? undefined : ofAutomations(ask)) ?? (others[path] ? [200, others[path]] : [404, { title: "Not found", status: 404, detail: path }]);
      return Promise.resolve({ status, body: JSON.stringify(body) });
    },
    changes: () => () => {},
    ready: () => {},
  });
});
afterEach(() => { cleanup(); stop(); sessionStorage.clear(); });

async function see(page: string): Promise<void> {
  history.replaceState(null, "", `#/${page}`);
  arrive();
  await fetched(pageOf());
  render(App);
  await screen.findByRole("heading", { level: 1 });
}
const sent = (method: string, path: string): Record<string, never>[] => asked.filter((ask) => ask.method === method && ask.path === path).map((ask) => JSON.parse(ask.body ?? "null") as Record<string, never>);
const write = async (label: string, value: string): Promise<boolean> => fireEvent.input(await screen.findByLabelText(label, { selector: "input, textarea" }), { target: { value } });

for (const [page, landmark] of [["automations", "Keeps the calendar"], ["automations/aut_1", "Goes to maria@example.com."], ["automations/aut_3", "Two texts, 10 characters left."], ["automations/aut_4", "Written into the calendar."], ["automations/new?event=booking.updated&kind=storage", "Save and switch on"], ["automations?do=rehearse", "Rehearse with what really happened"], ["automations?do=resend", "What each one gets"]] as const) {
  test(`${page} can be read by everyone`, async () => {
    await see(page);
    await screen.findAllByText(landmark);
    const found = await axe.run(document.body, { iframes: false, rules: { "color-contrast": { enabled: false }, region: { enabled: false } } });
    expect(found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
  });
}

test("the grid switches one automation, counts what it did, and leads to webhooks", async () => {
  await see("automations");
  const lever = await screen.findByRole("switch", { name: "New booking, Email: Your booking" });
  expect(lever.getAttribute("aria-checked")).toBe("true");
  await fireEvent.click(lever);
  await waitFor(() => expect(sent("PATCH", "/api/automations/aut_1")).toEqual([{ isActive: false }]));
  await waitFor(() => expect(screen.getByRole("switch", { name: "New booking, Email: Your booking" }).getAttribute("aria-checked")).toBe("false"));
  expect(screen.getAllByText("12 went out in the last seven days").length).toBe(2);
  expect(screen.getAllByRole("link", { name: "1 receiver" })[0]?.getAttribute("href")).toBe("#/webhooks");
});

test("a text is seen as it will arrive while it is written, and saved as what changed", async () => {
  await see("automations/aut_1");
  await screen.findByText("Goes to maria@example.com.");
  await write("Subject", "See you, {{ customer.name }}");
  await waitFor(() => expect(screen.getByText("See you, Maria Petersen")).toBeTruthy());
  const drafted = sent("POST", "/api/automations/aut_1/preview").at(-1) as unknown as { draft: Record<string, unknown> };
  expect(Object.keys(drafted.draft)).toEqual(["action"]);
  await fireEvent.click(screen.getByRole("button", { name: "Save changes" }));
  await waitFor(() => expect(sent("PATCH", "/api/automations/aut_1").length).toBe(1));
  expect(Object.keys(sent("PATCH", "/api/automations/aut_1")[0] ?? {})).toEqual(["action"]);
  await screen.findByText("Version 5");
});

test("a mistake stands at its field with its place, and nothing is saved", async () => {
  await see("automations/aut_1");
  await screen.findByText("Goes to maria@example.com.");
  await write("Subject", "Hello {{ customer.name");
  await screen.findByText("A text cannot be read. It is marked on its field.");
  expect(screen.getByRole("button", { name: /^Line 1, letter/ })).toBeTruthy();
  expect(screen.getByLabelText("Subject", { selector: "input" }).getAttribute("aria-invalid")).toBe("true");
  await fireEvent.click(screen.getByRole("button", { name: "Save changes" }));
  await screen.findByText("Line 1: “{{” is opened here and never closed.");
  expect(screen.getByText("Version 4")).toBeTruthy();
});

test("missing values are named, with the way to say what stands in for them", async () => {
  await see("automations/aut_1");
  await screen.findByText("Goes to maria@example.com.");
  await write("Subject", "Room {{ room }}");
  await screen.findByText("Held, because a value is missing: room.");
  expect(screen.getByText('{{ room | default("…") }}')).toBeTruthy();
});

test("what was typed is still there after a look elsewhere, and can be taken back", async () => {
  await see("automations/aut_1");
  await write("Subject", "Not finished");
  await waitFor(() => expect(drafts.has("aut_1")).toBe(true));
  history.replaceState(null, "", "#/automations/aut_2");
  window.dispatchEvent(new HashChangeEvent("hashchange"));
  await screen.findAllByText("“Your booking” is not saved yet. What you typed is kept; open it to go on.");
  expect(await screen.findByText("not saved")).toBeTruthy();
  history.replaceState(null, "", "#/automations/aut_1");
  window.dispatchEvent(new HashChangeEvent("hashchange"));
  await waitFor(() => expect((screen.getByLabelText("Subject", { selector: "input" }) as HTMLInputElement).value).toBe("Not finished"));
  await fireEvent.click(screen.getByRole("button", { name: "Undo changes" }));
  await waitFor(() => expect(drafts.has("aut_1")).toBe(false));
});

test("a new one begins in an empty cell and is off unless it is switched on", async () => {
  await see("automations/new?event=booking.updated&kind=storage");
  await write("Name of the file", "moves/{{ bookingId }}.json");
  await fireEvent.click(screen.getByRole("button", { name: "Save, leave it off" }));
  await waitFor(() => expect(sent("POST", "/api/automations").length).toBe(1));
  expect(sent("POST", "/api/automations")[0]).toMatchObject({ event: ["booking.updated"], isActive: false, action: { kind: "storage", key: "moves/{{ bookingId }}.json" } });
});

test("the owner alone gets a test of what the preview shows", async () => {
  await see("automations/aut_1");
  await screen.findByText("Goes to maria@example.com.");
  await fireEvent.click(screen.getByRole("button", { name: "Send test to me" }));
  await write("Your email address", "me@nordlicht.example");
  await fireEvent.click(screen.getByRole("button", { name: "Send test" }));
  await screen.findByText("Accepted by SendGrid.");
  expect(sent("POST", "/api/automations/aut_1/test")).toEqual([{ to: "me@nordlicht.example", draft: {}, event: { eventId: "evt_0" } }]);
});

test("versions say who got them, and an earlier one comes back", async () => {
  await see("automations/aut_1");
  await fireEvent.click(await screen.findByRole("button", { name: "Version 4" }));
  await screen.findByText("Used by 24 deliveries.");
  await fireEvent.click(screen.getByRole("button", { name: "Restore version 2" }));
  await waitFor(() => expect(sent("POST", "/api/automations/aut_1/restore")).toEqual([{ version: 2 }]));
});

test("a rehearsal says how many and what differs; nothing is sent", async () => {
  await see("automations/aut_1?do=rehearse");
  await fireEvent.click(await screen.findByRole("button", { name: "Rehearse" }));
  await screen.findByText("58 of 61 would be sent, to 44 people. 2 would be held for a value.");
  expect(screen.getByText(/49 the same, 7 different, 2 not sent then/)).toBeTruthy();
});

test("what failed goes out again with the texts of now, once its number was seen", async () => {
  await see("automations/aut_1?do=resend");
  await fireEvent.click(await screen.findByRole("button", { name: /maria@example.com/ }));
  await screen.findByText("Your booking on Thursday 26 November");
  expect(sent("POST", "/api/deliveries/replay")[0]).toMatchObject({ content: "current", dryRun: true, filter: { automationId: "aut_1", status: "failed,unknown", test: false } });
  await fireEvent.click(screen.getByRole("button", { name: "Send 29" }));
  await waitFor(() => expect(sent("POST", "/api/deliveries/replay").at(-1)).not.toHaveProperty("dryRun"));
});

test("practice says so everywhere, and a practice booking shows its five results", async () => {
  sessionStorage.setItem("workspace", "ws_2");
  await see("today");
  await screen.findByText("Practice. Nothing you do here leaves this computer.");
  expect(screen.getByRole("button", { name: "Go to Nordlicht Salon" })).toBeTruthy();
  await fireEvent.click(await screen.findByRole("button", { name: "Practice booking" }));
  const results = await screen.findByRole("list", { name: "What became of it" });
  expect(within(results).getAllByRole("listitem").map((one) => one.textContent?.trim().replace(/\s+/g, " ")).length).toBe(5);
  expect(Date.parse((sent("POST", "/api/events")[0] as unknown as { data: { startTime: string } }).data.startTime)).toBeGreaterThan(Date.now() + 864e5);
});

test("a draft means what it says, and only what changed", () => {
  const made = { name: "Reminder", event: ["booking.created"], condition: null, gatherSeconds: 60, delayMinutes: null, relativeTo: { field: "startTime", minutes: -1440 }, limit: null, action: { kind: "sms" as const, to: "{{ customer.phone }}", message: "Hi" } };
  const draft = draftOf(made);
  expect(draft).toMatchObject({ timing: "near", amount: 1, unit: "days", side: "before", field: "startTime" });
  expect(meaningOf(draft)).toMatchObject({ relativeTo: { field: "startTime", minutes: -1440 }, delayMinutes: null, gatherSeconds: 60 });
  const saved = { ...made, id: "aut_1" } as unknown as Parameters<typeof changesOf>[1];
  expect(changesOf(draft, saved)).toEqual({});
  draft.amount = 2;
  expect(changesOf(draft, saved)).toEqual({ relativeTo: { field: "startTime", minutes: -2880 } });
  draft.timing = "once";
  expect(changesOf(draft, saved)).toEqual({ relativeTo: null, gatherSeconds: 0 });
});
test("values are offered by their names, each in the way it is read", () => {
  expect(valuesOf(types, ["booking.created"]).map((one) => [one.title, one.text])).toEqual([["What", "{{ title }}"], ["Starts", "{{ startTime | datetime }}"], ["Customer, Name", "{{ customer.name }}"], ["Customer, Email", "{{ customer.email }}"]]);
});
