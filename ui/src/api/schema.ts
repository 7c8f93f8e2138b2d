// What the engine answers, as the window reads it.

export type Shape =
  | "tick-filled" | "tick-open" | "arrow-open" | "hands-open" | "retry" | "gap-square" | "bars-square-filled" | "bars-square-open"
  | "octagon-bar" | "octagon-bang" | "diamond-question" | "chevrons-open" | "cross-open" | "dashed-round" | "dot-open" | "triangle-bang";
export type Role = "success" | "accent" | "waiting" | "held" | "failed" | "unknown" | "muted";
export interface State { word: string; shape: Shape; role: Role }

export type Topic = "events" | "deliveries" | "webhooks" | "tokens" | "workspaces" | "network";
export interface Change { workspaceId: string | null; topics: Topic[] }

export interface FieldError { path: string; code: string; message: string }
export interface Day { day: string; succeeded: number; failed: number }
export interface Workspace { id: string; name: string; timezone: string; createdAt: string }

export type ArmState = "clear" | "needs_you" | "paused" | "offline";
export interface Today {
  sentence: string;
  arm: ArmState;
  counts: { events: number; delivered: number; waiting: number; held: number; failed: number };
  receivers: { webhookId: string; name: string; host: string; state: State; days: Day[]; today: number; lastSuccess: string | null }[];
  justNow: { eventId: string; at: string; title: string; what: string; plates: { channel: string; deliveryId: string; who?: string; state: State }[] }[];
}

export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  format?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
}
export type Data = Record<string, unknown>;
export interface EventType { type: string; label: string; description: string | null; schema: Schema | null; example: Data | null; declared: boolean }
export interface Event {
  id: string; type: string; label: string; subject: string | null; occurredAt: string; receivedAt: string; source: string; data: Data; what: string;
  deliveries?: DeliveryRow[];
}
export interface Recorded { success: true; eventId: string; deliveries: number; duplicate: boolean; warnings: FieldError[] }

export interface DeliveryRow {
  id: string; channel: string; eventId: string; eventType: string; subject: string | null; webhookId: string | null; recipient: string;
  who: string; what: string; status: string; statusReason: string | null; state: State; statusCode: number | null; code: string | null; error: string | null;
  attemptCount: number; test: boolean; replayOf: string | null; createdAt: string; dueAt: string | null; finishedAt: string | null;
  deliveredAt: string | null; durationMs: number | null;
}
export interface Attempt {
  id: string; number: number; trigger: string; startedAt: string; durationMs: number | null; statusCode: number | null; code: string | null;
  error: string | null; summary: string; state: State; requestUrl: string; requestHeaders: Record<string, string>; requestBody: string;
  responseHeaders: Record<string, string> | null; responseBody: string | null; responseTruncated: boolean;
}
export type Action = "retry" | "cancel" | "release";
export interface Delivery extends DeliveryRow { sentence: string; explanation: string | null; actions: Action[]; body: string; attempts: Attempt[] }
export interface DeliveryPage { deliveries: DeliveryRow[]; nextCursor: string | null; total: number; totalIsExact: boolean }

export interface Webhook {
  id: string; name: string; url: string; host: string; events: string[]; isActive: boolean; allowPrivateNetwork: boolean;
  totalCalls: number; successfulCalls: number; failedCalls: number; lastTriggered: string | null; lastError: string | null;
  secretCreatedAt: string; state: State; sentence: string; held: number; waiting: number; days: Day[]; successRate: number | null;
}
export interface Tested { success: boolean; message: string; statusCode: number | null; deliveryId?: string | null }

export type Scope = "events" | "full";
export interface Token { id: string; name: string; scope: Scope; createdAt: string; lastUsedAt: string | null; lastFour: string }
export interface Connection { address: string | null; problem: string | null; firstEvent: Event | null }
