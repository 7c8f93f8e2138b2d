// The services of the small business that never was: what the fixture answers about them.

import type { Ask } from "./client";
import type { Field, OpenProblem, State } from "./schema";

const state = (word: string, shape: State["shape"], role: State["role"]): State => ({ word, shape, role });
const working = state("Working", "tick-filled", "success");
const ready = state("Ready", "dot-open", "success");
const none = state("Not set up", "dashed-round", "muted");
const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
const daysOf = (succeeded: number[], failed: number[] = []) => succeeded.map((count, at) => ({ day: new Date(Date.now() - (6 - at) * 864e5).toISOString().slice(0, 10), succeeded: count, failed: failed[at] ?? 0 }));

const field = (name: string, label: string, input: Field["input"], help: string, more: Partial<Field> = {}): Field => ({ name, label, help, input, required: true, ...more });
const fields: Record<string, Field[]> = {
  email: [
    field("apiKey", "API key", "secret", "Make one at SendGrid under Settings, API Keys. “Restricted Access” with “Mail Send” is enough. SendGrid shows it once.", { find: { label: "Open SendGrid’s API keys", url: "https://app.sendgrid.com/settings/api_keys" } }),
    field("fromEmail", "Sender’s address", "email", "Customers see it and answer to it. SendGrid must know it: verify it there under Settings, Sender Authentication.", { example: "info@your-shop.com", find: { label: "Open Sender Authentication", url: "https://app.sendgrid.com/settings/sender_auth" } }),
    field("fromName", "Sender’s name", "text", "What customers see beside the address.", { required: false, example: "Salon Petersen" }),
    field("apiBaseUrl", "SendGrid’s address", "url", "Leave it empty, unless your account is in the EU: then it is https://api.eu.sendgrid.com.", { required: false, example: "https://api.sendgrid.com" }),
  ],
  sms: [
    field("accountSid", "Account SID", "text", "It stands on the first page of Twilio’s console, under Account Info.", { example: "AC…" }),
    field("authToken", "Auth token", "secret", "It stands below the account SID; press Show there.", { find: { label: "Open Twilio’s console", url: "https://console.twilio.com" } }),
    field("fromNumber", "Your number", "phone", "The number at Twilio that your texts come from. Leave it empty if you use a messaging service.", { required: false, example: "+15005550006" }),
  ],
  calendar: [field("refreshToken", "Refresh token", "secret", "What gets further access tokens. It is kept in this computer’s key store.")],
  storage: [
    field("accessKeyId", "Access key ID", "secret", "One that may read, write and delete in the bucket."),
    field("secretAccessKey", "Secret access key", "secret", "It is shown once, when the access key is made."),
    field("bucketName", "Bucket", "text", "The bucket that your files go to. Each workspace has a folder of its own in it.", { example: "my-business-files" }),
    field("region", "Region", "text", "Where the bucket lies; at Cloudflare it is auto.", { example: "eu-central-1" }),
    field("endpoint", "Address", "url", "Where the storage is. Leave it empty for Amazon.", { required: false, example: "https://fra1.digitaloceanspaces.com" }),
    field("pathStyle", "Bucket in the path", "switch", "For MinIO, Cloudflare and most storages of your own.", { required: false }),
  ],
};
const names = { email: ["sendgrid", "SendGrid"], sms: ["twilio", "Twilio"], calendar: ["google", "Google Calendar"], storage: ["s3", "Your storage"] } as const;
const secrets = ["apiKey", "authToken", "accessKeyId", "secretAccessKey"];

type Service = Record<string, unknown> & { isConfigured: boolean; isActive: boolean; state: State; held: number };
type Kind = keyof typeof names;
const off = (kind: Kind): Service => ({
  isConfigured: false, isActive: false, provider: names[kind][0], providerName: names[kind][1], whenPaused: "hold", lastTested: null, testStatus: null, testError: null, state: none, sentence: "Not set up yet.",
  held: 0, waiting: 0, failed: 0, lastSuccess: null, successRate: null, days: daysOf([0, 0, 0, 0, 0, 0, 0]), problemId: null, fields: fields[kind] ?? [],
  ...(kind === "storage" ? { presets: [{ name: "spaces", label: "DigitalOcean Spaces", endpoint: "https://{region}.digitaloceanspaces.com", region: "fra1", pathStyle: false, help: "At DigitalOcean under API, Spaces Keys." }, { name: "minio", label: "MinIO", endpoint: null, region: "us-east-1", pathStyle: true, help: "In MinIO’s console under Access Keys." }] } : {}),
});
const on = (kind: Kind, settings: Record<string, unknown>, more: Partial<Service> = {}): Service => ({ ...off(kind), isConfigured: true, isActive: true, state: working, sentence: `${names[kind][1]} works.`, lastTested: ago(480), testStatus: "success", lastSuccess: ago(3), ...settings, ...more });

