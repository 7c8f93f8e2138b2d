// The receivers that are told.

import { ask, Problem } from "../api/client";
import type { CreatedWebhook, Graceful, NewWebhook, Webhook } from "../api/schema";
import { live } from "./live.svelte";

const AT = "/api/integrations/webhooks";

/** `within`: the workspace it is asked in, for who outlives one; while that is null, nothing is asked. */
export const webhooks = (within: () => string | null = () => "") => live<{ webhooks: Webhook[] }>(() => (within() === null ? null : AT), ["webhooks", "deliveries", "network"]);

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
