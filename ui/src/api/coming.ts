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

// Of texts, files and the calendar.
export interface TextPreview { to: string | null; toError?: string | null; messageError?: string | null; encoding: string; segments: number; units: number; left: number; costly?: string | null; sentence: string }
export interface TextSent { success: true; sid?: string | null; status?: string | null; deliveryId: string; duplicate?: boolean }
export interface StoredFile { success: true; deliveryId: string; key: string; fileUrl: string; filename: string; originalName: string; size: number }
export interface ListedFile { key: string; filename: string; originalName: string | null; size: number; modifiedAt: string | null }
export interface ListedFiles { success: true; files: ListedFile[]; nextCursor: string | null }
export interface LinkToFile { success: true; url: string; expiresAt: string }
export interface Preset { name: string; label: string; endpoint?: string | null; region: string; pathStyle: boolean; help: string }
export interface Flow { flowId: string; authorizationUrl: string; expiresAt: string }
export interface FlowState { status: "waiting" | "connected" | "denied" | "failed" | "expired"; error?: string | null }
export interface Calendars { success: true; calendars: { id: string; summary: string; primary?: boolean }[] }
/** An email as it is handed in. */
export interface Draft { to: string | string[]; cc?: string[]; bcc?: string[]; replyTo?: string; subject: string; html?: string; text?: string; attachments?: { filename: string; contentType: string; contentBase64?: string; key?: string }[]; idempotencyKey?: string }
