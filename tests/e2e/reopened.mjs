// The second half of the story, run where there is no network: what was delivered before is there.

import { networkInterfaces } from "node:os";
import { engines } from "./engines.mjs";

const [engine, home, picture] = process.argv.slice(2);
const outside = Object.values(networkInterfaces()).flat().filter((one) => !one.internal);
if (outside.length) throw new Error("There is a network here; this must be run without one.");

const app = await engines[engine](home);
try {
  await app.browser.press("Activity");
  await app.browser.see("Received");
  await app.browser.see("Cash desk");
  await app.browser.picture(picture);
} finally {
  await app.quit();
}
