// Shapes of answers that the generated types do not hold yet. This file goes once they do.

import type { DeliveryRow } from "./schema";

export interface Bucket { start: string; success: number; waiting: number; held: number; failed: number; other: number }
export interface Histogram { from: string; to: string; bucketSeconds: number; buckets: Bucket[]; sentence: string }
export interface Step { at: string; eventId: string; label: string; what: string; deliveries: DeliveryRow[] }
export interface Story { title: string; sentence: string; steps: Step[]; nextCursor?: string | null }
export interface Left { reason: string; count: number; sentence: string }
export interface Replayed { success: boolean; matched: number; queued: number; excluded: Left[]; sentence: string; replayId?: string | null }
export interface Replay { id: string; startedAt: string; total: number; sent: number; failed: number; waiting: number; cancelled: number; perMinute?: number | null; isRunning: boolean; sentence: string }
export interface Replays { replays: Replay[] }
