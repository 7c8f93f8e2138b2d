// The one door to the engine: by the desktop's command where there is one, else by HTTP.

import { t } from "../i18n/say";
import type { Changed, FieldError, Graceful, Topic } from "./schema";

export interface Ask { method: string; path: string; body: string | null; workspace: string | null }
export interface Answer { status: number; body: string }
export interface Transport {
  request(ask: Ask): Promise<Answer>;
  /** Tells of changes until it is stopped. `null`: some may have been missed, look at everything again. */
  changes(heard: (change: Changed | null) => void): () => void;
  /** Something was painted: the window may be shown. */
  ready(): void;
  /** Puts an answer into a file of the owner's, where this way can. */
  save?(ask: Pick<Ask, "path" | "workspace">, name: string): Promise<void>;
  /** Hands a file over as it is read, where this way can. */
  upload?(ask: Pick<Ask, "path" | "workspace">, form: FormData, sent: (bytes: number) => void, stop: AbortSignal): Promise<Answer>;
  /** Opens a page in the owner's own browser, where this is none. */
  openLink?(url: string): Promise<void>;
}

/** Why a request was refused, in words for the owner. */
export class Problem extends Error {
  constructor(readonly status: number, message: string, readonly fields: FieldError[] = []) {
    super(message);
  }
  /** What is wrong with one field. */
  about(path: string): string | undefined {
    return this.fields.find((field) => field.path === path)?.message;
  }
  /** What is wrong with one field or with a part of it. */
  within(path: string): string | undefined {
    return this.about(path) ?? this.fields.find((field) => field.path.startsWith(`${path}.`))?.message;
  }
}

let transport: Transport;
let workspace: string | null = null;
const listeners = new Set<(change: Changed | null) => void>();
const watchers = new Set<(there: boolean) => void>();

export function open(by: Transport): () => void {
  transport = by;
  return by.changes((change) => listeners.forEach((heard) => heard(change)));
}
export function enter(id: string): void {
  workspace = id;
}
export function ready(): void {
  transport.ready();
}

export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  return understood<T>(() => transport.request({ method, path, body: body === undefined ? null : JSON.stringify(body), workspace }));
}

async function understood<T>(asked: () => Promise<Answer>): Promise<T> {
  let answer: Answer;
  try {
    answer = await asked();
    watchers.forEach((heard) => heard(true));
  } catch {
    watchers.forEach((heard) => heard(false));
    throw new Problem(0, t("problem-unreachable"));
  }
  let read: unknown = null;
  try {
    read = answer.body === "" ? null : JSON.parse(answer.body);
  } catch {
    throw new Problem(answer.status, t("problem-unreadable"));
  }
  if (answer.status >= 400) {
    const said = (read ?? {}) as { title?: string; detail?: string; error?: string; errors?: FieldError[] };
    // The page's credential is of one session; its owner made no token and could revoke none.
    if (answer.status === 401) throw new Problem(401, t("problem-session"));
    throw new Problem(answer.status, said.detail ?? said.error ?? said.title ?? t("problem-unreadable"), said.errors ?? []);
  }
  return read as T;
}

/** The same, where what failed gracefully (a key store that is locked) is a problem too. */
export async function achieve<T extends object>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await ask<T | Graceful>(method, path, body);
  if ("gracefulFail" in answer) throw new Problem(200, answer.error);
  return answer;
}
/** Whether an answer can become a file here. */
export const canSave = (): boolean => transport.save !== undefined;
export async function save(path: string, name: string): Promise<void> {
  await transport.save?.({ path, workspace }, name);
}

/** Whether files can be handed over here. */
export const canUpload = (): boolean => transport.upload !== undefined;
/** Hands a file over; undefined once `stop` was heard. */
export async function upload<T>(path: string, form: FormData, sent: (bytes: number) => void, stop: AbortSignal): Promise<T | undefined> {
  const by = transport.upload;
  if (!by) return undefined;
  try {
    return await understood<T>(async () => {
      try {
        return await by({ path, workspace }, form, sent, stop);
      } catch (cause) {
        if (stop.aborted) return { status: 200, body: "" };
        throw cause;
      }
    });
  } catch (cause) {
    if (stop.aborted) return undefined;
    throw cause;
  }
}

/** Opens a page in the owner's own browser; false where a link does that by itself. */
export function openLink(url: string): Promise<void> | false {
  return transport.openLink?.(url) ?? false;
}

/** Hears of changes in this workspace that touch `topics`. */
export function onChange(topics: Topic[], look: () => void): () => void {
  const heard = (change: Changed | null): void => {
    const here = change === null || !change.workspaceId || !workspace || change.workspaceId === workspace;
    if (here && (change === null || change.topics.some((topic) => topics.includes(topic)))) look();
  };
  listeners.add(heard);
  return () => listeners.delete(heard);
}

/** Hears whether the engine answers. */
export function onReach(heard: (there: boolean) => void): () => void {
  watchers.add(heard);
  return () => watchers.delete(heard);
}

export function asProblem(cause: unknown): Problem {
  return cause instanceof Problem ? cause : new Problem(0, t("problem-unreadable"));
}

