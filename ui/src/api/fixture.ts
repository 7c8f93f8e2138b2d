// A small business that never was, so that every screen can be looked at without an engine:
// `npm run dev -- --mode fixture`, or `npm run fixture` for a build of it. Not part of the product.
// `?now=empty`, `?now=trouble`, `?now=gone` show the other days; `?theme=dark|contrast…`, `?text=200` the other eyes.

import type { Ask, Answer, Transport } from "./client";
import { automations } from "./fixture-automations";
import { serviceProblems, services } from "./fixture-integrations";
import type { Attempt, Changed, DeliveryRow, Event, EventType, Problems, State, Token, Webhook } from "./schema";

const asked = new URLSearchParams(location.search);
const day = asked.get("now") ?? "good";
const trouble = day === "trouble";

const state = (word: string, shape: State["shape"], role: State["role"]): State => ({ word, shape, role });
const working = state("Working", "tick-filled", "success");
const received = state("Received", "tick-filled", "success");
const sending = state("Sending", "arrow-open", "accent");
const retrying = state("Retry at 16:20", "retry", "waiting");
const heldPaused = state("Held, paused", "bars-square-filled", "held");
const failed = state("Failed", "octagon-bar", "failed");
const unknown = state("Not known", "diamond-question", "unknown");
const cancelled = state("Told by you", "cross-open", "muted");
const offline = state("Waiting for internet", "gap-square", "waiting");
const paused = state("Paused, 212 held", "bars-square-open", "held");
const bad = state("Trouble", "triangle-bang", "held");

const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
const daysOf = (succeeded: number[], broken: number[] = []): Webhook["days"] =>
  succeeded.map((count, at) => ({ day: new Date(Date.now() - (6 - at) * 864e5).toISOString().slice(0, 10), succeeded: count, failed: broken[at] ?? 0 }));

const webhook = (more: Partial<Webhook> & { id: string; name: string; host: string }): Webhook => ({
  url: `https://${more.host}/hooks`, events: ["*"], isActive: true, format: "payload", retryAttempts: 9, retryDelay: 5000, retrySchedule: "standard", timeoutSeconds: 15,
  allowPrivateNetwork: false, filter: null, headerNames: [], problemId: null, totalCalls: (more.successfulCalls ?? 0) + (more.failedCalls ?? 0), successfulCalls: 0, failedCalls: 0, lastTriggered: ago(2), lastError: null, secretCreatedAt: ago(34 * 1440), secretAge: { sentence: "Made 34 days ago.", isOld: false },
  previousSecretValidUntil: null, pausedReason: null, state: working, sentence: "All calls get through.", held: 0, waiting: 0, days: daysOf([31, 34, 38, 16, 0, 25, 14]), successRate: null, ...more,
});
let webhooks: Webhook[] = [
  webhook({ id: "whk_1", name: "Cash desk", host: "kasse.nordlicht.example", successfulCalls: 1204, failedCalls: 5, successRate: 1204 / 1209, days: daysOf([31, 34, 38, 16, 0, 25, 14], [0, 0, 0, 0, 0, 2, 0]) }),
  webhook({ id: "whk_2", name: "Online shop", host: "shop.example", events: ["booking.created", "booking.updated", "booking.cancelled"], successfulCalls: 1105, failedCalls: 106, successRate: 1105 / 1211, secretCreatedAt: ago(121 * 1440), lastTriggered: ago(5 * 1440), ...(trouble ? { state: paused, isActive: false, sentence: "It has been down since Thursday. 212 are kept.", problemId: "prb_1", held: 212, days: daysOf([38, 6, 0, 0, 0, 0, 0], [0, 9, 9, 9, 3, 9, 0]) } : {}) }),
  webhook({ id: "whk_3", name: "Bookkeeping", host: "api.buchwerk.example", events: ["form.submitted"], headerNames: ["X-Api-Key", "X-Tenant"], filter: { all: [{ path: "formName", op: "eq", value: "Gift voucher" }, { path: "fields.Amount", op: "gte", value: 50 }] }, successfulCalls: 76, failedCalls: 2, successRate: 76 / 78, secretCreatedAt: ago(203 * 1440), secretAge: { sentence: "Made 203 days ago.", isOld: true }, days: daysOf([22, 30, 25, 16, 0, 30, 16], [0, 0, 0, 0, 0, 1, 1]), ...(trouble ? { state: bad, sentence: "2 of the last 20 calls did not get through." } : {}) }),
  webhook({ id: "whk_4", name: "Tablet at the door", host: "192.168.1.40:8080", events: ["booking.created", "booking.cancelled"], allowPrivateNetwork: true, successfulCalls: 11, secretCreatedAt: ago(1440), days: daysOf([0, 0, 0, 0, 0, 8, 3]) }),
];
if (day === "empty") webhooks = [];

