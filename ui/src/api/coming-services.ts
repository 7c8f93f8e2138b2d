// Shapes of answers about signing in that the generated types do not hold yet. This file goes once they do.

export interface Flow { success: boolean; flowId: string; authorizationUrl: string; expiresAt: string }
export interface FlowState { status: "waiting" | "connected" | "denied" | "failed" | "expired"; error?: string | null }
export interface Calendars { success: boolean; calendars: { id: string; summary: string; primary?: boolean }[] }
