// What goes on only once the owner acts.

import { achieve } from "../api/client";
import type { OpenProblem, ProblemAction, Problems, Resolved } from "../api/schema";
import { live } from "./live.svelte";

/** `within`: the workspace it is asked in, for who outlives one; while that is null, nothing is asked. */
export const problems = (within: () => string | null = () => "") => live<Problems>(() => (within() === null ? null : "/api/problems"), ["deliveries", "webhooks", "network"], { pace: 1000 });

/** Does what its button says; answers with a sentence. */
export async function resolve(id: string, action: ProblemAction): Promise<string> {
  return (await achieve<Resolved>("POST", `/api/problems/${id}/resolve`, { action })).message;
}

/** The filter of Activity that shows all it is about. */
export const about = (one: OpenProblem): Record<string, string> => Object.fromEntries(Object.entries(one.filter).flatMap(([name, value]) => (value == null ? [] : [[name, String(value)]])));
