// SendGrid as far as a story needs it: keys that begin with `SG.practice.works` are taken, all others refused.
// What a call must look like is judged elsewhere, by the practice stand-in.

import { once } from "node:events";
import { createServer } from "node:http";

export async function sendGrid() {
  const emails = [];
  const server = createServer(async (request, answer) => {
    const body = Buffer.concat(await request.toArray());
    const says = (status, said, headers = {}) => answer.writeHead(status, { "content-type": "application/json", ...headers }).end(said === undefined ? "" : JSON.stringify(said));
    const key = request.headers.authorization?.replace("Bearer ", "") ?? "";
    if (!key.startsWith("SG.practice.works")) return says(401, { errors: [{ message: "The provided authorization grant is invalid, expired, or revoked", field: null, help: null }] });
    if (request.url === "/v3/scopes") return says(200, { scopes: ["mail.send"] });
    if (request.url !== "/v3/mail/send") return says(404, { errors: [{ message: "Not Found", field: null, help: null }] });
    emails.push({ key, ...JSON.parse(body) });
    says(202, undefined, { "x-message-id": `practice.${emails.length}` });
    server.emit("email");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    emails,
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => server.close(),
    /** The email number `count`, once it came. */
    async email(count) {
      while (emails.length < count) await once(server, "email", { signal: AbortSignal.timeout(20_000) });
      return emails[count - 1];
    },
  };
}
