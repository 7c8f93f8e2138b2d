// Shapes of answers that the generated types do not hold yet. This file goes once they do.

import type { DeliveryPage, DeliveryRow, State } from "./schema";

export type { Left, Replay, Replayed, Replays } from "./schema";

export type Page = DeliveryPage & { previousCursor?: string | null };
export interface Bucket { start: string; success: number; waiting: number; held: number; failed: number; other: number }
export interface Histogram { from: string; to: string; bucketSeconds: number; buckets: Bucket[]; sentence: string }
export interface Step { at: string; eventId: string; label: string; what: string; deliveries: DeliveryRow[] }
export interface Story { title: string; sentence: string; steps: Step[]; nextCursor?: string | null }

export interface Trouble {
  id: string; cause: string; integration: string; webhookId?: string | null; since: string; waiting: number; failed: number; actions: string[]; state: State;
  title: string; effect: string; buttons: { action: string; label: string; primary: boolean }[]; first: DeliveryRow[]; filter: Record<string, unknown>;
}
export interface Troubles { problems: Trouble[]; solved: { title: string; at: string }[]; sentence: string }
export interface Resolved { success: boolean; message: string; deliveries?: number; error?: string }
