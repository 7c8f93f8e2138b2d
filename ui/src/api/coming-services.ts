// Shapes of answers about texts, files and the calendar that the generated types do not hold yet. This file goes once they do.

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
