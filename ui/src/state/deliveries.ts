// One thing that was to be done, and what can be done with it now.

import { ask } from "../api/client";
import type { Action, DeliveryRow, OneDelivery } from "../api/schema";
import { live } from "./live.svelte";

export const oneDelivery = (id: () => string) => live<OneDelivery>(() => `/api/deliveries/${id()}`, ["deliveries"]);

/** Does what its button says; answers with the delivery as it stands then. */
export async function act(id: string, action: Action): Promise<DeliveryRow> {
  return (await ask<{ delivery: DeliveryRow }>("POST", `/api/deliveries/${id}/${action}`, {})).delivery;
}
