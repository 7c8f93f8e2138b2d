// Messages that the owner writes and sends by hand.

import { ask } from "../api/client";
import type { EmailMessage, EmailSent, SmsMessage, SmsPreview, SmsSent } from "../api/schema";

/** One email goes into one request; whatever is larger is stored and sent as a link. */
export const MOST_ATTACHED_BYTES = 700_000;

// The same message pressed twice, or again after an answer got lost, goes out once.
let last = { said: "", key: "" };
function keyOf(message: object): string {
  const said = JSON.stringify(message);
  if (last.said !== said) last = { said, key: `window-${crypto.randomUUID()}` };
  return last.key;
}
/** From here on the same words are another message. */
export const sentAway = (): void => void (last = { said: "", key: "" });

export const sendEmail = (message: EmailMessage): Promise<EmailSent> => ask("POST", "/api/email/send", { ...message, idempotencyKey: keyOf(message) });
export const sendText = (message: SmsMessage): Promise<SmsSent> => ask("POST", "/api/sms/send", { ...message, idempotencyKey: keyOf(message) });
/** What a text would take. Nothing is sent. */
export const previewText = (to: string, message: string): Promise<SmsPreview> => ask("POST", "/api/sms/preview", { ...(to.trim() ? { to } : {}), message });

/** Addresses as they are typed: parted by commas, semicolons or lines. */
export const addresses = (typed: string): string[] => typed.split(/[,;\n]+/).map((one) => one.trim()).filter(Boolean);

export async function attachment(file: File): Promise<{ filename: string; contentType: string; contentBase64: string }> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return { filename: file.name, contentType: file.type || "application/octet-stream", contentBase64: btoa(text) };
}
