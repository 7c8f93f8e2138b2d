// An automation as a form: what is typed, and what it means for the engine.

import type { Automation, AutomationAction, AutomationPatch, Channel, EventType, NewAutomation } from "../../api/schema";
import { filterOf, formOf, type Form } from "../../components/condition";

export const units = ["minutes", "hours", "days"] as const;
export type Unit = (typeof units)[number];
const minutesOf: Record<Unit, number> = { minutes: 1, hours: 60, days: 1440 };
export const times = ["once", "gathered", "after", "near"] as const;

/** What is typed. A number that is being typed may be none. */
export interface Draft {
  name: string; event: string[]; condition: Form; action: AutomationAction; limit: number | null;
  /** At once · once changes have settled · later · before or after a time in the event. */
  timing: (typeof times)[number]; gather: number | null; amount: number | null; unit: Unit; side: "before" | "after"; field: string;
}

function spelled(minutes: number): { amount: number; unit: Unit } {
  const unit = minutes % 1440 === 0 ? "days" : minutes % 60 === 0 ? "hours" : "minutes";
  return { amount: minutes / minutesOf[unit], unit };
}
export function draftOf(one: NewAutomation): Draft {
  const near = one.relativeTo;
  const gather = one.gatherSeconds ?? 60;
  const time = near ? spelled(Math.abs(near.minutes)) : one.delayMinutes ? spelled(one.delayMinutes) : { amount: 24, unit: "hours" as const };
  return {
    name: one.name, event: [...one.event], condition: formOf(one.condition), action: structuredClone(one.action), limit: one.limit ?? null,
    timing: near ? "near" : one.delayMinutes ? "after" : gather ? "gathered" : "once", gather: gather || 60, ...time, side: near && near.minutes > 0 ? "after" : "before", field: near?.field ?? "startTime",
  };
}

/** Texts that were left empty and may be absent are absent. */
function tidy(action: AutomationAction): AutomationAction {
  const needed = ["kind", "to", "subject", "message", "key", "content", "operation"];
  return Object.fromEntries(Object.entries(action).filter(([name, value]) => needed.includes(name) || (value !== "" && value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0)))) as unknown as AutomationAction;
}
/** What the engine is told; text that is no JSON throws. */
export function meaningOf(draft: Draft): NewAutomation {
  const minutes = (draft.amount ?? 0) * minutesOf[draft.unit];
  return {
    name: draft.name.trim(), event: draft.event, condition: filterOf(draft.condition), limit: draft.limit, action: tidy(draft.action),
    gatherSeconds: draft.timing === "once" ? 0 : (draft.gather ?? 0),
    delayMinutes: draft.timing === "after" ? minutes : null,
    relativeTo: draft.timing === "near" ? { field: draft.field.trim(), minutes: draft.side === "before" ? -minutes : minutes } : null,
  };
}
/** Only what is different. */
export function changesOf(draft: Draft, saved: Automation): AutomationPatch {
  const [now, was] = [meaningOf(draft), meaningOf(draftOf(saved))];
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(was[name as keyof NewAutomation])));
}

/** One to begin with: nobody, nothing. */
export function blank(kind: Exclude<Channel, "webhook">, event: string, name: string): NewAutomation {
  const actions: Record<typeof kind, AutomationAction> = {
    email: { kind: "email", to: "{{ customer.email }}", subject: "", html: "", text: "" },
    sms: { kind: "sms", to: "{{ customer.phone }}", message: "" },
    calendar: { kind: "calendar", operation: "sync", title: "{{ title }}", startTime: "{{ startTime }}", endTime: "{{ endTime }}" },
    storage: { kind: "storage", key: "", content: "" },
  };
  return { name, event: [event], action: actions[kind] };
}

// ---- what can be put into a text

interface Schema { title?: string; format?: string; properties?: Record<string, Schema> }
export interface Value { path: string; title: string; text: string }

/** The values that these types usually hold, by the names people know them by, as they are written in a text. */
export function valuesOf(types: EventType[], chosen: string[]): Value[] {
  const found = new Map<string, Value>();
  const walk = (schema: Schema, path: string, title: string): void => {
    for (const [name, inner] of Object.entries(schema.properties ?? {})) {
      const [at, called] = [path ? `${path}.${name}` : name, [title, inner.title ?? name].filter(Boolean).join(", ")];
      if (inner.properties) walk(inner, at, called);
      else if (!found.has(at)) {
        const way = inner.format === "date-time" ? " | datetime" : inner.format === "phone" ? " | phone" : name === "price" ? " | money" : "";
        found.set(at, { path: at, title: called, text: `{{ ${at}${way} }}` });
      }
    }
  };
  for (const one of types) if (chosen.includes(one.type)) walk(one.schema as Schema, "", "");
  return [...found.values()];
}
/** The members that hold a time. */
export const timesOf = (types: EventType[], chosen: string[]): Value[] => valuesOf(types, chosen).filter((one) => one.text.includes("| datetime"));
