// Receives webhooks of Signalbox and takes only what Signalbox has signed.
// Put the signing secret (whsec_…) into the environment variable SIGNALBOX_SECRET, then: node receiver.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.env.SIGNALBOX_SECRET;
if (!secret) throw new Error("Set SIGNALBOX_SECRET to the signing secret of the webhook.");
const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
const port = Number(process.env.PORT ?? 8000);
const TOLERANCE_SECONDS = 5 * 60;
const MAX_BODY_BYTES = 1024 * 1024;

// Ids that were handled. Keep them in your database: this set is gone after a restart.
const handled = new Set();

// Your own work comes here. If it throws, the answer is 500 and Signalbox calls again later.
function handle(event, data) {
  console.log("handled", event, Object.keys(data).join(" "));
}

// Why a call is refused; undefined when it is genuine. `body` holds the bytes as they came, never parsed and written anew.
function refusal(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (!id || !timestamp || !signatures) return "a header is missing";
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (!(age <= TOLERANCE_SECONDS)) return "the timestamp is too old or too new";
  const mac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${mac}`);
  // While the secret is being changed there are two signatures; one that fits is enough.
  const fits = signatures.split(" ").some((given) => {
    const bytes = Buffer.from(given);
    return bytes.length === expected.length && timingSafeEqual(bytes, expected);
  });
  return fits ? undefined : "the signature does not fit";
}

createServer(async (request, response) => {
  const answer = (status, text) => response.writeHead(status, { "content-type": "text/plain" }).end(text);
  const chunks = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) return answer(413, "too large");
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks);
    const refused = refusal(request.headers, body);
    if (refused) return answer(401, refused);
    const id = request.headers["webhook-id"];
    if (handled.has(id)) return answer(200, "handled before");
    handle(request.headers["x-webhook-event"], JSON.parse(body));
    handled.add(id);
    answer(200, "handled");
  } catch (error) {
    console.error(error);
    answer(500, "failed");
  }
}).listen(port, "127.0.0.1", function () {
  console.log(`Listening at http://127.0.0.1:${this.address().port}/`);
});
