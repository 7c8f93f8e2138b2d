// The log as it is read: pages by key, newest first, older ones as the reader gets there. What comes
// in above is shown at once to who stands at the top, and announced to who reads further down.

import { ask, asProblem, onChange, type Problem } from "../api/client";
import type { DeliveryPage, DeliveryRow } from "../api/schema";

export interface Filter { status?: string; eventType?: string; webhookId?: string; eventId?: string }

const PAGE = 100;
const MOST = 200;

/** Must be called while a component is being set up. */
export function log(filter: () => Filter) {
  let rows = $state.raw<DeliveryRow[]>([]);
  let fresh = $state.raw<DeliveryRow[]>([]);
  let total = $state(0);
  let exact = $state(true);
  let loaded = $state(false);
  let cursor = $state<string | null>(null);
  let problem = $state.raw<Problem>();
  // Answers to what nobody asks any more are dropped.
  let generation = 0;
  let asked = "";
  let reading = false;
  let looking = false;
  let again = false;
  // More came than one page holds: what is shown no longer joins what is new.
  let torn = false;
  let atTop = true;
  let seen: [number, number] = [0, 0];

  const page = (more: Record<string, string>): Promise<DeliveryPage> =>
    ask<DeliveryPage>("GET", `/api/deliveries?${new URLSearchParams({ limit: String(PAGE), ...Object.fromEntries(new URLSearchParams(asked)), ...more })}`);

  async function begin(): Promise<void> {
    const mine = ++generation;
    rows = fresh = [];
    loaded = torn = false;
    cursor = null;
    problem = undefined;
    try {
      const first = await page({});
      if (mine !== generation) return;
      rows = first.deliveries;
      cursor = first.nextCursor ?? null;
      total = first.total;
      exact = first.totalIsExact;
      loaded = true;
    } catch (cause) {
      if (mine === generation) problem = asProblem(cause);
    }
  }

  async function older(): Promise<void> {
    if (!cursor || reading) return;
    const mine = generation;
    reading = true;
    try {
      const next = await page({ cursor });
      if (mine !== generation) return;
      const known = new Set(rows.map((row) => row.id));
      rows = [...rows, ...next.deliveries.filter((row) => !known.has(row.id))];
      cursor = next.nextCursor ?? null;
      problem = undefined;
    } catch (cause) {
      if (mine === generation) problem = asProblem(cause);
    } finally {
      reading = false;
    }
  }

  async function look(): Promise<void> {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    do {
      again = false;
      const mine = generation;
      try {
        const newest = await page({});
        if (mine === generation) take(newest);
        await lookAtSeen(mine);
      } catch (cause) {
        if (mine === generation) problem = asProblem(cause);
      }
      if (again) await new Promise((later) => setTimeout(later, 250));
    } while (again);
    looking = false;
  }

  function take(newest: DeliveryPage): void {
    loaded = true;
    problem = undefined;
    total = newest.total;
    exact = newest.totalIsExact;
    const now = new Map(newest.deliveries.map((row) => [row.id, row]));
    const joins = newest.deliveries.findIndex((row) => rows.some((one) => one.id === row.id));
    if (joins < 0 && (rows.length === 0 || newest.deliveries.length === 0 || atTop)) {
      rows = newest.deliveries;
      cursor = newest.nextCursor ?? null;
      fresh = [];
      return;
    }
    if (joins < 0) {
      torn = true;
      fresh = newest.deliveries;
      return;
    }
    const end = rows.findLastIndex((row) => now.has(row.id));
    const updated = rows.map((row) => now.get(row.id) ?? row);
    const arrived = newest.deliveries.slice(0, joins);
    if (atTop) {
      // What no longer fits the filter goes; who stands at the top loses no place by it.
      rows = [...arrived, ...updated.filter((row, at) => at > end || now.has(row.id))];
      fresh = [];
    } else {
      rows = updated;
      fresh = arrived;
    }
  }

  /** What the reader looks at further down than the newest page. */
  async function lookAtSeen(mine: number): Promise<void> {
    const [from, to] = [rows[seen[0]], rows[Math.min(seen[1], rows.length) - 1]];
    if (!from || !to || seen[1] <= PAGE) return;
    const until = new Date(Date.parse(from.createdAt) + 1).toISOString();
    const there = await page({ since: to.createdAt, until, limit: String(MOST) });
    if (mine !== generation) return;
    const now = new Map(there.deliveries.map((row) => [row.id, row]));
    rows = rows.map((row) => now.get(row.id) ?? row);
  }

  $effect(() => {
    const said = Object.entries(filter()).filter((pair): pair is [string, string] => !!pair[1]);
    asked = new URLSearchParams(said).toString();
    void begin();
    const stop = onChange(["deliveries", "events"], () => void look());
    return () => {
      generation += 1;
      stop();
    };
  });

  return {
    get rows() { return rows; },
    /** How many came in above what is shown. */
    get fresh() { return fresh.length; },
    get total() { return total; },
    /** False: `total` stopped counting. */
    get exact() { return exact; },
    get loaded() { return loaded; },
    get more() { return cursor !== null; },
    get problem() { return problem; },
    older: () => void older(),
    look: () => void (loaded ? look() : begin()),
    /** Where the reader is: only who stands at the top has new rows pushed in. */
    reads(top: boolean, from: number, to: number): void {
      atTop = top;
      seen = [from, to];
    },
    showFresh(): void {
      if (torn) void begin();
      else {
        rows = [...fresh, ...rows];
        fresh = [];
      }
    },
  };
}
