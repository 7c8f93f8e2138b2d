// Files in the owner's own storage.

import { achieve, asProblem, canUpload, Problem, upload } from "../api/client";
import type { FileGone, FileList, LinkToFile, ListedFile, ListedFiles, UploadedFile } from "../api/schema";
import { live } from "./live.svelte";

const AT = "/api/files";

/** 404 where this engine stores no files. `prefix`: how the keys begin. */
export const files = (prefix: () => string | null) => live<FileList>(() => `${AT}?${new URLSearchParams({ limit: "100", ...(prefix() ? { prefix: prefix() ?? "" } : {}) })}`, ["deliveries", "integrations"], { keep: true, pace: 1000 });
export const moreFiles = (prefix: string | null, cursor: string): Promise<ListedFiles> => achieve<ListedFiles>("GET", `${AT}?${new URLSearchParams({ limit: "100", cursor, ...(prefix ? { prefix } : {}) })}`);
export const linkTo = (key: string, expiresIn: number): Promise<LinkToFile> => achieve<LinkToFile>("GET", `${AT}/url?${new URLSearchParams({ key, expiresIn: String(expiresIn) })}`);
export const remove = (key: string): Promise<FileGone> => achieve<FileGone>("DELETE", `${AT}?${new URLSearchParams({ key })}`);

/** `ws_…/vouchers/…pdf` lies in "vouchers". */
export const folderOf = (key: string): string => key.split("/").slice(1, -1).join("/");
export const prefixOf = (key: string): string => key.split("/").slice(0, -1).join("/") + "/";
export const nameOf = (file: ListedFile): string => file.originalName ?? file.filename;

export interface Going { id: number; name: string; size: number; sent: number; state: "waiting" | "going" | "stored" | "failed" | "stopped"; problem?: Problem; deliveryId?: string | null; stop: () => void }

let next = 0;
/** Files on their way, one after the other; those that ended stay until they are put away. */
export function uploads(stored: () => void) {
  let all = $state<Going[]>([]);
  let busy = false;
  const queue: { id: number; file: File; folder: string; stop: AbortController }[] = [];
  const at = (id: number): Going | undefined => all.find((one) => one.id === id);

  async function work(): Promise<void> {
    if (busy) return;
    busy = true;
    for (let todo = queue.shift(); todo; todo = queue.shift()) {
      const { id, file, folder, stop } = todo;
      const one = at(id);
      if (!one || stop.signal.aborted) continue;
      one.state = "going";
      // The folder first: it must be known before a large file is passed on.
      const form = new FormData();
      if (folder) form.append("folder", folder);
      form.append("file", file, file.name);
      try {
        const answer = await upload<UploadedFile>(AT, form, (bytes) => (one.sent = Math.min(bytes, one.size)), stop.signal);
        one.deliveryId = answer?.deliveryId;
        if (!answer) one.state = "stopped";
        else if ("gracefulFail" in answer) {
          one.state = "failed";
          one.problem = new Problem(200, answer.error);
        } else {
          one.state = "stored";
          one.sent = one.size;
          stored();
        }
      } catch (cause) {
        one.state = "failed";
        one.problem = asProblem(cause);
      }
    }
    busy = false;
  }
  return {
    get all() { return all; },
    canUpload,
    add(chosen: Iterable<File>, folder: string): void {
      for (const file of chosen) {
        const id = next++;
        const stop = new AbortController();
        queue.push({ id, file, folder, stop });
        all.push({
          id, name: file.name, size: file.size, sent: 0, state: "waiting",
          stop: () => {
            stop.abort();
            const one = at(id);
            if (one && one.state === "waiting") one.state = "stopped";
          },
        });
      }
      void work();
    },
    away(id: number): void {
      all = all.filter((one) => one.id !== id);
    },
  };
}
