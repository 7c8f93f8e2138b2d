// The receivers that are told.

import { ask, Problem } from "../api/client";
import type { Changed, FilterTest, Hook, Rotated, Snippet } from "../api/coming";
import type { CreatedWebhook, Graceful, NewWebhook, Webhook, WebhookPatch } from "../api/schema";
import type { Condition } from "./condition";
import { live } from "./live.svelte";

const AT = "/api/integrations/webhooks";

/** `within`: the workspace it is asked in, for who outlives one; while that is null, nothing is asked. */
export const webhooks = (within: () => string | null = () => "") => live<{ webhooks: Hook[] }>(() => (within() === null ? null : AT), ["webhooks", "deliveries", "network"]);

/** How a test went; `message` is the sentence. */
export interface Tested { success: boolean; message: string; statusCode?: number | null; deliveryId?: string | null; code?: string }

export async function add(webhook: NewWebhook & Record<string, unknown>): Promise<Webhook & { secret: string }> {
  const answer = await ask<CreatedWebhook | Graceful>("POST", AT, webhook);
  if ("error" in answer) throw new Problem(200, answer.error);
  return { ...answer.webhook, secret: answer.webhook.secret ?? "" };
}
/** With an event type, its sample is sent; without, the plain test. */
export const test = (id: string, event?: string): Promise<Tested> => ask<Tested>("POST", `${AT}/${id}/test`, event ? { event } : {});
export const pause = (id: string): Promise<unknown> => ask("PATCH", `${AT}/${id}`, { isActive: false });
export const resume = (id: string): Promise<unknown> => ask("PATCH", `${AT}/${id}`, { isActive: true });
export const remove = (id: string): Promise<unknown> => ask("DELETE", `${AT}/${id}`);

export const oneWebhook = (id: () => string) => live<{ webhook: Hook }>(() => `${AT}/${id()}`, ["webhooks", "deliveries", "network"], { keep: true });
export const snippets = (id: () => string) => live<{ snippets: Snippet[] }>(() => `${AT}/${id()}/snippets`, []);
/** Answers with what was noticed, such as headers that were dropped with the old address. */
export async function change(id: string, patch: WebhookPatch & Record<string, unknown>): Promise<{ webhook: Hook; noticed: string[] }> {
  const answer = await ask<Changed>("PATCH", `${AT}/${id}`, patch);
  if (answer.error) throw new Problem(200, answer.error);
  return { webhook: answer.webhook, noticed: (answer.warnings ?? []).map((one) => one.message) };
}
export const tryFilter = (events: string[], filter: Condition | null): Promise<FilterTest> => ask<FilterTest>("POST", `${AT}/filter/test`, { events, filter });

export async function rotate(id: string, overlapHours: number): Promise<{ secret: string; previousValidUntil: string | null }> {
  const answer = await ask<Rotated>("POST", `${AT}/${id}/rotate-secret`, { overlapHours });
  if (!answer.success || !answer.secret) throw new Problem(200, answer.error ?? "");
  return { secret: answer.secret, previousValidUntil: answer.previousValidUntil ?? null };
}
/** Ends a running overlap, once the receiver has taken a call that is signed with the new secret alone. */
export async function finish(id: string): Promise<string> {
  const answer = await ask<Rotated>("POST", `${AT}/${id}/rotate-secret`, { finish: true });
  if (!answer.success) throw new Problem(200, answer.error ?? "");
  return answer.message ?? "";
}
