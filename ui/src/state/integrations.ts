// The services that the owner has an account with.

import { achieve, ask, openLink } from "../api/client";
import type { Authorized, CalendarList, Disconnected, Graceful, IntegrationKind, Integrations, IntegrationStanding, OpenProblem, Preset, ProblemAction, Role, SavedIntegration, SignIn, State, TestedIntegration, WhenPaused } from "../api/schema";
import { t } from "../i18n/say";
import { live } from "./live.svelte";
import { to } from "./route.svelte";

const AT = "/api/integrations";

/** How one stands, and what is set about it that is no secret. */
export type Integration = IntegrationStanding & Record<string, unknown> & { presets?: Preset[] };
export type Kind = IntegrationKind;
export const kinds = ["email", "sms", "calendar", "storage"] as const satisfies readonly Kind[];

/** `within`: the workspace it is asked in, for who outlives one; while that is null, nothing is asked. */
export const integrations = (within: () => string | null = () => "") => live<Integrations>(() => (within() === null ? null : AT), ["integrations", "webhooks", "deliveries", "network"]);
export const one = (all: Integrations, kind: Kind): Integration => all[kind] as unknown as Integration;
/** Whether it can be set up here: it has been, or there is something to fill in. */
export const isOffered = (integration: Integration): boolean => integration.isConfigured || integration.fields.length > 0;

// ---- its life

export const setUp = (kind: Kind, settings: Record<string, unknown>): Promise<SavedIntegration> => achieve<SavedIntegration>("POST", `${AT}/${kind}`, settings);
/** What is absent stays. */
export const change = (kind: Kind, settings: Record<string, unknown>): Promise<SavedIntegration> => achieve<SavedIntegration>("PATCH", `${AT}/${kind}`, settings);
export const pause = (kind: Kind, whenPaused: WhenPaused): Promise<SavedIntegration> => change(kind, { isActive: false, whenPaused });
export const resume = (kind: Kind): Promise<SavedIntegration> => change(kind, { isActive: true });
/** A look without side effects, or a message to somebody. Both ways of ending are an answer. */
export const test = (kind: Kind, testTo?: string): Promise<TestedIntegration> => ask<TestedIntegration>("POST", `${AT}/${kind}/test`, testTo ? { testTo } : {});
export const disconnect = async (kind: Kind): Promise<string> => (await achieve<Disconnected>("DELETE", `${AT}/${kind}`)).message;

// ---- signing in

/** The calendars there are to choose from. */
export const calendars = () => live<CalendarList | Graceful>(() => `${AT}/calendar/calendars`, ["integrations"]);
/** `clientFile`: a client of the owner's own, as Google's console gives it. */
export const signIn = (clientFile?: unknown): Promise<Authorized> => achieve<Authorized>("POST", `${AT}/calendar/authorize`, clientFile === undefined ? {} : { clientFile });
export const flow = (id: () => string | null) => live<SignIn>(() => (id() === null ? null : `${AT}/calendar/authorize/${id()}`), ["integrations"]);

/** Follows a link to another site: in the owner's browser, wherever this page is. */
export function follow(event: MouseEvent): void {
  const { href } = event.currentTarget as HTMLAnchorElement;
  const opened = openLink(href);
  if (!opened) return;
  event.preventDefault();
  // Where no browser opens, the address is there to be copied.
  void opened.catch(() => navigator.clipboard?.writeText(href).catch(() => {}));
}
export const opens = (url: string): void => {
  const opened = openLink(url);
  if (opened) void opened.catch(() => {});
  else window.open(url, "_blank", "noopener");
};

const sheets: Partial<Record<ProblemAction, string>> = { reconnect: "sign-in", replace_key: "key", choose_calendar: "calendar" };
/** Where the owner does what a button of a problem says, if that is a sheet of its service: `#/…`. */
export const mendedAt = (problem: OpenProblem, action: ProblemAction): string | undefined =>
  problem.webhookId || !kinds.some((kind) => kind === problem.integration) || !(action in sheets) ? undefined : to("integrations", problem.integration, { do: sheets[action] });

// ---- how several stand, in one

export const notSetUp: State = { word: t("not-set-up"), shape: "dashed-round", role: "muted" };
const gravity: Role[] = ["failed", "held", "unknown", "waiting", "accent", "success", "muted"];
/** The one that needs the owner most. */
export const gravest = <One extends { state: State }>(all: readonly One[]): One | undefined => [...all].sort((one, other) => gravity.indexOf(one.state.role) - gravity.indexOf(other.state.role))[0];
