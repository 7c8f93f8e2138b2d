// A filter as lines of a form: a member of the data, how it is compared, and with what. What a form cannot show
// (conditions within conditions) is kept as it is and edited as text.

import type { EventType } from "../api/schema";

export const ops = ["eq", "ne", "gt", "gte", "lt", "lte", "contains", "in", "exists", "missing"] as const;
export type Op = (typeof ops)[number];
export interface Line { path: string; op: Op; value: string }
/** `text`: JSON, where the lines cannot say it. */
export interface Form { match: "all" | "any"; lines: Line[]; text: string | null }

interface Test { path: string; op: string; value?: unknown }
const plain = (value: unknown): boolean => value === null || ["string", "number", "boolean"].includes(typeof value);

export function formOf(filter: Record<string, unknown> | null | undefined): Form {
  if (!filter) return { match: "all", lines: [], text: null };
  const [match, tests] = "all" in filter ? ["all" as const, filter.all] : "any" in filter ? ["any" as const, filter.any] : ["all" as const, [filter]];
  const lines = Array.isArray(tests) ? tests.map(lineOf) : [null];
  if (lines.some((line) => line === null)) return { match: "all", lines: [], text: JSON.stringify(filter, null, 2) };
  return { match, lines: lines as Line[], text: null };
}

function lineOf(test: Test): Line | null {
  if (typeof test?.path !== "string" || !ops.includes(test.op as Op)) return null;
  if (test.op === "exists") return { path: test.path, op: test.value === false ? "missing" : "exists", value: "" };
  const many = test.op === "in";
  if (many ? !Array.isArray(test.value) || !test.value.every(plain) : !plain(test.value)) return null;
  return { path: test.path, op: test.op as Op, value: many ? (test.value as unknown[]).map(written).join(", ") : written(test.value) };
}
/** A value as it is typed: text needs quotes only where it would mean something else without. */
const written = (value: unknown): string => (typeof value !== "string" ? JSON.stringify(value) : typeof meant(value) === "string" && meant(value) === value && !/[",]/.test(value) ? value : JSON.stringify(value));

/**
 * What a typed value means. Numbers and text never compare with each other, so `50` is a number, and `"50"` is text, as
 * is what a number would lose digits of, such as `0042` or `+49151…`.
 */
export function meant(typed: string): unknown {
  const value = typed.trim();
  if (value === "true" || value === "false" || value === "null") return JSON.parse(value);
  if (/^-?(0|[1-9]\d*)(\.\d+)?$/.test(value) && value.replace(/[-.]/g, "").length <= 15) return Number(value);
  if (/^".*"$/s.test(value)) {
    try {
      return JSON.parse(value);
    } catch {
      return value;
    }
  }
  return value;
}
/** Values with commas between them; a comma in quotes is part of its value. */
const list = (typed: string): unknown[] => (typed.match(/\s*"(?:[^"\\]|\\.)*"\s*|[^,]+/g) ?? []).map((one) => one.trim()).filter(Boolean).map(meant);

/** The filter that the form means; null is none. Text that is no JSON object throws. */
export function filterOf(form: Form): Record<string, unknown> | null {
  if (form.text !== null) {
    if (!form.text.trim()) return null;
    const read: unknown = JSON.parse(form.text);
    if (typeof read !== "object" || read === null || Array.isArray(read)) throw new SyntaxError("no object");
    return read as Record<string, unknown>;
  }
  if (!form.lines.length) return null;
  return { [form.match]: form.lines.map(({ path, op, value }) => ({ path: path.trim(), ...(op === "exists" || op === "missing" ? { op: "exists", value: op === "exists" } : { op, value: op === "in" ? list(value) : meant(value) }) })) };
}

// ---- what can be asked about

interface Schema { type?: string | string[]; title?: string; properties?: Record<string, Schema> }
export interface Member { path: string; title: string }

/** The members that these types usually hold, by the names people know them by. */
export function membersOf(types: EventType[], chosen: string[]): Member[] {
  const found = new Map<string, string>();
  const walk = (schema: Schema, path: string, title: string): void => {
    for (const [name, inner] of Object.entries(schema.properties ?? {})) {
      const [at, called] = [path ? `${path}.${name}` : name, [title, inner.title ?? name].filter(Boolean).join(", ")];
      if (inner.properties) walk(inner, at, called);
      else if (!found.has(at)) found.set(at, called);
    }
  };
  for (const one of types) if (chosen.includes("*") || chosen.includes(one.type)) walk(one.schema as Schema, "", "");
  return [...found].map(([path, title]) => ({ path, title }));
}