const people = ["Maria Petersen", "Karin Möller", "Lena Hansen", "Tom Brandt", "Priya Nair", "Jonas Weber", "Aylin Kaya"];
const states: [State, string][] = trouble
  ? [[received, "success"], [sending, "sending"], [received, "success"], [heldPaused, "held"], [received, "success"], [retrying, "pending"], [failed, "failed"], [received, "success"], [unknown, "unknown"], [cancelled, "cancelled"], [offline, "held"]]
  : [[received, "success"]];
const what = (at: number): [string, string, string] => {
  const number = 1047 - at;
  return ([["booking.created", "New booking", `${number}`], ["booking.updated", "Booking changed", `${number}`], ["form.submitted", "Form sent", "Gift voucher"], ["inventory.low", "Stock is low", "Colour 7.1"], ["booking.cancelled", "Booking cancelled", `${number}`]] as [string, string, string][])[at % 5] ?? ["booking.created", "New booking", `${number}`];
};
const SIZE = day === "empty" ? 0 : 1207;
let newest = 0;
function row(at: number): DeliveryRow {
  const [type, label, subject] = what(at);
  const [is, status] = states[(at < 0 ? 0 : at) % states.length] ?? [received, "success"];
  const hook = ["Cash desk", "Online shop", "Bookkeeping", "Tablet at the door"][Math.abs(at) % 4] ?? "Cash desk";
  return {
    id: `dlv_${at}`, channel: "webhook", eventId: `evt_${at}`, eventType: type, subject, webhookId: `whk_${(Math.abs(at) % 4) + 1}`, automationId: null, recipient: "kasse.nordlicht.example",
    who: hook, what: `${label} ${subject}`, status: status as DeliveryRow["status"], statusReason: null, state: is, statusCode: status === "success" ? 200 : 500, code: null, error: null, attemptCount: 1, test: at === 7,
    replayOf: null, createdAt: new Date(Date.now() - (at + newest) * 4 * 60_000 - 90_000).toISOString(), dueAt: null, finishedAt: null, deliveredAt: null, durationMs: 41,
  };
}
const odd = '{"bookingId":"1047","title":"Cut\\u0020and colour","price":1e2,"total":12345678901234567890,"startTime":"2026-11-26T09:30:00+01:00",\n "note":"shown \u202eas it is","customer":{"name":"Maria Petersen","email":"maria@example.com"},"tags":[],"html":"<b onclick=alert(1)>no</b>"}';
const attempt = (number: number, minutes: number, more: Partial<Attempt>): Attempt => ({
  id: `att_${number}`, number, trigger: "auto", startedAt: ago(minutes), durationMs: 412, statusCode: 200, code: null, error: null, summary: "Received", state: received, requestUrl: "https://kasse.nordlicht.example/hooks",
  requestHeaders: { "content-type": "application/json", "webhook-id": "evt_0192", "webhook-signature": "v1,••••••", "x-webhook-event": "booking.created" }, requestBody: odd,
  responseHeaders: { "content-type": "application/json" }, responseBody: '{"ok":true}', responseTruncated: false, ...more,
});
function delivery(id: string): unknown {
  const one = row(Number(id.slice(4)));
  const stuck = one.status === "failed" || one.status === "unknown";
  return {
    ...one, body: odd,
    sentence: stuck ? "Cash desk did not take it: it answered 500 three times." : one.status === "held" ? "Held, because Online shop is paused." : "Cash desk received it on the second try.",
    explanation: stuck ? "Nothing more is tried by itself. Once Cash desk works again, send it again." : "It did not answer within 15 seconds at first, so it was tried again. It got it once.",
    actions: stuck ? ["retry", "cancel"] : one.status === "held" ? ["release", "cancel"] : [],
    attempts: one.status === "held" ? [] : [attempt(1, 6, { summary: "No answer within 15 s", state: unknown, statusCode: null, durationMs: 15_000, responseBody: null, responseHeaders: null }), attempt(2, 4, stuck ? { summary: "Answered 500", state: failed, statusCode: 500, error: "The receiver has trouble of its own.", responseBody: "<h1>Internal error</h1>" } : {})],
  };
}
const text = (title: string, format?: string): object => ({ type: "string", title, ...(format ? { format } : {}) });
const customer = { type: "object", title: "Customer", properties: { name: text("Name"), email: text("Email", "email"), phone: text("Phone", "phone") } };
const booking = { type: "object", properties: { bookingId: text("Booking number"), title: text("What"), startTime: text("Starts", "date-time"), endTime: text("Ends", "date-time"), timezone: text("Time zone", "iana-time-zone"), location: text("Where"), notes: text("Notes", "multiline"), price: { type: ["number", "string"], title: "Price" }, customer } };
const person = { name: "Maria Petersen", email: "maria@example.com", phone: "+4915112345678" };
const eventTypes = [
  { type: "booking.created", label: "New booking", description: "Somebody booked an appointment.", declared: false, schema: booking, example: { bookingId: "1048", title: "Wash and cut", startTime: "2026-11-27T10:30:00+01:00", endTime: "2026-11-27T11:15:00+01:00", timezone: "Europe/Berlin", price: 48, customer: person } },
  { type: "booking.updated", label: "Booking changed", description: "An appointment was moved or altered.", declared: false, schema: booking, example: { bookingId: "1048", customer: person } },
  { type: "form.submitted", label: "Form sent", description: "Somebody filled in a form.", declared: false, schema: { type: "object", properties: { submissionId: text("Number"), formName: text("Form"), fields: { type: "object", title: "Answers" }, customer } }, example: { submissionId: "s-5512", formName: "Gift voucher", fields: { Amount: "80", For: "Lena Hansen" }, customer: person } },
  { type: "inventory.low", label: "Stock is low", description: "An article is running out.", declared: false, schema: { type: "object", properties: { sku: text("Article number"), name: text("Name"), quantity: { type: "number", title: "Left" }, threshold: { type: "number", title: "Warn at" } } }, example: { sku: "COL-71", name: "Colour 7.1", quantity: 3, threshold: 6 } },
];
let tokens: Token[] = [
  { id: "tok_1", name: "Booking page", scope: "events", createdAt: ago(9000), lastUsedAt: ago(2), lastFour: "Qm4x" },
  { id: "tok_2", name: "Cash desk", scope: "events", createdAt: ago(9000), lastUsedAt: null, lastFour: "81Lb" },
];
if (day === "empty") tokens = [];
const event = (): Event => ({ id: "evt_0", type: "booking.created", label: "New booking", subject: "1047", occurredAt: ago(2), receivedAt: ago(2), source: "Booking page", data: {}, what: "Maria Petersen, cut and colour", deliveries: [
  ...(["email", "sms", "calendar", "storage"] as const).map((channel, at) => ({ ...row(at), channel, webhookId: null, who: ["maria@example.com", "+49 1511 2345678", "Wash and cut", "bookings/1047.json"][at] ?? "", state: state(["Accepted", "Delivered", "Written", "Stored"][at] ?? "", at === 0 ? "tick-open" : "tick-filled", "success") })), row(4)] });

