// What a screen shows, asked for again whenever it may have changed.

import { ask, asProblem, onChange, type Problem } from "./client";
import type { Topic } from "./schema";

export interface Live<T> { readonly value: T | undefined; readonly problem: Problem | undefined; look(): void }

/** Must be called while a component is being set up. `path` may be null: nothing to ask for. */
export function live<T>(path: () => string | null, topics: Topic[]): Live<T> {
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
      } while (again);
      busy = false;
    };
    value = undefined;
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
