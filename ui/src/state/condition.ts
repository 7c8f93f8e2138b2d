// The condition language of the engine as rows of a form: all or any of some comparisons. What nests deeper keeps its text.

export const operators = ["eq", "ne", "gt", "gte", "lt", "lte", "contains", "exists", "in"] as const;
export type Operator = (typeof operators)[number];
export interface Test { path: string; op: Operator; value?: unknown }
export type Condition = { all: (Test | Condition)[] } | { any: (Test | Condition)[] };
export interface Row { path: string; op: Operator; value: string }
export interface Form { of: "all" | "any"; rows: Row[] }

/** The rows of a condition; null when it does not fit into rows. */
export function rowsOf(condition: unknown): Form | null {
  if (condition == null) return { of: "all", rows: [] };
  const { all, any } = condition as { all?: unknown[]; any?: unknown[] };
  const tests = all ?? any;
  if (!Array.isArray(tests) || (all && any)) return null;
  const rows: Row[] = [];
  for (const one of tests as Partial<Test>[]) {
    if (typeof one?.path !== "string" || !operators.includes(one.op as Operator)) return null;
    rows.push({ path: one.path, op: one.op as Operator, value: one.op === "exists" ? String(one.value !== false) : one.op === "in" && Array.isArray(one.value) ? one.value.map(typed).join(", ") : typed(one.value) });
  }
  return { of: any ? "any" : "all", rows };
}

/** The condition that the rows say; null: none. Rows that are not filled in yet say nothing. */
export function conditionOf({ of, rows }: Form): Condition | null {
  const tests = rows.filter((row) => row.path.trim() && (row.op === "exists" || row.value.trim())).map((row): Test => ({
    path: row.path.trim(), op: row.op,
    value: row.op === "exists" ? row.value !== "false" : row.op === "in" ? row.value.split(",").map((one) => valueOf(one)) : valueOf(row.value),
  }));
  return tests.length ? (of === "any" ? { any: tests } : { all: tests }) : null;
}

// A number is a number; quotes make it a text: 1047 and "1047".
function valueOf(text: string): unknown {
  const plain = text.trim();
  if (/^".*"$/.test(plain)) return plain.slice(1, -1);
  if (plain === "true" || plain === "false") return plain === "true";
  return plain !== "" && String(Number(plain)) === plain ? Number(plain) : plain;
}
function typed(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") return typeof value === "object" ? JSON.stringify(value) : String(value);
  return typeof valueOf(value) === "string" && !/^".*"$/.test(value) ? value : `"${value}"`;
}

/** The dotted paths of a schema, with their titles: what a filter can look at. */
export function pathsOf(schema: unknown, before = "", title = ""): { path: string; label: string }[] {
  const { properties } = (schema ?? {}) as { properties?: Record<string, { title?: string; properties?: unknown }> };
  return Object.entries(properties ?? {}).flatMap(([name, one]) => {
    const path = before ? `${before}.${name}` : name;
    const label = [title, one.title ?? name].filter(Boolean).join(", ");
    return one.properties ? pathsOf(one, path, one.title ?? name) : [{ path, label }];
  });
}