function today(): unknown {
  return {
    sentence: day === "empty" ? "Nothing has happened yet." : trouble ? "Online shop needs you. 212 calls are held." : "All good. 20 calls since midnight, none waiting.",
    arm: day === "empty" ? "clear" : trouble ? "needs_you" : "clear", counts: { delivered: 20, waiting: 0, held: trouble ? 212 : 0, failed: 0 },
    receivers: webhooks.map((one, at) => ({ webhookId: one.id, name: one.name, host: one.host, state: one.state, days: one.days, today: [14, 6, 3, 2][at] ?? 0, lastSuccess: ago(3 + at * 20) })),
    justNow: day === "empty" ? [] : ["Booking 1047", "Booking 1036 moved", "Gift voucher form", "New contact", "Booking 1041", "Stock is low", "Booking 1040", "Booking 1039"].map((title, at) => ({
      eventId: `evt_${at}`, at: ago(3 + at * 17), title, what: `${people[at % people.length]}, ${["cut and colour", "to Friday 10:30", "80 €", "wash and cut"][at % 4]}`,
      plates: [0, 1, 2, 3].slice(0, (at % 3) + 1).map((n) => ({ channel: "webhook", deliveryId: `dlv_${at * 4 + n}`, who: webhooks[n]?.name ?? "Cash desk", state: row(at * 3 + n).state })),
    })),
  };
}

