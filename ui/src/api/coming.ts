// Shapes of answers that the generated types do not hold yet. This file goes once they do.

import type { DeliveryPage, DeliveryRow, State, StoryPage, StoryStep } from "./schema";

export type { Bucket, Histogram, Left, Replay, Replayed, Replays } from "./schema";
export type Page = DeliveryPage & { previousCursor?: string | null };
export type Step = StoryStep;
export type Story = StoryPage;

export interface Trouble {
  id: string; cause: string; integration: string; webhookId?: string | null; since: string; waiting: number; failed: number; actions: string[]; state: State;
  title: string; effect: string; buttons: { action: string; label: string; primary: boolean }[]; first: DeliveryRow[]; filter: Record<string, unknown>;
}
export interface Troubles { problems: Trouble[]; solved: { title: string; at: string }[]; sentence: string }
export interface Resolved { success: boolean; message: string; deliveries?: number; error?: string }