/** The way this page reaches its engine. */
export async function wayIn(): Promise<Transport> {
  return "__TAURI_INTERNALS__" in window ? byDesktop() : byHttp(credential());
}

/** What goes to the desktop at a time. */
const PIECE = 1024 * 1024;

async function byDesktop(): Promise<Transport> {
  const [{ invoke }, { listen }] = await Promise.all([import("@tauri-apps/api/core"), import("@tauri-apps/api/event")]);
  return {
    request: (ask) => invoke<Answer>("request", { ...ask }),
    changes(heard) {
      const stop = listen<Changed>("change", ({ payload }) => heard(payload));
      return () => void stop.then((end) => end());
    },
    ready: () => void invoke("window_ready"),
    async save({ path, workspace }, name) {
      try {
        await invoke<boolean>("save", { path, name, workspace });
      } catch (said) {
        throw new Problem(0, String(said));
      }
    },
    async upload({ path, workspace }, form, sent, stop) {
      const [file, folder] = [form.get("file") as File, form.get("folder")];
      const number = await invoke<number>("upload_begin", { path, workspace, file: { folder, name: file.name, kind: file.type || null } });
      let whole = false;
      try {
        let wanted = true;
        for (let at = 0; wanted && at < file.size && !stop.aborted; at += PIECE) {
          const piece = new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
          wanted = await invoke<boolean>("upload_piece", piece, { headers: { upload: String(number) } });
          sent(at + piece.length);
        }
        whole = !stop.aborted;
      } finally {
        if (!whole) await invoke("upload_end", { number, whole });
      }
      if (!whole) throw new Error("stopped");
      return invoke<Answer>("upload_end", { number, whole });
    },
    openLink: (url) => invoke<void>("open_link", { url }),
  };
}

function byHttp(credential: string | null): Transport {
  const authorization: Record<string, string> = credential ? { authorization: `Bearer ${credential}` } : {};
  return {
    async request({ method, path, body, workspace }) {
      const headers = { ...authorization };
      if (body !== null) headers["content-type"] = "application/json";
      if (workspace) headers["signalbox-workspace"] = workspace;
      const answer = await fetch(path, { method, headers, body, cache: "no-store" });
      return { status: answer.status, body: await answer.text() };
    },
    changes(heard) {
      let stopped = false;
      let refused = false;
      let listening = new AbortController();
      // A page that was left is kept for "Back", and with it a connection of the few there are to one host.
      const left = (): void => listening.abort();
      addEventListener("pagehide", left);
      void (async () => {
        for (let first = true; !stopped; first = false) {
          listening = new AbortController();
          let joined = false;
          try {
            const answer = await fetch("/api/changes", { headers: authorization, signal: listening.signal, cache: "no-store" });
            // Back again, or another engine that does not know this page: either way, look.
            if (!first && (answer.ok || !refused)) heard(null);
            refused = !answer.ok;
            if (answer.ok && answer.body) {
              joined = true;
              await listenTo(answer.body, heard);
            }
          } catch {
            // The engine went away, or this page stops listening; what follows tells which.
          }
          // Whoever looks again now learns that nobody answers.
          if (joined && !listening.signal.aborted) heard(null);
          if (!stopped) await new Promise((later) => setTimeout(later, 2000));
        }
      })();
      return () => {
        stopped = true;
        removeEventListener("pagehide", left);
        listening.abort();
      };
    },
    ready: () => {},
    // Only this old way tells how far it has come.
    upload: ({ path, workspace }, form, sent, stop) =>
      new Promise((answered, failed) => {
        const request = new XMLHttpRequest();
        request.open("POST", path);
        for (const [name, value] of Object.entries(workspace ? { ...authorization, "signalbox-workspace": workspace } : authorization)) request.setRequestHeader(name, value);
        request.upload.onprogress = (event) => sent(event.loaded);
        request.onload = () => answered({ status: request.status, body: request.responseText });
        request.onerror = request.onabort = () => failed(new Error("broken off"));
        stop.addEventListener("abort", () => request.abort());
        request.send(form);
      }),
    async save({ path, workspace }, name) {
      const answer = await fetch(path, { headers: workspace ? { ...authorization, "signalbox-workspace": workspace } : authorization, cache: "no-store" });
      if (!answer.ok) {
        const told = (await answer.json().catch(() => null)) as { detail?: string } | null;
        throw new Problem(answer.status, told?.detail ?? t("export-refused"));
      }
      const address = URL.createObjectURL(await answer.blob());
      const link = document.createElement("a");
      link.href = address;
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    },
  };
}

/** Reads server-sent events, which `EventSource` cannot do with a credential. */
export async function listenTo(stream: ReadableStream<Uint8Array>, heard: (change: Changed) => void): Promise<void> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = block.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data) heard(JSON.parse(data) as Changed);
    }
  }
}

/** Handed over in the address, kept for this tab, and taken out of the address at once. */
function credential(): string | null {
  const handed = new URLSearchParams(location.hash.slice(1)).get("credential");
  if (handed) {
    sessionStorage.setItem("credential", handed);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem("credential");
}
