// Where the window is: `#/activity/dlv_…?webhookId=…`, so that back, forward and links work.

function read(): { page: string; id: string | null; query: URLSearchParams } {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, id] = path.split("/");
  return { page: page || "today", id: id || null, query: new URLSearchParams(query) };
}

let at = $state.raw(read());

export const route = {
  get page() { return at.page; },
  get id() { return at.id; },
  get query() { return at.query; },
};

/** The page that the address names, which may not be shown yet. */
export const pageOf = (): string => read().page;
/** Follow the address. */
export function arrive(): void {
  at = read();
}

/** The address of a page, with what it shows. */
export function to(page: string, id?: string | null, query?: Record<string, string | undefined>): string {
  const said = new URLSearchParams(Object.entries(query ?? {}).filter((pair): pair is [string, string] => !!pair[1])).toString();
  return `#/${page}${id ? `/${id}` : ""}${said ? `?${said}` : ""}`;
}