function troubles(): Problems {
  const solved = [{ title: "Cash desk answered again. 3 calls went out.", at: ago(200) }, { title: "Internet came back. 4 calls went out, none twice.", at: ago(290) }];
  if (!trouble) return { problems: [], solved: day === "empty" ? [] : solved, sentence: "Nothing needs you." };
  const held = [3, 14, 25].map((at) => ({ ...row(at), state: heldPaused }));
  return {
    sentence: "2 things. Everything else goes on.", solved,
    problems: [
      ...serviceProblems(),
      { id: "prb_1", cause: "failing", integration: "webhook", webhookId: "whk_2", since: ago(5 * 1440), waiting: 212, failed: 0, actions: ["resume", "remove"], state: state("Paused", "bars-square-filled", "held"), title: "Online shop has not answered since Thursday", effect: "212 calls are kept, oldest first. The shop shows old opening times until they arrive.", buttons: [{ action: "resume", label: "Send the 212", primary: true }, { action: "remove", label: "Remove Online shop", primary: false }], first: held, filter: { webhookId: "whk_2", status: "held", test: false } },
      { id: "prb_2", cause: "failed", integration: "webhook", webhookId: "whk_3", since: ago(160), waiting: 0, failed: 2, actions: ["retry_all", "told_them"], state: failed, title: "2 calls to Bookkeeping were given up", effect: "It answered 500 each time. Two vouchers are missing in the books.", buttons: [{ action: "retry_all", label: "Send both again", primary: true }, { action: "told_them", label: "I told them myself", primary: false }], first: [row(6), row(17)], filter: { webhookId: "whk_3", status: "failed", test: false } },
    ],
  };
}

const pagedFrom = (path: string): unknown => {
  const query = new URL(path, "http://fixture").searchParams;
  const size = Number(query.get("limit") ?? 50);
  const wanted = query.get("status")?.split(",");
  const from = Number(query.get("cursor") ?? -newest);
  const rows: DeliveryRow[] = [];
  let at = from;
  for (; at < SIZE && rows.length < size; at += 1) {
    const one = row(at);
    if ((!wanted || wanted.includes(one.status)) && (!query.get("webhookId") || one.webhookId === query.get("webhookId")) && (!query.get("eventType") || one.eventType === query.get("eventType")) && (!query.get("eventId") || one.eventId === query.get("eventId"))) rows.push(one);
  }
  const whole = ![...query.keys()].some((name) => ["status", "webhookId", "eventType", "eventId"].includes(name));
  return { deliveries: rows, nextCursor: at < SIZE ? String(at) : null, total: whole ? SIZE + newest : rows.length, totalIsExact: true };
};

