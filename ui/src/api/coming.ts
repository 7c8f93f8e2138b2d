// The rehearsal, until it comes with the engine's own description.

import type { AutomationOutcome } from "./schema";

export type RehearsalDifference = "same" | "changed" | "added" | "removed";
export interface RehearsalSample {
  eventId: string; at: string; what: string; outcome: AutomationOutcome; superseded: boolean; overLimit: boolean; sentence: string; recipient?: string | null; dueAt?: string | null; missing: string[]; deliveryId?: string | null; difference?: RehearsalDifference | null;
}
export interface Rehearsal {
  success: boolean; checked: number; wouldSend: number; recipients: number; filtered: number; superseded: number; missingValue: number; noRecipient: number; tooLate: number; overLimit: number; same: number; changed: number; added: number; removed: number;
  missing: { name: string; count: number }[]; samples: RehearsalSample[]; isComplete: boolean; sentence: string;
}
