// The businesses of the owner, and the one that is looked at.

import { ask, enter } from "../api/client";
import type { Workspace, Workspaces } from "../api/schema";
import { sayTimesOf } from "../i18n/say";
import { live } from "./live.svelte";

const KEPT = "workspace";

let at = $state.raw<Workspace>();
/** The one that is looked at, for whoever stands in it. */
export const here = { get workspace() { return at; } };

/** Must be called while a component is being set up. */
export function workspaces() {
  const found = live<Workspaces>(() => "/api/workspaces", ["workspaces"]);
  let chosen = $state(sessionStorage.getItem(KEPT));
  const current = $derived(found.value?.workspaces.find((one) => one.id === chosen) ?? found.value?.workspaces[0]);
  // Derived, not an effect: whoever asks below must already ask in the right workspace.
  const within = $derived.by(() => {
    if (!current) return null;
    enter(current.id);
    sayTimesOf(current.timezone);
    return `${current.id} ${current.timezone}`;
  });
  $effect.pre(() => void (at = current));
  return {
    found,
    get current(): Workspace | undefined { return current; },
    /** Changes whenever everything below has to be asked for anew. */
    get within() { return within; },
    choose(id: string): void {
      chosen = id;
      sessionStorage.setItem(KEPT, id);
    },
    async create(name: string): Promise<void> {
      await ask("POST", "/api/workspaces", { name: name.trim() });
      found.look();
    },
  };
}
