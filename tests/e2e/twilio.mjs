// Twilio as far as a story needs it: what it takes is on the phone the next time somebody asks.
// What a call must look like is judged elsewhere, by the practice stand-in.

import { once } from "node:events";
import { createServer } from "node:http";

const account = `AC${"7".repeat(32)}`;

export async function twilio() {
  const texts = [];
  const server = createServer(async (request, answer) => {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    const says = (status, said) => answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
    const at = request.url.split("?")[0].replace(`/2010-04-01/Accounts/${account}`, "");
    const text = (one, status) => ({ sid: one.sid, status, error_code: null, body: one.body, direction: "outbound-api", date_created: new Date().toUTCString() });
    if (at === ".json") return says(200, { sid: account, status: "active" });
    if (at !== "/Messages.json") {
      const known = texts.find((one) => at === `/Messages/${one.sid}.json`);
      return known ? says(200, text(known, "delivered")) : says(404, { code: 20404, message: "Not found", status: 404 });
    }
    if (request.method === "GET") return says(200, { messages: [], next_page_uri: null });
    texts.push({ sid: `SM${String(texts.length).padStart(32, "0")}`, to: form.get("To"), body: form.get("Body") });
    says(201, text(texts.at(-1), "queued"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  return { texts, close: () => server.close(), settings: { accountSid: account, authToken: "7".repeat(32), fromNumber: "+4915112345678", apiBaseUrl: url } };
}
