// What happened in the business.

import { ask } from "../api/client";
import type { Connection, Event, EventTypes, OneEvent, Recorded, Today } from "../api/schema";
import { live } from "./live.svelte";

export const today = () => live<Today>(() => "/api/today", ["events", "deliveries", "webhooks", "network", "workspaces"]);
export const connection = () => live<Connection>(() => "/api/connection", ["events", "network", "tokens"]);
export const eventTypes = () => live<EventTypes>(() => "/api/event-types", []);
/** One event with what it became; `null`: none yet. */
export const oneEvent = (id: () => string | null | undefined) => live<OneEvent>(() => (id() ? `/api/events/${id()}` : null), ["deliveries"]);

/** The same key again records nothing new: pressing twice is harmless. */
export function record(type: string, data: unknown, idempotencyKey: string): Promise<Recorded> {
  return ask<Recorded>("POST", "/api/events", { type, data, idempotencyKey });
}

export type { Event, Recorded };
