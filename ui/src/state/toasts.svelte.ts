// Results that need nothing of the owner.

import type { State } from "../api/schema";

let next = 0;
let all = $state<{ id: number; text: string; state?: State }[]>([]);

export const toasts = { get all() { return all; } };

export function toast(text: string, state?: State): void {
  all = [...all.slice(-2), { id: next++, text, state }];
}
export function away(id: number): void {
  all = all.filter((one) => one.id !== id);
}
