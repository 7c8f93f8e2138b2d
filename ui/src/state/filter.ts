// What the log is asked for, in the words a person types: `status:failed webhook:"Cash desk" since:mon`.
// The address keeps days as they were said, so that a link to "today" is about today; they become moments when asked.

import { day, full, localTime, moment, t } from "../i18n/say";

export const members = ["status", "statusReason", "channel", "webhookId", "automationId", "eventType", "eventId", "subject", "recipient", "since", "until", "test", "q"] as const;
export type Member = (typeof members)[number];
export type Filter = Partial<Record<Member, string>>;

/** The names that stand for ids and types. */
export interface Names { webhooks: { id: string; name: string }[]; automations?: { id: string; name: string }[]; types: { type: string; label: string }[] }
export interface Chip { member: Member; word: string; said: string; text: string }
export interface Suggestion { text: string; word: string; value: string; more: string; whole: boolean }

const words: Record<string, Member> = { status: "status", reason: "statusReason", channel: "channel", webhook: "webhookId", automation: "automationId", type: "eventType", subject: "subject", to: "recipient", event: "eventId", since: "since", until: "until", is: "test" };
const wordOf = (member: Member): string => Object.keys(words).find((word) => words[word] === member) ?? member;
// Several of these can be asked for at once.
const many = new Set<Member>(["status", "statusReason", "channel", "webhookId", "automationId", "eventType"]);

const statuses: Record<string, string> = { received: "success", waiting: "pending,sending", held: "held", failed: "failed", unknown: "unknown", skipped: "skipped", cancelled: "cancelled", success: "success", delivered: "success", pending: "pending", sending: "sending" };
const offered = ["failed", "unknown", "held", "waiting", "received", "skipped", "cancelled"];
const channels = ["webhook", "email", "sms", "calendar", "storage"];
// What a person may look for; `none` finds failures that were not sent again since.
const reasons = ["none", "replayed", "offline", "paused", "needs_sign_in", "needs_credentials", "needs_setup", "keychain", "over_limit", "missing_value", "no_recipient", "not_configured", "disabled", "filtered", "too_late", "superseded", "by_owner", "text_purged"];
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

export function filterOf(query: URLSearchParams): Filter {
  return Object.fromEntries(members.flatMap((member) => (query.get(member) ? [[member, query.get(member)]] : []))) as Filter;
}

// ---- reading what was typed

