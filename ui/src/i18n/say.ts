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

/** "09:03", or "Thu 26 Nov 09:03" on another day. */
export function when(iso: string): string {
  const at = new Date(iso);
  const today = words(date, at) === words(date, new Date()) && Math.abs(Date.now() - at.getTime()) < 864e5;
  return today ? words(hour, at) : `${words(date, at).replace(",", "")} ${words(hour, at)}`;
}
/** "09:03:31" */
export function clock(iso: string): string {
  return words({ ...hour, second: "2-digit" }, new Date(iso));
}
/** "Tuesday 17 November, 14:05" */
export function now(): string {
  const at = new Date();
  return `${words({ weekday: "long", day: "numeric", month: "long" }, at).replace(",", "")}, ${words(hour, at)}`;
}
/** "Thu 26 Nov" of a day without a time. */
export function day(iso: string): string {
  return words(date, new Date(`${iso}T12:00:00Z`), "UTC").replace(",", "");
}
/** "T" */
export function initial(iso: string): string {
  return words({ weekday: "narrow" }, new Date(`${iso}T12:00:00Z`), "UTC");
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
