// The programs that may speak to Signalbox.

import { ask } from "../api/client";
import type { CreatedToken, Scope, Tokens } from "../api/schema";
import { live } from "./live.svelte";

export const tokens = () => live<Tokens>(() => "/api/tokens", ["tokens"]);

export const make = (name: string, scope: Scope): Promise<CreatedToken> => ask<CreatedToken>("POST", "/api/tokens", { name: name.trim(), scope });
export const revoke = (id: string): Promise<unknown> => ask("DELETE", `/api/tokens/${id}`);
