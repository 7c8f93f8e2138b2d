// The receivers that are told.

import { ask, Problem } from "../api/client";
import type { ChangedWebhook, CreatedWebhook, FilterTested, Graceful, NewWebhook, OneWebhook, Rotated, Snippets, Tested, Webhook, WebhookPatch, Webhooks } from "../api/schema";
import { live } from "./live.svelte";

const AT = "/api/integrations/webhooks";

/** `within`: the workspace it is asked in, for who outlives one; while that is null, nothing is asked. */
export const webhooks = (within: () => string | null = () => "") => live<Webhooks>(() => (within() === null ? null : AT), ["webhooks", "deliveries", "network"]);
export const oneWebhook = (id: () => string) => live<OneWebhook>(() => `${AT}/${id()}`, ["webhooks", "deliveries", "network"]);
/** Programs that receive it and check its signature. */
export const snippets = (id: () => string) => live<Snippets>(() => `${AT}/${id()}/snippets`, []);

export async function add(webhook: NewWebhook): Promise<Webhook & { secret: string }> {
  const answer = await ask<CreatedWebhook | Graceful>("POST", AT, webhook);
  if ("error" in answer) throw new Problem(200, answer.error);
  return { ...answer.webhook, secret: answer.webhook.secret ?? "" };
}
/** What is absent stays. */
export async function edit(id: string, patch: WebhookPatch): Promise<ChangedWebhook> {
  const answer = await ask<ChangedWebhook | Graceful>("PATCH", `${AT}/${id}`, patch);
  if ("error" in answer) throw new Problem(200, answer.error);
  return answer;
}
/** With an event type, its sample is sent; without, the plain test. */
export const test = (id: string, event?: string): Promise<Tested> => ask<Tested>("POST", `${AT}/${id}/test`, event ? { event } : {});
export const pause = (id: string): Promise<unknown> => edit(id, { isActive: false });
export const resume = (id: string): Promise<unknown> => edit(id, { isActive: true });
export const remove = (id: string): Promise<unknown> => ask("DELETE", `${AT}/${id}`);

/** A new secret; the former one is valid too for so many hours. */
export async function rotate(id: string, overlapHours: number): Promise<{ secret: string; until: string | null }> {
  const answer = await ask<Rotated>("POST", `${AT}/${id}/rotate-secret`, { overlapHours });
  if ("secret" in answer) return { secret: answer.secret, until: answer.previousValidUntil ?? null };
  throw new Problem(200, "error" in answer ? answer.error : answer.message);
}
/** Ends the time in which both secrets are valid; answers with a sentence. */
export async function finishRotation(id: string): Promise<string> {
  const answer = await ask<Rotated>("POST", `${AT}/${id}/rotate-secret`, { finish: true });
  if ("message" in answer && answer.success) return answer.message;
  throw new Problem(200, "message" in answer ? answer.message : "");
}

/** What a filter would have let through. */
export const tryFilter = (events: string[], filter: Record<string, unknown>): Promise<FilterTested> => ask<FilterTested>("POST", `${AT}/filter/test`, { events, filter });

/** Whether the values of own headers go along: they belong to scheme, host and port. */
export function sameOrigin(one: string, other: string): boolean {
  try {
    return new URL(one).origin === new URL(other).origin;
  } catch {
    return one === other;
  }
}

export type { FilterTested, Tested };
