// The screens, each a script of its own: a page is there before the address is followed, so that nothing flashes.

import type { Component } from "svelte";

const ways: Record<string, () => Promise<{ default: Component }>> = {
  today: () => import("./pages/today/Today.svelte"),
  "needs-you": () => import("./pages/needs-you/NeedsYou.svelte"),
  activity: () => import("./pages/activity/Activity.svelte"),
  automations: () => import("./pages/automations/Automations.svelte"),
  integrations: () => import("./pages/integrations/Integrations.svelte"),
  files: () => import("./pages/files/Files.svelte"),
  compose: () => import("./pages/compose/Compose.svelte"),
  webhooks: () => import("./pages/webhooks/Webhooks.svelte"),
  connect: () => import("./pages/connect/Connect.svelte"),
};
const here: Record<string, Component> = {};
const known = (page: string): string => (page in ways ? page : "today");

/** The screen of a page, if it is there. */
export const screen = (page: string): Component | undefined => here[known(page)];
/** Fetches the screen of a page. */
export async function fetched(page: string): Promise<void> {
  const name = known(page);
  const found = await ways[name]?.();
  if (found) here[name] = found.default;
}
/** Fetches what is not there yet, so that a page opens even when the engine has gone. */
export async function fetchAll(): Promise<void> {
  for (const name of Object.keys(ways)) if (!here[name]) await fetched(name).catch(() => {});
}
