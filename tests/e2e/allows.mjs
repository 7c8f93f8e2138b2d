// A browser in which somebody says yes: opens the page, presses the first button of its form, follows to the end.

const page = new URL(process.argv[2]);
const html = await (await fetch(page)).text();
const unescaped = (text) => text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const action = unescaped(/<form[^>]* action="([^"]*)"/.exec(html)[1]);
const [, name, value] = /<button name="([^"]*)" value="([^"]*)"/.exec(html);
const last = await fetch(new URL(action, page), { method: "POST", body: new URLSearchParams([[name, value]]) });
if (!(await last.text()).includes("You can close this tab")) throw new Error("not signed in");
