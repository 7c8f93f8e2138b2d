// What goes on only once the owner acts.

import { ask, Problem } from "../api/client";
import type { Resolved, Troubles } from "../api/coming";
import { live } from "./live.svelte";

/** `within`: the workspace it is asked in, for who outlives one; while that is null, nothing is asked. */
export const problems = (within: () => string | null = () => "") => live<Troubles>(() => (within() === null ? null : "/api/problems"), ["deliveries", "webhooks", "network"], { pace: 1000 });

/** Does what its button says; answers with a sentence. */
export async function resolve(id: string, action: string): Promise<string> {
  const answer = await ask<Resolved>("POST", `/api/problems/${id}/resolve`, { action });
  if (!answer.success) throw new Problem(200, answer.error ?? answer.message);
  return answer.message;
}