/** What is asked about services, on a good day, an empty one, or in trouble; undefined where it is something else. */
export function services(day: string): (ask: Ask) => [number, unknown] | undefined {
  const trouble = day === "trouble";
  const all: Record<Kind, Service> = day === "empty"
    ? { email: off("email"), sms: off("sms"), calendar: off("calendar"), storage: off("storage") }
    : {
        email: on("email", { fromEmail: "hallo@nordlicht.example", fromName: "Nordlicht Salon", apiBaseUrl: "https://api.sendgrid.com" }, { days: daysOf([31, 28, 36, 12, 0, 22, 14]), successRate: 1, ...(trouble ? { isActive: false, state: state("Paused, 12 held", "bars-square-open", "held"), sentence: "You paused SendGrid. 12 emails waiting; they go out when you resume.", held: 12 } : {}) }),
        sms: on("sms", { accountSid: "AC0123456789abcdef0123456789abcdef", fromNumber: "+49 157 35981100" }, { days: daysOf([12, 15, 18, 8, 0, 11, 8], [0, 0, 0, 0, 0, 1, 1]), ...(trouble ? { state: state("Trouble", "triangle-bang", "held"), sentence: "1 of 9 failed: this number cannot receive texts." } : {}) }),
        calendar: on("calendar", { account: "nordlicht@gmail.example", calendarId: "bookings", calendarName: "Bookings", scopes: [], permissions: ["see and change the entries of your calendars", "see the list of your calendars"], connectedAt: ago(43_200), clientId: null, nextEntries: [{ eventId: "sb1", title: "Haircut, Maria Petersen", startsAt: ago(-180), htmlLink: "https://www.google.com/calendar/event?eid=sb1" }] }, { days: daysOf([9, 11, 12, 7, 0, 10, 3]), ...(trouble ? { state: state("Needs you, 7 held", "octagon-bang", "failed"), sentence: "Google access ended.", held: 7, problemId: "prb_calendar" } : {}) }),
        storage: trouble ? off("storage") : on("storage", { bucketName: "nordlicht-files", region: "auto", endpoint: "https://0a1b.r2.cloudflarestorage.com", pathStyle: true }, { days: daysOf([4, 4, 5, 2, 0, 4, 2]) }),
      };
  let files = ["voucher-2207.pdf", "Tagesplan Dienstag.pdf", "Einverständnis Petersen.jpg"].map((originalName, at) => ({ key: `ws_1/${at === 2 ? "forms" : "vouchers"}/0199${at}.${originalName.split(".").at(-1)}`, filename: `0199${at}.pdf`, originalName, size: 41_200 * (at * 17 + 1), modifiedAt: ago(160 + at * 1440) }));
  if (day === "empty") files = [];
  let flowAsked = 0;
  const wrong = (path: string, code: string, message: string): [number, unknown] => [422, { title: "Check the fields", status: 422, detail: "Something is not right yet.", errors: [{ path, code, message }] }];
  const refused = (code: string, error: string): [number, unknown] => [200, { success: false, error, message: error, gracefulFail: true, code, willRetry: false }];

  return ({ method, path, body }) => {
    const plain = path.split("?")[0] ?? path;
    const query = new URL(path, "http://fixture").searchParams;
    const said = body ? (JSON.parse(body) as Record<string, unknown>) : {};
    const [, , area, name, what, id] = plain.split("/");
    if (area === "files") {
      if (plain === "/api/files/url") return [200, { success: true, url: `https://nordlicht-files.example/${query.get("key")}?X-Amz-Expires=${query.get("expiresIn")}&X-Amz-Signature=5f2c`, expiresAt: new Date(Date.now() + Number(query.get("expiresIn")) * 1000).toISOString() }];
      if (method === "DELETE") return ((files = files.filter((one) => one.key !== query.get("key"))), [200, { success: true, key: query.get("key"), message: "The file is deleted." }]);
      return [200, { success: true, files: files.filter((one) => one.key.startsWith(query.get("prefix") ?? "")), nextCursor: null }];
    }
    if (plain === "/api/email/send") {
      if (!(said.to as string[]).length) return wrong("to", "required", "Say whom it goes to.");
      if (!all.email.isActive) return [200, { success: false, error: "SendGrid is paused. It goes out when you resume.", gracefulFail: true, code: "disabled", willRetry: true, deliveryId: "dlv_1" }];
      return [200, { success: true, messageId: "practice.1", deliveryId: "dlv_1", duplicate: false }];
    }
    if (plain === "/api/sms/preview") return [200, { to: "+491713920012", encoding: "gsm7", segments: 1, units: String(said.message).length, left: 160 - String(said.message).length, sentence: `One text, ${160 - String(said.message).length} characters left.` }];
    if (plain === "/api/sms/send") return [200, { success: true, sid: "SM1", status: "queued", deliveryId: "dlv_2" }];
    if (area !== "integrations" || name === "webhooks") return undefined;
    if (!name) return [200, { ...all, webhooks: { total: 4, active: 4 } }];
    const kind = name as Kind;
    const one = all[kind];
    if (what === "calendars") return [200, one.isConfigured ? { success: true, calendars: [{ id: "nordlicht@gmail.example", summary: "nordlicht@gmail.example", primary: true }, { id: "bookings", summary: "Bookings" }, { id: "holidays", summary: "Holidays" }] } : { success: false, error: "Google Calendar is not set up.", gracefulFail: true, code: "not_configured", willRetry: false }];
    if (what === "authorize") {
      if (method === "POST") return ((flowAsked = 0), [200, { flowId: "flow_1", authorizationUrl: "https://accounts.google.com/o/oauth2/v2/auth?state=x", expiresAt: new Date(Date.now() + 300_000).toISOString() }]);
      flowAsked += 1;
      if (flowAsked < 2 || !id) return [200, { status: "waiting" }];
      all.calendar = on("calendar", { account: "nordlicht@gmail.example", calendarId: null, calendarName: null, scopes: [], permissions: [], connectedAt: ago(0), clientId: null, nextEntries: [] });
      return [200, { status: "connected" }];
    }
    if (what === "test") {
      if (said.testTo !== undefined && !String(said.testTo).includes(kind === "email" ? "@" : "+")) return wrong("testTo", "invalid", kind === "email" ? "This is no email address; one looks like maria@example.com." : "This is no phone number.");
      Object.assign(one, { lastTested: ago(0), testStatus: "success" });
      return [200, { success: true, message: said.testTo ? `${names[kind][1]} works, and a test is on its way to you.` : `${names[kind][1]} works.`, lastTested: ago(0), durationMs: 312, deliveryId: said.testTo ? "dlv_7" : null, released: 0 }];
    }
    if (method === "DELETE") return ((all[kind] = off(kind)), [200, { success: true, message: `${names[kind][1]} is disconnected; its key is forgotten. The log stays.`, held: 0 }]);
    const missing = method === "POST" && (fields[kind] ?? []).find((each) => each.required && !said[each.name]);
    if (missing) return wrong(missing.name, "required", `Fill in ${missing.label}.`);
    if ("apiBaseUrl" in said && method === "PATCH" && !said.apiKey) return wrong("apiKey", "secret_required", "The key was entered for another address, and goes nowhere else. Enter it again.");
    if (secrets.some((secret) => String(said[secret] ?? "").includes("wrong"))) return refused("credentials_rejected", `${names[kind][1]} does not accept this key.`);
    const kept = Object.fromEntries(Object.entries(said).filter(([each]) => !secrets.includes(each) && each !== "testTo"));
    const released = said.isActive === true ? one.held : 0;
    all[kind] = { ...(one.isConfigured ? one : on(kind, {}, { state: ready, sentence: `${names[kind][1]} is ready. Nothing has been sent yet.`, lastSuccess: null, days: daysOf([0, 0, 0, 0, 0, 0, 0]) })), ...kept };
    if (said.isActive === false) Object.assign(all[kind], { state: state("Paused", "bars-square-open", "held"), sentence: `You paused ${names[kind][1]}. What comes in meanwhile ${said.whenPaused === "skip" ? "is not sent" : "waits"}.` });
    if (said.isActive === true) Object.assign(all[kind], { state: working, sentence: `${names[kind][1]} works.`, held: 0 });
    return [200, { success: true, message: "isActive" in said ? `${names[kind][1]} is ${said.isActive ? "active" : "paused"}.` : `${names[kind][1]} works.`, testStatus: "isActive" in said ? null : "success", testError: null, released }];
  };
}

/** What of them needs the owner, in trouble. */
export const serviceProblems = (): OpenProblem[] => [
  { id: "prb_calendar", cause: "needs_sign_in", integration: "calendar", webhookId: null, since: ago(160), waiting: 7, failed: 0, actions: ["reconnect", "told_them", "dismiss"], state: state("Needs you", "octagon-bang", "failed"), title: "Google access ended. Nothing is lost; 7 entries wait.", effect: "They are written by themselves once this is done.", buttons: [{ action: "reconnect", label: "Reconnect", primary: true }], link: null, first: [], filter: { status: "held", channel: "calendar", test: false } },
];
