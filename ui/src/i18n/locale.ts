// Imported before anything that formats: under LANG=C a WebKit window calls its language "C", which
// is none, and every formatter that trusts it throws.

function known(tag: string | undefined): string | undefined {
  try {
    return tag ? Intl.getCanonicalLocales(tag)[0] : undefined;
  } catch {
    return undefined;
  }
}

const languages = (navigator.languages ?? []).map(known).filter((tag) => tag !== undefined);
const locale = known(navigator.language) ?? languages[0] ?? "en-GB";

if (navigator.language !== locale) {
  Object.defineProperty(navigator, "language", { get: () => locale });
  Object.defineProperty(navigator, "languages", { get: () => (languages.length ? languages : [locale]) });
}

export {};