// A word with its value, a phrase in quotes, or a plain word; quotes may still be open.
const tokens = (text: string): string[] => text.match(/[a-z]+:"[^"]*"?|"[^"]*"?|\S+/giu) ?? [];
const open = (token: string): boolean => (token.match(/"/g)?.length ?? 0) % 2 === 1;
const bare = (value: string): string => value.replace(/^"|"$/g, "").trim();

function parted(token: string): [Member, string] | null {
  const [, word = "", value = ""] = /^([a-z]+):(.*)$/iu.exec(token) ?? [];
  const member = words[word.toLowerCase()];
  return member ? [member, bare(value)] : null;
}

/** What a value means for the engine; null when it means nothing. */
function meaning(member: Member, value: string, names: Names, now: Date): string | null {
  const low = value.toLowerCase();
  if (!value) return null;
  switch (member) {
    case "status": {
      const found = low.split(",").map((one) => statuses[one.trim()]);
      return found.every((one) => one !== undefined) ? found.join(",") : null;
    }
    case "statusReason":
      return low.split(",").every((one) => reasons.includes(one)) ? low : null;
    case "channel":
      return low.split(",").every((one) => channels.includes(one)) ? low : null;
    case "webhookId":
    case "automationId": {
      const named = member === "webhookId" ? names.webhooks : (names.automations ?? []);
      const same = named.find((one) => one.id === value || one.name.toLowerCase() === low);
      const begins = named.filter((one) => one.name.toLowerCase().startsWith(low));
      return same?.id ?? (begins.length === 1 ? (begins[0]?.id ?? null) : null);
    }
    case "eventType":
      return names.types.find((one) => one.type === low || one.label.toLowerCase() === low)?.type ?? (/^[a-z0-9_]+(\.[a-z0-9_]+)+$/.test(low) ? low : null);
    case "since":
    case "until":
      return resolved(low, member, now) ? low : null;
    case "test":
      return low === "test" ? "true" : low === "real" ? "false" : null;
    default:
      return value;
  }
}

/**
 * Takes what is complete out of a text. `ended`: the last word is complete too.
 * `wrong` is the first that means nothing; it stays in the text.
 */
export function read(text: string, filter: Filter, names: Names, ended: boolean, now = new Date()): { filter: Filter; rest: string; wrong?: string } {
  const found = tokens(text);
  const next: Filter = { ...filter };
  const rest: string[] = [];
  let wrong: string | undefined;
  found.forEach((token, at) => {
    const last = at === found.length - 1;
    const complete = !open(token) && (!last || ended || /\s$/.test(text));
    const chip = parted(token);
    const means = chip && complete ? meaning(chip[0], chip[1], names, now) : null;
    if (chip && means !== null) next[chip[0]] = many.has(chip[0]) ? joined(next[chip[0]], means) : means;
    else {
      if (chip && complete) wrong ??= token;
      rest.push(token);
    }
  });
  return { filter: next, rest: rest.join(" ") + (rest.length && /\s$/.test(text) && !ended ? " " : ""), wrong };
}
const joined = (before: string | undefined, more: string): string => [...new Set([...(before ? before.split(",") : []), ...more.split(",")])].join(",");

/** The words to look for: what was typed without what is on its way to a chip. */
export function sought(text: string): string {
  return tokens(text).filter((token) => !parted(token)).map(bare).filter(Boolean).join(" ");
}

// ---- showing it again

export function chips(filter: Filter, names: Names): Chip[] {
  return members.flatMap((member) => {
    const value = filter[member];
    if (!value || member === "q") return [];
    const word = wordOf(member);
    const said = spoken(member, value, names);
    const typed = member === "since" || member === "until" ? editable(value) : said;
    return [{ member, word, said, text: `${word}:${/\s/.test(typed) ? `"${typed}"` : typed}` }];
  });
}

function spoken(member: Member, value: string, names: Names): string {
  const each = (say: (one: string) => string): string => value.split(",").map(say).join(", ");
  switch (member) {
    case "status": {
      const left = new Set(value.split(","));
      const said: string[] = [];
      for (const word of offered) {
        const means = (statuses[word] ?? word).split(",");
        if (means.every((one) => left.has(one))) {
          said.push(word);
          means.forEach((one) => left.delete(one));
        }
      }
      return [...said, ...left].join(",");
    }
    case "webhookId":
      return each((id) => names.webhooks.find((one) => one.id === id)?.name ?? t("chip-webhook"));
    case "automationId":
      return each((id) => names.automations?.find((one) => one.id === id)?.name ?? t("chip-automation-gone"));
    case "since":
    case "until":
      return /^\d{4}-\d\d-\d\dt/i.test(value) ? full(moment(localOf(value))).replace(/:\d\d$/, "") : /^\d{4}-\d\d-\d\d$/.test(value) ? day(value) : value;
    case "test":
      return value === "true" ? "test" : "real";
    default:
      return value;
  }
}
// "2026-11-19T09:10" of the workspace, for a moment of any zone.
const localOf = (value: string): string => (/(z|[+-]\d\d:\d\d)$/i.test(value) ? localTime(new Date(value)) : value.toUpperCase());
const editable = (value: string): string => (/t/i.test(value) && /^\d{4}/.test(value) ? localOf(value) : value);

// ---- days and times

/** A day or a time as a moment. A day that something goes until is part of it. */
export function resolved(value: string, edge: "since" | "until", now = new Date()): string | null {
  const low = value.trim().toLowerCase();
  const today = localTime(now).slice(0, 10);
  const whole = (date: string): string => moment(`${edge === "until" ? shift(date, 1) : date}T00:00`);
  if (low === "now") return now.toISOString();
  if (low === "today") return iso(whole(today));
  if (low === "yesterday") return iso(whole(shift(today, -1)));
  const weekday = weekdays.indexOf(low.slice(0, 3));
  if (weekday >= 0 && /^(sun|mon|tue|wed|thu|fri|sat)([a-z]*day)?$/.test(low)) {
    const back = (new Date(`${today}T12:00Z`).getUTCDay() - weekday + 7) % 7;
    return iso(whole(shift(today, -back)));
  }
  const ago = /^(\d{1,4})(m|h|d|w)$/.exec(low);
  if (ago) return new Date(now.getTime() - Number(ago[1]) * { m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[ago[2] as "m" | "h" | "d" | "w"]).toISOString();
  if (/^\d{4}-\d\d-\d\d$/.test(low)) return iso(whole(low));
  if (/^\d{1,2}:\d\d$/.test(low)) return iso(moment(`${today}T${low.padStart(5, "0")}`));
  if (/^\d{4}-\d\d-\d\d[t ]\d\d:\d\d/.test(low)) return iso(/(z|[+-]\d\d:\d\d)$/.test(low) ? low : moment(low.replace(" ", "T").slice(0, 16)));
  return null;
}
function iso(text: string): string | null {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
function shift(date: string, days: number): string {
  const at = new Date(`${date}T12:00Z`);
  if (Number.isNaN(at.getTime())) return date;
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

/** As the engine takes it. */
export function asked(filter: Filter, now = new Date()): Record<string, string> {
  const all: Record<string, string> = {};
  for (const member of members) {
    const value = filter[member];
    const said = value && (member === "since" || member === "until") ? resolved(value, member, now) : value;
    if (said) all[member] = said;
  }
  return all;
}

// ---- what may come next

export function suggestions(text: string, names: Names): Suggestion[] {
  const last = /\s$/.test(text) && !open(tokens(text).at(-1) ?? "") ? "" : (tokens(text).at(-1) ?? "");
  const chip = /^([a-z]+):(.*)$/iu.exec(last);
  if (chip) {
    const word = (chip[1] ?? "").toLowerCase();
    const part = bare(chip[2] ?? "").toLowerCase();
    return words[word] ? values(word, names).filter((one) => fits(one, part)).slice(0, 8) : [];
  }
  const low = bare(last).toLowerCase();
  if (last.startsWith('"')) return [];
  const heads = Object.keys(words).filter((word) => word.startsWith(low)).map((word) => ({ text: `${word}:`, word, value: "", more: t(`chip-${word}`), whole: false }));
  if (low.length < 2) return heads;
  return [...heads, ...["status", "webhook", "automation", "type"].flatMap((word) => values(word, names)).filter((one) => fits(one, low))].slice(0, 8);
}
const fits = (one: Suggestion, part: string): boolean => one.value.toLowerCase().includes(part) || one.more.toLowerCase().includes(part);

function values(word: string, names: Names): Suggestion[] {
  const of = (value: string, more = ""): Suggestion => ({ text: `${word}:${/\s/.test(value) ? `"${value}"` : value}`, word, value, more, whole: true });
  switch (words[word]) {
    case "status":
      return offered.map((one) => of(one, t(`chip-status-${one}`)));
    case "statusReason":
      return reasons.map((one) => of(one));
    case "channel":
      return channels.map((one) => of(one));
    case "webhookId":
      return names.webhooks.map((one) => of(one.name));
    case "automationId":
      return (names.automations ?? []).map((one) => of(one.name));
    case "eventType":
      return names.types.map((one) => of(one.type, one.label));
    case "since":
      return ["today", "yesterday", "mon", "7d", "30d"].map((one) => of(one, dayOf(one, "since")));
    case "until":
      return ["yesterday", "today", "sun"].map((one) => of(one, dayOf(one, "until")));
    case "test":
      return ["real", "test"].map((one) => of(one, t(`chip-is-${one}`)));
    default:
      return [];
  }
}
function dayOf(value: string, edge: "since" | "until"): string {
  const at = resolved(value, edge);
  return at ? day(edge === "until" ? new Date(Date.parse(at) - 1).toISOString() : at) : "";
}
