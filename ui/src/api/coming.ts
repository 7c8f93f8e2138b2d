// Shapes of answers that the generated types do not hold yet. This file goes once they do.

import type { DeliveryPage, DeliveryRow, State, StoryPage, StoryStep } from "./schema";

export type { Bucket, Histogram } from "./schema";
export type Page = DeliveryPage & { previousCursor?: string | null };
export type Step = StoryStep;
export type Story = StoryPage;
export interface Left { reason: string; count: number; sentence: string }
export interface Replayed { success: boolean; matched: number; queued: number; excluded: Left[]; sentence: string; replayId?: string | null }
export interface Replay { id: string; startedAt: string; total: number; sent: number; failed: number; waiting: number; cancelled: number; perMinute?: number | null; isRunning: boolean; sentence: string }
export interface Replays { replays: Replay[] }

export interface Trouble {
  id: string; cause: string; integration: string; webhookId?: string | null; since: string; waiting: number; failed: number; actions: string[]; state: State;
  title: string; effect: string; buttons: { action: string; label: string; primary: boolean }[]; first: DeliveryRow[]; filter: Record<string, unknown>;
}
export interface Troubles { problems: Trouble[]; solved: { title: string; at: string }[]; sentence: string }
export interface Resolved { success: boolean; message: string; deliveries?: number; error?: string }
