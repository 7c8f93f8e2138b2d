// What a screen shows, asked for again whenever it may have changed.

import { ask, asProblem, onChange, type Problem } from "../api/client";
import type { Topic } from "../api/schema";

// In a flood of changes a screen looks again this often, no oftener.
const PACE_MS = 250;

export interface Live<T> { readonly value: T | undefined; readonly problem: Problem | undefined; look(): void }

/**
 * Must be called while a component is being set up. `path` may be null: nothing to ask for.
 * `keep`: what was shown stays until the answer to another question is there. `pace`: how often at most it is asked anew.
 */
export function live<T>(path: () => string | null, topics: Topic[], { keep = false, pace = PACE_MS } = {}): Live<T> {
  let value = $state.raw<T>();
  let problem = $state.raw<Problem>();
  let look = $state.raw(() => {});

  $effect(() => {
    const from = path();
    let gone = false;
    let busy = false;
    let again = false;
    const load = async (): Promise<void> => {
      if (from === null) return;
      if (busy) {
        again = true;
        return;
      }
      busy = true;
      do {
        again = false;
        try {
          const found = await ask<T>("GET", from);
          if (gone) return;
          value = found;
          problem = undefined;
        } catch (cause) {
          if (gone) return;
          problem = asProblem(cause);
        }
        if (again) await new Promise((later) => setTimeout(later, pace));
      } while (again && !gone);
      busy = false;
    };
    if (!keep || from === null) value = undefined;
    problem = undefined;
    look = () => void load();
    void load();
    const stop = onChange(topics, () => void load());
    return () => {
      gone = true;
      stop();
    };
  });

  return {
    get value() { return value; },
    get problem() { return problem; },
    look: () => look(),
  };
}

export { asProblem, Problem } from "../api/client";