const ofServices = services(day);
const ofAutomations = automations(day, eventTypes as unknown as EventType[]);
function answer(ask: Ask): [number, unknown] {
  const { method, path, body } = ask;
  const found = ofServices(ask) ?? ofAutomations(ask);
  if (found) return found;
  const plain = path.split("?")[0] ?? path;
  const said = body ? (JSON.parse(body) as Record<string, unknown>) : {};
  const id = plain.split("/").at(-1) ?? "";
  if (plain === "/api/workspaces") return [200, { workspaces: [{ id: "ws_1", name: "Nordlicht Salon", timezone: "Europe/Berlin", createdAt: ago(9e5), isPractice: false }, { id: "ws_2", name: "Hafen Café", timezone: "Europe/Berlin", createdAt: ago(9e5), isPractice: false }, { id: "ws_3", name: "Practice", timezone: "Europe/Berlin", createdAt: ago(9e5), isPractice: true }] }];
  if (plain === "/api/today") return [200, today()];
  if (plain === "/api/event-types") return [200, { eventTypes }];
  if (plain === "/api/connection") return [200, { address: "http://127.0.0.1:7465", problem: null, firstEvent: day === "empty" ? null : event() }];
  if (plain === "/api/tokens" && method === "POST") {
    tokens = [...tokens, { id: "tok_3", name: String(said.name), scope: "events", createdAt: ago(0), lastUsedAt: null, lastFour: "9kQz" }];
    return [201, { success: true, id: "tok_3", name: said.name, scope: "events", token: "sbt_7QmXk2vR8cLw5TzB1nYpE4dHs0JfGa9kQz" }];
  }
  if (plain === "/api/tokens") return [200, { tokens }];
  if (plain.startsWith("/api/tokens/")) return ((tokens = tokens.filter((one) => one.id !== id)), [200, { message: "Revoked." }]);
  if (plain === "/api/integrations/webhooks" && method === "POST") {
    const url = String(said.url);
    if (!said.name) return [422, { title: "Check the fields", status: 422, detail: "Something is missing.", errors: [{ path: "name", code: "required", message: "Give it a name." }] }];
    if (/192\.168|127\.0|localhost/.test(url) && !said.allowPrivateNetwork) return [422, { title: "Check the fields", status: 422, detail: "This address cannot be used yet.", errors: [{ path: "url", code: "private_address", message: "This address is on your own network or computer. If you mean that, allow the private network for this webhook." }] }];
    const made = webhook({ id: `whk_${webhooks.length + 1}`, name: String(said.name), host: new URL(url).host, days: daysOf([0, 0, 0, 0, 0, 0, 0]), lastTriggered: null, secretCreatedAt: ago(0), state: state("Ready", "dot-open", "success") });
    webhooks = [...webhooks, made];
    return [201, { success: true, webhook: { ...made, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwb1nC7vXe0Yw=" } }];
  }
  if (plain === "/api/integrations/webhooks") return [200, { webhooks }];
  if (plain === "/api/integrations/webhooks/preview") {
    const programs = said.format === "payload" || said.format === "envelope";
    const message = programs ? null : { headline: "Maria Petersen booked Cut and colour", facts: [{ label: "When", value: "Thu 26 Nov 2026, 09:30–11:00 (Europe/Berlin)" }, { label: "Where", value: "Nordlicht Salon" }], leftOut: 0 };
    return [200, { contentType: "application/json", body: message ? JSON.stringify({ text: message.headline }) : odd, message }];
  }
  if (plain === "/api/integrations/webhooks/filter/test") {
    const lines = ((said.filter as { all?: { path: string }[] }).all ?? []).findIndex((one) => !one.path);
    if (lines >= 0) return [422, { title: "Check the fields", status: 422, detail: "The filter is not right yet.", errors: [{ path: `filter.all.${lines}.path`, code: "invalid", message: "Name a member of data, such as customer.email." }] }];
    return [200, { checked: 214, matched: 61, sentence: "61 of the 214 events of the last 30 days would have been sent.", samples: [85, 30, 48, 120].map((price, at) => ({ eventId: `evt_${at}`, at: ago(30 + at * 95), label: "New booking", what: `${people[at]}, cut and colour`, matches: price > 50, why: `price is ${price}, ${price > 50 ? "more than 50" : "not more than 50"}.` })) }];
  }
  if (plain.endsWith("/snippets")) return [200, { snippets: ["Node.js", "Python", "PHP", "Ruby", "Go", "Rust"].map((label, at) => ({ language: ["node", "python", "php", "ruby", "go", "rust"][at], label, code: `# A receiver in ${label}\n\nimport hmac, hashlib, os\n\nsecret = os.environ["SIGNALBOX_SECRET"]\n`, install: label === "Rust" ? "cargo add axum hmac sha2" : null, runs: "Save it as receiver, put the signing secret into the environment variable SIGNALBOX_SECRET, then run it." })) }];
  if (plain.endsWith("/rotate-secret")) {
    const hook = plain.split("/")[4] ?? "";
    const over = said.finish === true || said.overlapHours === 0 ? null : new Date(Date.now() + Number(said.overlapHours ?? 24) * 36e5).toISOString();
    webhooks = webhooks.map((one) => (one.id === hook ? { ...one, previousSecretValidUntil: over, ...(said.finish ? {} : { secretAge: { sentence: "Made today.", isOld: false }, secretCreatedAt: ago(0) }) } : one));
    return [200, said.finish ? { success: true, message: "It accepted a test with the new secret alone. The former one is forgotten." } : { success: true, secret: "whsec_N7vXe0YwMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwb1n=", previousValidUntil: over }];
  }
  if (plain.endsWith("/test")) return [200, plain.includes("whk_3") ? { success: false, message: "It answered 404: nobody listens at this address.", statusCode: 404, deliveryId: "dlv_6", error: "…", gracefulFail: true, code: "rejected", willRetry: false } : { success: true, message: "It answered 200 after 41 ms.", statusCode: 200, attempts: 1, durationMs: 41, deliveryId: "dlv_1" }];
  if (plain.startsWith("/api/integrations/webhooks/") && method === "DELETE") return ((webhooks = webhooks.filter((one) => one.id !== id)), [200, { message: "Deleted." }]);
  if (plain.startsWith("/api/integrations/webhooks/") && method === "PATCH") {
    if (said.name === "") return [422, { title: "Check the fields", status: 422, detail: "Something is missing.", errors: [{ path: "name", code: "invalid", message: "Give it a name of 1 to 100 characters." }] }];
    webhooks = webhooks.map((one) => (one.id === id ? { ...one, ...(said as Partial<Webhook>), ...("isActive" in said ? { state: said.isActive ? working : state("Paused", "bars-square-open", "held") } : {}) } : one));
    return [200, { webhook: webhooks.find((one) => one.id === id), warnings: [] }];
  }
  if (plain.startsWith("/api/integrations/webhooks/")) {
    const one = webhooks.find((hook) => hook.id === id);
    return one ? [200, { webhook: one }] : [404, { title: "Not found", status: 404, detail: "There is no such webhook here. It may have been deleted." }];
  }
  if (plain === "/api/events" && method === "POST") return [202, { success: true, eventId: "evt_0", deliveries: 3, duplicate: false, warnings: (said.data as { customer?: { phone?: string } }).customer?.phone ? [] : [{ path: "customer.phone", code: "missing", message: "is usually given." }] }];
  if (plain.startsWith("/api/events/")) return [200, { event: event() }];
  if (plain === "/api/deliveries/histogram") {
    const query = new URL(path, "http://fixture").searchParams;
    const count = Number(query.get("buckets") ?? 60);
    const [from, to] = [Date.parse(query.get("since") ?? ago(3 * 1440)), Date.parse(query.get("until") ?? ago(0))];
    const each = (to - from) / count;
    const buckets = Array.from({ length: count }, (_, at) => {
      const hour = new Date(from + at * each).getHours();
      const success = hour < 7 || hour > 21 ? 0 : 4 + ((at * 7) % 11);
      return { start: new Date(from + at * each).toISOString(), success, waiting: 0, held: trouble && at > count - 6 ? 3 : 0, failed: trouble && at % 17 === 9 ? 2 : 0, other: 0 };
    });
    return [200, { from: new Date(from).toISOString(), to: new Date(to).toISOString(), bucketSeconds: each / 1000, buckets, sentence: "1,207 deliveries in 3 days." }];
  }
  if (plain === "/api/deliveries/replay") return [200, { success: true, matched: 31, queued: 29, excluded: [{ reason: "test", count: 2, sentence: "2 are tests and are left out." }], sentence: said.dryRun ? "29 deliveries to 3 receivers." : "29 are being sent again.", replayId: said.dryRun ? null : "rpl_1" }];
  if (plain === "/api/replays") return [200, { replays: trouble ? [{ id: "rpl_1", startedAt: ago(1), total: 212, sent: 84, failed: 1, waiting: 127, cancelled: 0, perMinute: 60, isRunning: true, sentence: "Sending 212 again to Online shop." }] : [] }];
  if (plain === "/api/story") return [200, { title: "Booking 1047", sentence: "2 things happened; everybody was told.", steps: [{ at: ago(90), eventId: "evt_9", label: "New booking", what: "Maria Petersen", deliveries: [row(0), { ...row(3), id: "dlv_3b" }] }, { at: ago(5), eventId: "evt_10", label: "Booking changed", what: "Maria Petersen", deliveries: [row(1)] }], nextCursor: null }];
  if (plain === "/api/problems") return [200, troubles()];
  if (plain.startsWith("/api/problems/")) return [200, { success: true, message: "212 calls go out now, oldest first.", deliveries: 212 }];
  if (plain === "/api/deliveries") return [200, pagedFrom(path)];
  if (method === "POST" && plain.startsWith("/api/deliveries/")) return [202, { success: true, delivery: { ...row(0), id: plain.split("/")[3], state: sending } }];
  if (plain.startsWith("/api/deliveries/")) return [200, { delivery: delivery(id) }];
  return [404, { title: "Not found", status: 404, detail: `There is no ${plain}.` }];
}

export function byFixture(): Transport {
  // As strict as the desktop window.
  Object.freeze(Object.prototype);
  const theme = asked.get("theme");
  const root = document.documentElement;
  if (theme) {
    root.dataset.theme = theme.includes("dark") ? "dark" : "light";
    root.dataset.contrast = theme.startsWith("contrast") ? "more" : "normal";
  }
  if (asked.get("text")) root.style.fontSize = `${asked.get("text")}%`;
  return {
    request: (ask): Promise<Answer> => {
      if (day === "gone" && ask.path !== "/api/workspaces") return Promise.reject(new Error("gone"));
      const [status, body] = answer(ask);
      return Promise.resolve({ status, body: JSON.stringify(body) });
    },
    changes(heard: (change: Changed | null) => void) {
      // `arrive()` in the console lets three more come in.
      Object.assign(window, { arrive: () => { newest += 3; heard({ topics: ["deliveries"], workspaceId: "ws_1" }); } });
      return () => {};
    },
    ready: () => {},
    // Slow enough to be seen.
    async upload(_, form, sent, stop) {
      const size = (form.get("file") as File).size;
      for (let part = 1; part <= 20 && !stop.aborted; part += 1) {
        await new Promise((later) => setTimeout(later, 100));
        sent((size * part) / 20);
      }
      if (stop.aborted) throw new Error("stopped");
      return { status: 200, body: JSON.stringify({ success: true, deliveryId: "dlv_3", key: "ws_1/general/0199.pdf", fileUrl: "", filename: "0199.pdf", originalName: "x", size }) };
    },
    save: () => Promise.resolve(),
  };
}
