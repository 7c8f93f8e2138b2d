// The automations of the small business that never was: what the fixture answers about them.

import type { Ask } from "./client";
import type { Automation, AutomationAction, AutomationPatch, AutomationPreview, AutomationVersion, EventType, NewAutomation, State } from "./schema";

const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
const state = (word: string, shape: State["shape"], role: State["role"]): State => ({ word, shape, role });
const working = state("Working", "tick-filled", "success");
const off = state("Off", "dashed-round", "muted");
const html = (words: string): string => `<p>Hello {{ customer.name }},</p>\n<p>${words}</p>\n<p>Something came up? Call us on 0461 5550 142.</p>\n<p>{{ workspace.name }}</p>`;

let made = 0;
function one(name: string, event: string | string[], action: AutomationAction, more: Partial<Automation> = {}): Automation {
  made += 1;
  const isActive = more.isActive ?? true;
  return {
    id: `aut_${made}`, name, event: [event].flat(), isActive, condition: null, gatherSeconds: 60, delayMinutes: null, relativeTo: null, limit: null, action, version: 4, createdAt: ago(90_000), changedAt: ago(160), when: "at once",
    state: isActive ? working : off, sentence: isActive ? "All of the last seven days went out." : "It is off: nothing is sent.", counts: { sent: isActive ? (made * 7) % 40 : 0, waiting: 0, held: 0, failed: 0, skipped: 0 }, ...more,
  };
}
const email = (subject: string, words: string, to = "{{ customer.email }}"): AutomationAction => ({ kind: "email", to, subject, html: html(words) });
const sms = (message: string): AutomationAction => ({ kind: "sms", to: "{{ customer.phone }}", message });
const entry: AutomationAction = { kind: "calendar", operation: "sync", title: "{{ customer.name }}: {{ title }}", startTime: "{{ startTime }}", endTime: "{{ endTime }}", location: "{{ location }}" };

