// Shapes of automations, until they come with the engine's own description.

import type { Channel, FieldError, State } from "./schema";

export interface RelativeTo { field: string; minutes: number }
export interface EmailAction { kind: "email"; to: string; cc?: string; bcc?: string; replyTo?: string; subject: string; html?: string; text?: string }
export interface SmsAction { kind: "sms"; to: string; message: string }
export interface CalendarAction { kind: "calendar"; operation: "create" | "update" | "delete" | "sync"; entry?: string; title?: string; description?: string; startTime?: string; endTime?: string; timezone?: string; allDay?: boolean; attendees?: string[]; location?: string; reminders?: unknown[]; sendUpdates?: string }
export interface StorageAction { kind: "storage"; key: string; content: string; contentType?: string }
export type AutomationAction = EmailAction | SmsAction | CalendarAction | StorageAction;

export interface NewAutomation {
  name: string; event: string[]; isActive?: boolean; condition?: Record<string, unknown> | null; gatherSeconds?: number; delayMinutes?: number | null; relativeTo?: RelativeTo | null; limit?: number | null; action: AutomationAction;
}
export type AutomationPatch = Partial<NewAutomation>;
export interface AutomationCounts { sent: number; waiting: number; held: number; failed: number; skipped: number }
export interface Automation {
  id: string; name: string; event: string[]; isActive: boolean; condition: Record<string, unknown> | null; gatherSeconds: number; delayMinutes: number | null; relativeTo: RelativeTo | null; limit: number | null;
  action: AutomationAction; version: number; createdAt: string; changedAt: string; when: string; state: State; sentence: string; counts: AutomationCounts;
}
export interface Automations { automations: Automation[] }
export interface OneAutomation { automation: Automation }
export interface ChangedAutomation { automation: Automation; renderedAnew: number; dropped: number; message: string }
export interface AutomationVersion { version: number; createdAt: string; restoredFrom: number | null; isCurrent: boolean; deliveries: number; sentence: string; action: AutomationAction }
export interface AutomationVersions { versions: AutomationVersion[] }

export interface PreviewEvent { eventId?: string; type?: string; data?: unknown }
export interface TemplateMistake { path: string; line: number | null; column: number | null; message: string; missing: string[] }
export interface AutomationPreview {
  success: boolean; kind: Channel; eventType: string; eventId: string | null; subject: string | null; what: string; outcome: "send" | "filtered" | "missing_value" | "no_recipient" | "too_late" | "not_configured";
  sentence: string; fits: boolean; why: string | null; recipient: string | null; request: Record<string, unknown> | null; plainText?: string | null; missing: string[]; mistakes: TemplateMistake[]; dueAt: string | null;
}
export type { FieldError };
