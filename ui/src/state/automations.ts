// When something happens, do this: what the owner set up, and what it would do.

import { achieve, ask } from "../api/client";
import type { Automation, AutomationPatch, AutomationPreview, Automations, AutomationVersions, ChangedAutomation, CreatedAutomation, EventPage, NewAutomation, PreviewEvent, Rehearsal, RemovedAutomation, TestedAutomation } from "../api/schema";
import { live } from "./live.svelte";

const AT = "/api/automations";

export const automations = () => live<Automations>(() => AT, ["automations", "deliveries"], { pace: 1000 });
export const versions = (id: () => string) => live<AutomationVersions>(() => `${AT}/${id()}/versions`, ["automations"]);
/** What happened last of these types, to look at a text with somebody's data. */
export const lastEvents = (types: () => string[]) =>
  live<EventPage>(() => (types().length ? `/api/events?${new URLSearchParams({ type: types().join(","), limit: "12" })}` : null), ["events"], { keep: true, pace: 2000 });

export const make = async (automation: NewAutomation): Promise<Automation> => (await achieve<CreatedAutomation>("POST", AT, automation)).automation;
/** What is absent stays. */
export const alter = (id: string, patch: AutomationPatch): Promise<ChangedAutomation> => achieve<ChangedAutomation>("PATCH", `${AT}/${id}`, patch);
export const drop = async (id: string): Promise<string> => (await achieve<RemovedAutomation>("DELETE", `${AT}/${id}`)).message;
/** The texts of an earlier version, as a new one. */
export const restore = (id: string, version: number): Promise<ChangedAutomation> => achieve<ChangedAutomation>("POST", `${AT}/${id}/restore`, { version });

/** What it would do, changed as it is being changed. Nothing is sent. */
export const preview = (id: string, draft: AutomationPatch, event?: PreviewEvent): Promise<AutomationPreview> => ask<AutomationPreview>("POST", `${AT}/${id}/preview`, { draft, ...(event ? { event } : {}) });
/** The same of one that is not saved yet. */
export const previewNew = (automation: NewAutomation, event?: PreviewEvent): Promise<AutomationPreview> => ask<AutomationPreview>("POST", `${AT}/preview`, { automation, ...(event ? { event } : {}) });
/** What it would have made of what happened in that time. Nothing is sent. */
export const rehearse = (id: string, since: string, until: string): Promise<Rehearsal> => ask<Rehearsal>("POST", `${AT}/${id}/rehearse`, { since, until });
/** What it would send goes to the owner alone. Both ways of ending are an answer. */
export const toMe = (id: string, to: string, draft: AutomationPatch, event?: PreviewEvent): Promise<TestedAutomation> => ask<TestedAutomation>("POST", `${AT}/${id}/test`, { to, draft, ...(event ? { event } : {}) });
