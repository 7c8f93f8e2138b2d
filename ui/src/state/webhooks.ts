// The receivers that are told.

import { achieve, ask } from "../api/client";
import type { ChangedWebhook, CreatedWebhook, FilterTested, Format, FormatPreviewed, Message, NewWebhook, OneWebhook, RotatedSecret, RotationFinished, Snippets, Tested, Webhook, WebhookPatch, Webhooks } from "../api/schema";
import { live } from "./live.svelte";

const AT = "/api/integrations/webhooks";

/** `within`: the workspace it is asked in, for who outlives one; while that is null, nothing is asked. */
export const webhooks = (within: () => string | null = () => "") => live<Webhooks>(() => (within() === null ? null : AT), ["webhooks", "deliveries", "network"]);
export const oneWebhook = (id: () => string) => live<OneWebhook>(() => `${AT}/${id()}`, ["webhooks", "deliveries", "network"]);
/** Programs that receive it and check its signature. */
export const snippets = (id: () => string) => live<Snippets>(() => `${AT}/${id()}/snippets`, []);

export async function add(webhook: NewWebhook): Promise<Webhook & { secret: string }> {
  const answer = await achieve<CreatedWebhook>("POST", AT, webhook);
  return { ...answer.webhook, secret: answer.webhook.secret ?? "" };
}
/** What is absent stays. */
export const edit = (id: string, patch: WebhookPatch): Promise<ChangedWebhook> => achieve<ChangedWebhook>("PATCH", `${AT}/${id}`, patch);
/** With an event type, its sample is sent; without, the plain test. */
export async function test(id: string, event?: string): Promise<Tested> {
  const answer = await ask<Tested>("POST", `${AT}/${id}/test`, event ? { event } : {});
  return "error" in answer ? { ...answer, message: answer.message ?? answer.error } : answer;
}
export const pause = (id: string): Promise<unknown> => edit(id, { isActive: false });
export const resume = (id: string): Promise<unknown> => edit(id, { isActive: true });
export const remove = async (id: string): Promise<string> => (await achieve<Message>("DELETE", `${AT}/${id}`)).message;

/** A new secret; the former one is valid too for so many hours. */
export const rotate = (id: string, overlapHours: number): Promise<RotatedSecret> => achieve<RotatedSecret>("POST", `${AT}/${id}/rotate-secret`, { overlapHours });
/** Ends the time in which both secrets are valid, once the receiver took a test with the new one; answers with a sentence. */
export const finishRotation = async (id: string): Promise<string> => (await achieve<RotationFinished>("POST", `${AT}/${id}/rotate-secret`, { finish: true })).message;

/** What a filter would have let through. */
export const tryFilter = (events: string[], filter: Record<string, unknown>): Promise<FilterTested> => ask<FilterTested>("POST", `${AT}/filter/test`, { events, filter });

/** What a format makes of the sample of a type. */
export const preview = (format: Format, type: string): Promise<FormatPreviewed> => ask<FormatPreviewed>("POST", `${AT}/preview`, { format, event: { type } });

export const formats: Format[] = ["payload", "envelope", "slack", "discord", "teams", "google_chat"];
/** For people, not programs: its address is a secret, and it asks for no signature. */
export const isChat = (format: Format): boolean => !["payload", "envelope"].includes(format);

/** Whether the values of own headers go along: they belong to scheme, host and port. */
export function sameOrigin(one: string, other: string): boolean {
  try {
    return new URL(one).origin === new URL(other).origin;
  } catch {
    return one === other;
  }
}

export type { FilterTested, Tested };
