// One thing that was to be done, and what can be done with it now.

import { ask, canSave, save } from "../api/client";
import type { Action, DeliveryPage, DeliveryRow, Histogram, OneDelivery, Replayed, Replays, StoryPage } from "../api/schema";
import type { Filter } from "./filter";
import { asked } from "./filter";
import { live } from "./live.svelte";

export const oneDelivery = (id: () => string) => live<OneDelivery>(() => `/api/deliveries/${id()}`, ["deliveries"]);

/** The newest few that fit. */
export const newest = (question: () => Record<string, string>) => live<DeliveryPage>(() => `/api/deliveries?${new URLSearchParams({ ...question(), limit: "8" })}`, ["deliveries"], { keep: true, pace: 1000 });

/** The appointment of a calendar delivery, as a file that any calendar takes; nothing where files cannot be saved. */
export const keepAppointment = (id: string): Promise<void> => save(`/api/deliveries/${id}/ics`, "appointment.ics");

/** Does what its button says; answers with the delivery as it stands then. */
export async function act(id: string, action: Action): Promise<DeliveryRow> {
  return (await ask<{ delivery: DeliveryRow }>("POST", `/api/deliveries/${id}/${action}`, {})).delivery;
}

/** What became of one booking, person or article, step by step: `{subject}`, `{recipient}` or `{customer}`. */
export const story = (question: () => Record<string, string> | null) =>
  live<StoryPage>(() => {
    const about = question();
    return about && `/api/story?${new URLSearchParams(about)}`;
  }, ["deliveries", "events"], { pace: 1000 });
export const moreOf = (question: Record<string, string>, cursor: string): Promise<StoryPage> => ask<StoryPage>("GET", `/api/story?${new URLSearchParams({ ...question, cursor })}`);

/** How many there were when. A chart that blinks at each call helps nobody. */
export const histogram = (question: () => Record<string, string> | null) =>
  live<Histogram>(() => {
    const about = question();
    return about && `/api/deliveries/histogram?${new URLSearchParams(about)}`;
  }, ["deliveries"], { keep: true, pace: 2000 });

// ---- many at once

/** The filter in the words of a request's body. */
export function meant(filter: Filter): Record<string, unknown> {
  const { test, ...rest } = asked(filter);
  return { ...rest, ...(test ? { test: test === "true" } : {}) };
}
export const replay = (filter: Record<string, unknown>, more: { dryRun?: boolean; perMinute?: number | null; content?: "original" | "current" }): Promise<Replayed> => ask<Replayed>("POST", "/api/deliveries/replay", { filter, ...more });
export const replays = () => live<Replays>(() => "/api/replays", ["deliveries"], { pace: 1000 });
export const stopReplay = (id: string): Promise<unknown> => ask("POST", `/api/replays/${id}/cancel`, {});

const fit = { cancel: ["pending", "held", "failed", "unknown"], release: ["held"] } as const;
/** What can be done with many at once: they are closed, or let go. */
export type Bulk = keyof typeof fit;
/** Every delivery that fits and that this can be done with, one page after the other. */
export async function* fitting(filter: Filter, how: Bulk): AsyncGenerator<DeliveryRow[]> {
  const question = asked(filter);
  const wanted = question.status ? fit[how].filter((one) => question.status?.split(",").includes(one)) : fit[how];
  if (!wanted.length) return;
  for (let cursor: string | null = null; ; ) {
    const page: DeliveryPage = await ask<DeliveryPage>("GET", `/api/deliveries?${new URLSearchParams({ ...question, status: wanted.join(","), limit: "200", ...(cursor ? { cursor } : {}) })}`);
    yield page.deliveries;
    cursor = page.nextCursor ?? null;
    if (!cursor) return;
  }
}
export const fits = (row: DeliveryRow, how: Bulk): boolean => fit[how].some((one) => one === row.status);

export const canExport = canSave;
export function exportLog(filter: Filter, format: "csv" | "ndjson"): Promise<void> {
  return save(`/api/deliveries/export?${new URLSearchParams({ ...asked(filter), format })}`, `deliveries-${new Date().toISOString().slice(0, 10)}.${format}`);
}