/** What is asked about automations; undefined where it is something else. */
export function automations(day: string, types: EventType[]): (ask: Ask) => [number, unknown] | undefined {
  made = 0;
  let all: Automation[] = day === "empty" ? [] : [
    one("Your booking", "booking.created", email("Your booking on {{ startTime | date }}", "we look forward to seeing you for <b>{{ title }}</b> on {{ startTime | datetime }}.")),
    one("Confirmation", "booking.created", sms("{{ workspace.name }}: {{ title }} on {{ startTime | datetime }}. Until then.")),
    one("Reminder", ["booking.created", "booking.updated"], sms("See you tomorrow at {{ startTime | time }}. {{ workspace.name }}"), { relativeTo: { field: "startTime", minutes: -1440 }, counts: { sent: 12, waiting: 5, held: 0, failed: 0, skipped: 1 } }),
    one("Keeps the calendar", ["booking.created", "booking.updated"], entry),
    one("Booking moved", "booking.updated", email("Your booking has moved", "your new time is {{ startTime | datetime }}.")),
    one("Moved", "booking.updated", sms("Your new time: {{ startTime | datetime }}."), { isActive: false }),
    one("Thank you", "form.submitted", email("We got your form", "thank you for “{{ formName }}”. We answer within a day."), day === "trouble" ? { state: state("2 failed", "octagon-bar", "failed"), sentence: "2 of the last 20 failed.", counts: { sent: 18, waiting: 0, held: 0, failed: 2, skipped: 0 } } : {}),
    one("Form as a file", "form.submitted", { kind: "storage", key: "forms/{{ submissionId }}.json", content: "{{ title }}" }),
    one("To me: order more", "inventory.low", email("{{ name }} is running low", "{{ quantity }} are left of {{ name }}.", "hallo@nordlicht.example"), { condition: { all: [{ path: "quantity", op: "lt", value: 5 }] } }),
    one("Stock list", "inventory.low", { kind: "storage", key: "stock/{{ sku }}.txt", content: "{{ name }}: {{ quantity }}" }, { isActive: false }),
  ];
  const happened = ["Maria Petersen", "Karin Möller", "Lena Hansen"].map((name, at) => ({
    id: `evt_${at}`, type: "booking.created", label: "New booking", subject: `${1047 - at}`, occurredAt: ago(3 + at * 60), receivedAt: ago(3 + at * 60), source: "Booking page", what: `${name}, booking ${1047 - at}`, deliveries: [],
    data: { bookingId: `${1047 - at}`, title: "Cut and colour", startTime: "2026-11-26T09:30:00+01:00", endTime: "2026-11-26T11:30:00+01:00", location: "Große Straße 12", price: 85, customer: at === 2 ? { name } : { name, email: `${name.split(" ")[0]?.toLowerCase()}@example.com`, phone: "+4915112345678" } },
  }));

  const dataOf = (event?: { eventId?: string; type?: string; data?: unknown }): Record<string, unknown> => (happened.find((found) => found.id === event?.eventId)?.data ?? event?.data ?? types.find((type) => type.type === event?.type)?.example ?? happened[0]?.data ?? {}) as Record<string, unknown>;
  // Enough of the language of templates to look at one.
  function render(source: string | null | undefined, data: Record<string, unknown>, missing: Set<string>): string {
    return (source ?? "").replace(/\{\{\s*([\w.]+)\s*(?:\|\s*(\w+)(?:\("([^"]*)"\))?)?\s*\}\}/g, (_, path: string, filter?: string, otherwise?: string) => {
      const at = path === "workspace.name" ? "Nordlicht Salon" : path.split(".").reduce<unknown>((held, name) => (held as Record<string, unknown> | undefined)?.[name], data);
      if (at === undefined && filter !== "default") missing.add(path);
      const date = typeof at === "string" && /^\d{4}-/.test(at) ? new Date(at) : undefined;
      return date && filter ? date.toLocaleString("en-GB", { timeZone: "Europe/Berlin", ...(filter === "time" ? {} : { weekday: "long", day: "numeric", month: "long" }), ...(filter === "date" ? {} : { hour: "numeric", minute: "2-digit" }) }) : String(at ?? otherwise ?? "");
    });
  }
  function shown(from: Automation | NewAutomation, event?: { eventId?: string; type?: string; data?: unknown }): AutomationPreview {
    const missing = new Set<string>();
    const data = dataOf(event);
    const { action } = from;
    const texts = Object.entries(action).filter(([, text]) => typeof text === "string") as [string, string][];
    const broken = texts.find(([, text]) => text.lastIndexOf("{{") > text.lastIndexOf("}}"));
    const line = (text: string): number => text.slice(0, text.lastIndexOf("{{")).split("\n").length;
    const to = "to" in action ? render(action.to, data, new Set()) : "";
    const request = Object.fromEntries(texts.filter(([name]) => !["kind", "operation", "entry"].includes(name)).map(([name, text]) => [name, render(text, data, missing)]));
    const mistakes = broken ? [{ path: `action.${broken[0]}`, line: line(broken[1]), column: broken[1].length, message: "“{{” is opened here and never closed.", missing: [] }] : [...missing].map((name) => ({ path: "action", line: null, column: null, message: `There is no ${name}.`, missing: [name] }));
    const nobody = "to" in action && !to;
    const outcome = nobody ? "no_recipient" : missing.size || broken ? "missing_value" : "send";
    return {
      success: true, kind: action.kind, eventType: from.event[0] ?? "", eventId: event?.eventId ?? null, subject: "1047", what: "Maria Petersen, cut and colour", outcome, fits: true, why: from.condition ? "quantity is 3, less than 5." : null, recipient: to || null, missing: [...missing], mistakes, dueAt: null,
      sentence: nobody ? "Not sent: the event names nobody it can go to." : missing.size ? `Held, because a value is missing: ${[...missing].join(", ")}.` : action.kind === "calendar" ? "Written into the calendar." : action.kind === "storage" ? "Stored." : `Goes to ${to}.`,
      request: outcome === "send" ? (action.kind === "calendar" ? { operation: "create", entryId: "e1", request } : { ...request, ...(to ? { to: [to] } : {}) }) : null, plainText: action.kind === "email" ? (request.html ?? "").replace(/<[^>]+>/g, "") : null,
    };
  }
  const wrong = (action: AutomationAction): [number, unknown] | undefined => {
    const empty = action.kind === "email" && !action.subject ? ["action.subject", "An email needs a subject."] : action.kind === "sms" && !action.message ? ["action.message", "A text needs words."] : undefined;
    const [mistake] = shown({ name: "", event: [], action }).mistakes.filter((found) => found.line);
    const found = empty ?? (mistake && [mistake.path, `Line ${mistake.line}: ${mistake.message}`]);
    return found && [422, { title: "Check the fields", status: 422, detail: "Nothing was saved.", errors: [{ path: found[0], code: "invalid", message: found[1] }] }];
  };
  const versions = (of: Automation): AutomationVersion[] => Array.from({ length: of.version }, (_, at) => of.version - at).map((version) => ({ version, createdAt: ago((of.version - version) * 2000 + 160), restoredFrom: version === 3 ? 1 : null, isCurrent: version === of.version, deliveries: version === of.version ? 31 : version * 12, sentence: `Used by ${version === of.version ? 31 : version * 12} deliveries.`, action: of.action }));

  return ({ method, path, body }) => {
    const plain = path.split("?")[0] ?? path;
    if (method === "GET" && plain === "/api/events") return [200, { events: (new URL(path, "http://fixture").searchParams.get("type") ?? "").includes("booking") ? happened : [], nextCursor: null }];
    const [, , area, id, what] = plain.split("/");
    if (area !== "automations") return undefined;
    const said = (body ? JSON.parse(body) : {}) as { automation: NewAutomation; draft?: AutomationPatch; event?: { eventId?: string; type?: string; data?: unknown } };
    if (!id && method === "POST") {
      const next = said as unknown as NewAutomation;
      const refused = wrong(next.action);
      if (refused) return refused;
      const automation = { ...one(next.name, next.event, next.action, { isActive: next.isActive ?? true }), version: 1, changedAt: ago(0) };
      all = [...all, automation];
      return [201, { success: true, automation }];
    }
    if (!id) return [200, { automations: all }];
    if (id === "preview") return [200, shown(said.automation, said.event)];
    const found = all.find((other) => other.id === id);
    if (!found) return [404, { title: "Not found", status: 404, detail: "There is no such automation here." }];
    if (what === "preview") return [200, shown({ ...found, ...(said.draft as Partial<Automation> | undefined) }, said.event)];
    if (what === "test") return [200, { success: true, message: "Accepted by SendGrid.", deliveryId: "dlv_1" }];
    if (what === "versions") return [200, { versions: versions(found) }];
    if (what === "rehearse") return [200, {
      success: true, checked: 61, wouldSend: 58, recipients: 44, filtered: 0, superseded: 0, missingValue: 2, noRecipient: 1, tooLate: 0, overLimit: 0, same: 49, changed: 7, added: 2, removed: 0, missing: [{ name: "location", count: 2 }], isComplete: true,
      sentence: "58 of 61 would be sent, to 44 people. 2 would be held for a value.",
      samples: happened.map((event, at) => ({ eventId: event.id, at: event.receivedAt, what: event.what, outcome: at === 2 ? "no_recipient" : "send", superseded: false, overLimit: false, sentence: at === 2 ? "Not sent: the event names nobody it can go to." : `Goes to ${String((event.data.customer as { email?: string }).email)}.`, missing: [], deliveryId: at === 0 ? "dlv_1" : null, difference: at === 0 ? "changed" : at === 1 ? "same" : null })),
    }];
    if (method === "DELETE") return ((all = all.filter((other) => other.id !== id)), [200, { dropped: 0, message: `“${found.name}” is gone. What it did stays in the log.` }]);
    const patch = (what === "restore" ? {} : said) as unknown as AutomationPatch;
    if (patch.action) {
      const refused = wrong(patch.action);
      if (refused) return refused;
    }
    const isActive = patch.isActive ?? found.isActive;
    const automation = { ...found, ...(patch as Partial<Automation>), isActive, state: isActive ? (found.isActive ? found.state : working) : off, sentence: isActive ? "All of the last seven days went out." : "It is off: nothing is sent.", ...(patch.action || what === "restore" ? { version: found.version + 1, changedAt: ago(0) } : {}) };
    all = all.map((other) => (other.id === id ? automation : other));
    return [200, { automation, renderedAnew: 0, dropped: 0, message: "isActive" in patch ? `“${found.name}” is ${isActive ? "on" : "off"}.` : `“${automation.name}” is saved.` }];
  };
}
