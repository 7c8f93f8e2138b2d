// The rehearsal, until it comes with the engine's own description.

import type { AutomationOutcome, State } from "./schema";

export interface RehearsalCount { outcome: AutomationOutcome; count: number; sentence: string }
export interface RehearsalSample { eventId: string; at: string; what: string; outcome: AutomationOutcome; sentence: string; recipient: string | null; missing: string[]; state?: State }
export interface RehearsalDifference { eventId: string; deliveryId: string | null; what: string; sentence: string; before: string | null; now: string | null }
export interface Rehearsal { success: true; events: number; sentence: string; counts: RehearsalCount[]; samples: RehearsalSample[]; differences: RehearsalDifference[] }
