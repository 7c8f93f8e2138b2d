// What was typed and not saved: kept on this computer until it is saved or taken back, wherever the owner goes meanwhile.

import { SvelteMap } from "svelte/reactivity";
import type { Draft } from "../pages/automations/draft";

const KEPT = "draft ";
export interface Kept { draft: Draft; /** The version it was begun from; 0 for one that is new. */ version: number }

function read(): [string, Kept][] {
  return Object.keys(localStorage).filter((name) => name.startsWith(KEPT)).flatMap((name) => {
    try {
      const kept = JSON.parse(localStorage.getItem(name) ?? "") as Kept;
      return kept.draft?.action ? [[name.slice(KEPT.length), kept] as [string, Kept]] : [];
    } catch {
      return [];
    }
  });
}
const all = new SvelteMap<string, Kept>(read());

export const drafts = {
  of: (id: string): Kept | undefined => all.get(id),
  has: (id: string): boolean => all.has(id),
  keep(id: string, kept: Kept): void {
    all.set(id, kept);
    try {
      localStorage.setItem(KEPT + id, JSON.stringify(kept));
    } catch {
      // No room, or none allowed: it is kept as long as this page is.
    }
  },
  forget(id: string): void {
    if (!all.delete(id)) return;
    localStorage.removeItem(KEPT + id);
  },
};
