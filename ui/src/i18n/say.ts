// Words, times and numbers, as people say them.

import { FluentBundle, FluentResource, type FluentVariable } from "@fluent/bundle";
import english from "./en.ftl?raw";

const bundle = new FluentBundle("en", { useIsolating: false });
bundle.addResource(new FluentResource(english));

export function t(key: string, args?: Record<string, FluentVariable>): string {
  const message = bundle.getMessage(key);
  return message?.value ? bundle.formatPattern(message.value, args ?? null) : key;
}

let timeZone: string | undefined;
/** Times are those of the workspace. */
export function sayTimesOf(zone: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    timeZone = zone;
  } catch {
    timeZone = undefined;
  }
}

// The words are English, so the dates are too, whatever language the computer speaks.
const words = (options: Intl.DateTimeFormatOptions, at: Date, zone = timeZone): string =>
  new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone }).format(at);
const hour: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const date: Intl.DateTimeFormatOptions = { weekday: "short", day: "numeric", month: "short" };

const plainly = (options: Intl.DateTimeFormatOptions, at: Date, zone = timeZone): string => words(options, at, zone).replace(",", "");

/** Whether two moments, or one and now, are of one day in the workspace. */
export function sameDay(one: string, other: string | undefined = new Date().toISOString()): boolean {
  const whole: Intl.DateTimeFormatOptions = { year: "numeric", ...date };
  return words(whole, new Date(one)) === words(whole, new Date(other));
}
/** "09:03", or "Thu 26 Nov 09:03" on another day. */
export function when(iso: string): string {
  const at = new Date(iso);
  return sameDay(iso) ? words(hour, at) : `${plainly(date, at)} ${words(hour, at)}`;
}
/** The same for a narrow column: "09:03", "Thu 09:03" within a week, "26 Nov 09:03" before. */
export function short(iso: string): string {
  const at = new Date(iso);
  if (sameDay(iso)) return words(hour, at);
  const near = Math.abs(Date.now() - at.getTime()) < 6 * 864e5;
  return `${words(near ? { weekday: "short" } : { day: "numeric", month: "short" }, at)} ${words(hour, at)}`;
}
/** "Thu 26 Nov 2026, 09:03:31" */
export function full(iso: string): string {
  const at = new Date(iso);
  return `${plainly({ ...date, year: "numeric" }, at)}, ${clock(iso)}`;
}
/** Days gone by since then. */
export function age(iso: string): number {
  return Math.max(0, Math.floor((Date.now() - Date.parse(iso)) / 864e5));
}
/** "2026-11-26T09:30" in the workspace, as a moment with its offset: "2026-11-26T09:30:00+01:00". */
export function moment(local: string, zone = timeZone): string {
  const near = new Date(`${local.slice(0, 16)}:00Z`);
  let offset = "+00:00";
  try {
    // Once as if it were UTC, once more with the offset of that hour: right across a change of the clocks.
    for (let turn = 0; turn < 2; turn += 1) {
      const at = new Date(near.getTime() - minutes(offset) * 6e4);
      const name = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "longOffset" }).formatToParts(at).find((part) => part.type === "timeZoneName")?.value ?? "GMT";
      offset = name === "GMT" ? "+00:00" : name.slice(3);
    }
  } catch {
    return `${local.slice(0, 16)}:00`;
  }
  return `${local.slice(0, 16)}:00${offset}`;
}
const minutes = (offset: string): number => (offset.startsWith("-") ? -1 : 1) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6)));

/** The other way round: a moment as "2026-11-26T09:30" in the workspace. */
export function localTime(at: Date): string {
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", { timeZone, year: "numeric", month: "2-digit", day: "2-digit", ...hour }).formatToParts(at).map((part) => [part.type, part.value]));
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

/** "09:03:31" */
export function clock(iso: string): string {
  return words({ ...hour, second: "2-digit" }, new Date(iso));
}
/** "Tuesday 17 November, 14:05" */
export function now(): string {
  const at = new Date();
  return `${plainly({ weekday: "long", day: "numeric", month: "long" }, at)}, ${words(hour, at)}`;
}
/** "Thu 26 Nov", of a day or a moment. */
export function day(iso: string): string {
  const at = new Date(iso.length > 10 ? iso : `${iso}T12:00:00Z`);
  return plainly(date, at, iso.length > 10 ? timeZone : "UTC");
}
/** "T" */
export function initial(iso: string): string {
  return words({ weekday: "narrow" }, new Date(`${iso}T12:00:00Z`), "UTC");
}
/** A mark below a chart whose marks are so many hours apart. */
export function tickWords(at: number, hours: number): string {
  const date = new Date(at);
  if (hours < 24) {
    const said = words(hour, date);
    return said === "00:00" ? words({ weekday: "short", day: "numeric" }, date) : said;
  }
  if (hours === 24 && sameDay(date.toISOString())) return t("today");
  return words(hours < 24 * 7 ? { weekday: "short", day: "numeric" } : hours < 24 * 90 ? { day: "numeric", month: "short" } : { month: "short", year: "numeric" }, date);
}
export function number(value: number): string {
  return new Intl.NumberFormat("en-GB").format(value);
}
export function percent(share: number): string {
  return new Intl.NumberFormat("en-GB", { style: "percent", maximumFractionDigits: 1 }).format(share);
}
/** "412 ms", "1.2 s" */
export function took(ms: number): string {
  return ms < 1000 ? `${number(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
/** "412 KB", "1.2 MB" */
export function size(bytes: number): string {
  if (bytes < 1000) return t("bytes", { count: bytes });
  const [unit, of] = bytes < 1e6 ? ["KB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  const value = bytes / of;
  return `${new Intl.NumberFormat("en-GB", { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)} ${unit}`;
}
