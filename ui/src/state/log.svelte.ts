// The log as it is read: pages by key, newest first, in both directions from where the reader began. Pages far from the
// reader are let go and asked for again, so a million rows cost no more than a few. What comes in above is shown at once
// to who stands at the top, and announced to who reads further down.

import { ask, asProblem, onChange, type Problem } from "../api/client";
import type { DeliveryPage as Answer, DeliveryRow } from "../api/schema";
import { asked as said, type Filter } from "./filter";

const PAGE = 100;
const MOST = 200;
const KEPT_PAGES = 20;

interface Page { rows: DeliveryRow[]; next: string | null; previous: string | null }
const paged = (answer: Answer): Page => ({ rows: answer.deliveries, next: answer.nextCursor ?? null, previous: answer.previousCursor ?? null });

/** Must be called while a component is being set up. `at`: the moment the reader wants to be at; null is now. */
export function log(filter: () => Filter, at: () => string | null) {
  let pages = $state.raw<Page[]>([]);
  let fresh = $state.raw<DeliveryRow[]>([]);
  // Rows that were let go above what is kept.
  let above = $state(0);
  let total = $state(0);
  let exact = $state(true);
  let loaded = $state(false);
  let problem = $state.raw<Problem>();
  const rows = $derived(pages.flatMap((page) => page.rows));
  // Answers to what nobody asks any more are dropped.
  let generation = 0;
  let asked: Record<string, string> = {};
  let from: string | null = null;
  let reading = false;
  let looking = false;
  let again = false;
  // More came than one page holds: what is shown no longer joins what is new.
  let torn = false;
  let atTop = true;
  let seen: [number, number] = [0, 0];

  const whole = (): boolean => above === 0 && (pages[0]?.previous ?? null) === null;
  const page = (more: Record<string, string>): Promise<Answer> => ask<Answer>("GET", `/api/deliveries?${new URLSearchParams({ limit: String(PAGE), ...asked, ...more })}`);
  const counted = (answer: Answer): void => {
    total = answer.total;
    exact = answer.totalIsExact;
    problem = undefined;
  };

  async function begin(): Promise<void> {
    const mine = ++generation;
    fresh = [];
    torn = reading = false;
    problem = undefined;
    try {
      const first = await page(from ? { at: from } : {});
      if (mine !== generation) return;
      pages = [paged(first)];
      above = 0;
      counted(first);
      loaded = true;
    } catch (cause) {
      if (mine !== generation) return;
      pages = [];
      loaded = false;
      problem = asProblem(cause);
    }
  }

  async function turn(cursor: string | null | undefined, take: (next: Page) => void): Promise<void> {
    if (!cursor || reading) return;
    const mine = generation;
    reading = true;
    try {
      const answer = await page({ cursor });
      if (mine !== generation) return;
      const known = new Set(rows.map((row) => row.id));
      const next = paged(answer);
      take({ ...next, rows: next.rows.filter((row) => !known.has(row.id)) });
      counted(answer);
    } catch (cause) {
      if (mine === generation) problem = asProblem(cause);
    } finally {
      if (mine === generation) reading = false;
    }
  }
  const older = (): Promise<void> =>
    turn(pages.at(-1)?.next, (next) => {
      const gone = pages.length >= KEPT_PAGES ? (pages[0]?.rows.length ?? 0) : 0;
      pages = [...(gone ? pages.slice(1) : pages), next];
      above += gone;
    });
  const newer = (): Promise<void> =>
    turn(pages[0]?.previous, (next) => {
      pages = [next, ...(pages.length >= KEPT_PAGES ? pages.slice(0, -1) : pages)];
      above = next.previous === null ? 0 : Math.max(0, above - next.rows.length);
    });

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
        const newest = await page(whole() ? {} : { limit: "1" });
        if (mine === generation) {
          counted(newest);
          if (whole()) take(newest);
          await lookAtSeen(mine);
        }
      } catch (cause) {
        if (mine === generation) problem = asProblem(cause);
      }
      if (again) await new Promise((later) => setTimeout(later, 250));
    } while (again);
    looking = false;
  }

  function take(newest: Answer): void {
    loaded = true;
    const now = new Map(newest.deliveries.map((row) => [row.id, row]));
    const joins = newest.deliveries.findIndex((row) => rows.some((one) => one.id === row.id));
    if (joins < 0 && (rows.length === 0 || newest.deliveries.length === 0 || atTop)) {
      pages = [paged(newest)];
      fresh = [];
      return;
    }
    if (joins < 0) {
      torn = true;
      fresh = newest.deliveries;
      return;
    }
    const end = rows.findLastIndex((row) => now.has(row.id));
    const arrived = newest.deliveries.slice(0, joins);
    update(now, atTop ? new Set(rows.slice(0, end + 1).flatMap((row) => (now.has(row.id) ? [] : [row.id]))) : undefined);
    // What no longer fits the filter goes; who stands at the top loses no place by it.
    if (atTop) prepend(arrived);
    fresh = atTop ? [] : arrived;
  }
  function update(now: Map<string, DeliveryRow>, gone?: Set<string>): void {
    pages = pages.map((one) => ({ ...one, rows: one.rows.filter((row) => !gone?.has(row.id)).map((row) => now.get(row.id) ?? row) }));
  }
  function prepend(arrived: DeliveryRow[]): void {
    const [first, ...rest] = pages;
    if (first && arrived.length) pages = [{ ...first, rows: [...arrived, ...first.rows] }, ...rest];
  }

  /** What the reader looks at further down than the newest page. */
  async function lookAtSeen(mine: number): Promise<void> {
    const [first, last] = [rows[seen[0]], rows[Math.min(seen[1], rows.length) - 1]];
    if (!first || !last || (whole() && seen[1] <= PAGE)) return;
    const until = new Date(Date.parse(first.createdAt) + 1).toISOString();
    const there = await page({ since: last.createdAt, until, limit: String(MOST) });
    if (mine === generation) update(new Map(there.deliveries.map((row) => [row.id, row])));
  }

  $effect(() => {
    asked = said(filter());
    from = at();
    loaded = false;
    void begin();
    const stop = onChange(["deliveries", "events"], () => void look());
    return () => {
      generation += 1;
      stop();
    };
  });

  return {
    get rows() { return rows; },
    /** Rows above the first of `rows`, as far as they are known. */
    get above() { return above; },
    /** How many came in above what is shown. */
    get fresh() { return fresh.length; },
    get total() { return total; },
    /** False: `total` stopped counting. */
    get exact() { return exact; },
    get loaded() { return loaded; },
    get more() { return (pages.at(-1)?.next ?? null) !== null; },
    /** Newer rows can be had above `rows`. */
    get before() { return (pages[0]?.previous ?? null) !== null; },
    get problem() { return problem; },
    /** The question behind the rows, as the engine takes it. */
    get asked() { return asked; },
    older: () => void older(),
    newer: () => void newer(),
    look: () => void (loaded ? look() : begin()),
    /** Begins anew, at the newest row or at the oldest. */
    async begin(end: "newest" | "oldest" = "newest"): Promise<void> {
      from = null;
      if (end === "oldest") {
        const mine = generation;
        const oldest = (await page({ order: "asc", limit: "1" })).deliveries[0];
        if (mine !== generation) return;
        from = oldest?.createdAt ?? null;
      }
      await begin();
      if (from) await newer();
    },
    /** Where the reader is: only who stands at the top has new rows pushed in. */
    reads(top: boolean, first: number, last: number): void {
      atTop = top;
      seen = [first, last];
    },
    showFresh(): void {
      if (torn) void begin();
      else {
        prepend(fresh);
        fresh = [];
      }
    },
  };
}
