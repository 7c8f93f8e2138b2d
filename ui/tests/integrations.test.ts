import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import axe from "axe-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import App from "../src/App.svelte";
import { open, type Ask } from "../src/api/client";
import { serviceProblems, services } from "../src/api/fixture-integrations";
import { letter, shown } from "../src/components/letter";
import Message from "../src/components/Message.svelte";
import { fetched } from "../src/pages";
import { arrive, pageOf } from "../src/state/route.svelte";

let asked: Ask[] = [];
let stop = (): void => {};
const changed: Record<string, [number, unknown]> = {};
let uploaded: FormData[] = [];

function engine(day: string, canUpload = true): void {
  const answer = services(day);
  stop = open({
    request: (ask) => {
      asked.push(ask);
      const path = ask.path.split("?")[0] ?? "";
      const others: Record<string, unknown> = {
        "/api/workspaces": { workspaces: [{ id: "ws_1", name: "Nordlicht Salon", timezone: "Europe/Berlin", createdAt: "2026-11-24T00:00:00.000Z" }] },
        "/api/problems": { problems: day === "trouble" ? serviceProblems() : [], solved: [], sentence: "" },
        "/api/integrations/webhooks": { webhooks: [] },
      };
      const [status, body] = changed[`${ask.method} ${path}`] ?? answer(ask) ?? (others[path] ? [200, others[path]] : [404, { title: "Not found", status: 404, detail: `There is no ${path}.` }]);
      return Promise.resolve({ status, body: JSON.stringify(body) });
    },
    changes: () => () => {},
    ready: () => {},
    ...(canUpload ? {
      upload: (_, form, sent) => {
        uploaded.push(form);
        sent(5);
        return Promise.resolve({ status: 200, body: JSON.stringify(changed["POST /api/files"]?.[1] ?? { success: true, deliveryId: "dlv_3", key: "ws_1/general/1.pdf", filename: "1.pdf", originalName: "a.pdf", size: 5, fileUrl: "" }) });
      },
    } : {}),
  });
}

beforeEach(() => {
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  Element.prototype.scrollTo = () => {};
  Element.prototype.scrollIntoView = () => {};
  HTMLCanvasElement.prototype.getContext = () => null;
  HTMLDialogElement.prototype.showModal = function () { this.open = true; };
  HTMLDialogElement.prototype.close = function () { this.open = false; };
  asked = [];
  uploaded = [];
  for (const key of Object.keys(changed)) delete changed[key];
});
afterEach(() => { cleanup(); stop(); });

async function see(page: string, day = "good", canUpload = true): Promise<void> {
  engine(day, canUpload);
  await go(page);
  await fetched(pageOf());
  render(App);
  await screen.findByRole("heading", { level: 1 });
}
function go(page: string): Promise<void> {
  history.replaceState(null, "", `#/${page}`);
  arrive();
  return Promise.resolve();
}
// jsdom tells of a new address only later.
const follow = (): Promise<void> => waitFor(() => arrive());
const sent = (method: string, path: string): Record<string, unknown>[] => asked.filter((ask) => ask.method === method && ask.path === path).map((ask) => JSON.parse(ask.body ?? "null") as Record<string, unknown>);
const type = async (label: string, value: string): Promise<boolean> => fireEvent.input(await screen.findByLabelText(label, { selector: "input, textarea" }), { target: { value } });
const press = (name: string | RegExp): Promise<boolean> => fireEvent.click(screen.getByRole("button", { name }));
// jsdom reads no file.
const fileOf = (text: string, name: string): File => Object.assign(new File([text], name), { text: () => Promise.resolve(text) });
const card = (name: string): HTMLElement => screen.getByRole("article", { name });

for (const [page, day, landmark] of [
  ["integrations", "good", "SendGrid works."], ["integrations", "trouble", "Google access ended. Nothing is lost; 7 entries wait."], ["integrations", "empty", "Keeps vouchers, forms and day lists in a storage of your own."],
  ["integrations/email?do=set-up", "empty", "API key"], ["integrations/storage?do=set-up", "empty", "Where is your storage?"], ["integrations/email?do=settings", "good", "In the key store"], ["integrations/email?do=key", "good", "Replace the key of SendGrid"],
  ["integrations/email?do=test", "good", "Only check"], ["integrations/email?do=pause", "good", "Hold it"], ["integrations/email?do=disconnect", "trouble", "Held: the 12 that wait."],
  ["integrations/calendar?do=sign-in", "empty", "With a Google client of my own"], ["integrations/calendar?do=calendar", "good", "Holidays"],
  ["compose/email", "good", "As the customer sees it"], ["compose/sms", "good", "As the customer sees it"], ["compose/email", "empty", "SendGrid is not set up yet"], ["files", "good", "Tagesplan Dienstag.pdf"],
] as const) {
  test(`${page} on a day that is ${day} can be read by everyone`, async () => {
    await see(page, day);
    await screen.findAllByText(landmark);
    const found = await axe.run(document.body, { rules: { "color-contrast": { enabled: false }, region: { enabled: false } } });
    expect(found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
  });
}

test("each service is a card with its state in words, and nothing is offered that this engine cannot do", async () => {
  engine("empty");
  const { calendar, email, sms, storage } = (services("empty")({ method: "GET", path: "/api/integrations", body: null, workspace: null })?.[1] ?? {}) as Record<string, object>;
  changed["GET /api/integrations"] = [200, { email, calendar: { ...calendar, fields: [] }, sms: { ...sms, fields: [] }, storage: { ...storage, fields: [] }, webhooks: { total: 0, active: 0 } }];
  await go("integrations");
  render(App);
  await screen.findByRole("article", { name: "Email" });
  expect(screen.getAllByRole("article").map((one) => within(one).getByRole("heading").textContent)).toEqual(["Email", "Webhooks"]);
  within(card("Email")).getByText("Not set up");
});

test("a service is set up from the fields that core names, a refusal loses nothing, and its key is never shown", async () => {
  await see("integrations", "empty");
  await fireEvent.click(within(await screen.findByRole("article", { name: "Email" })).getByRole("button", { name: "Set up" }));
  await follow();
  const key = await screen.findByLabelText<HTMLInputElement>("API key");
  expect(key.type).toBe("password");
  expect(screen.getByRole("link", { name: "Open SendGrid’s API keys" }).getAttribute("href")).toBe("https://app.sendgrid.com/settings/api_keys");
  await type("API key", "SG.wrong");
  await press("Test and save");
  await screen.findByText("Fill in Sender’s address.");
  expect(screen.getByLabelText("Sender’s address").getAttribute("aria-invalid")).toBe("true");
  await type("Sender’s address", "info@nordlicht.example");
  await press("Test and save");
  await screen.findByText("SendGrid does not accept this key.");
  screen.getByText("Nothing was saved. What you typed is still here.");
  expect(key.value).toBe("SG.wrong");
  await type("API key", "SG.practice.works");
  await type("Send a test to me (optional)", "me@nordlicht.example");
  await press("Test and save");
  await screen.findByText("SendGrid is connected");
  expect(sent("POST", "/api/integrations/email").at(-1)).toEqual({ apiKey: "SG.practice.works", fromEmail: "info@nordlicht.example", testTo: "me@nordlicht.example" });
  expect(document.body.innerHTML).not.toContain("SG.practice.works");
});

test("one field is changed without typing the key again, unless it would go elsewhere", async () => {
  await see("integrations/email?do=settings");
  await screen.findByText("In the key store");
  expect(screen.queryByLabelText("API key", { selector: "input" })).toBeNull();
  await type("Sender’s name (optional)", "Salon am Hafen");
  await press("Save changes");
  await waitFor(() => expect(sent("PATCH", "/api/integrations/email")).toEqual([{ fromName: "Salon am Hafen" }]));
  cleanup();
  stop();
  await see("integrations/email?do=settings");
  await type("SendGrid’s address (optional)", "https://api.eu.sendgrid.com");
  await press("Save changes");
  await screen.findByText("The key was entered for another address, and goes nowhere else. Enter it again.");
  await type("API key", "SG.practice.works");
  await press("Save changes");
  await waitFor(() => expect(sent("PATCH", "/api/integrations/email").at(-1)).toEqual({ apiBaseUrl: "https://api.eu.sendgrid.com", apiKey: "SG.practice.works" }));
});

test("a new key that is refused leaves the old one in use, and says so", async () => {
  await see("integrations/email?do=key");
  await type("API key", "SG.wrong");
  expect(screen.queryByLabelText("Sender’s address")).toBeNull();
  await press("Test and replace");
  await screen.findByText("SendGrid does not accept this key.");
  screen.getByText("Nothing was changed. The old key stays in use, and what you typed is still here.");
  await type("API key", "SG.practice.works.too");
  await press("Test and replace");
  await waitFor(() => expect(location.hash).toBe("#/integrations/email"));
  expect(sent("PATCH", "/api/integrations/email")).toEqual([{ apiKey: "SG.wrong" }, { apiKey: "SG.practice.works.too" }]);
});

test("pausing asks what is to become of what comes in, and resuming says what goes out", async () => {
  await see("integrations/sms?do=pause");
  await fireEvent.click(await screen.findByRole("radio", { name: "Skip it" }));
  await press("Pause Twilio");
  await waitFor(() => expect(sent("PATCH", "/api/integrations/sms")).toEqual([{ isActive: false, whenPaused: "skip" }]));
  cleanup();
  stop();
  await see("integrations", "trouble");
  await fireEvent.click(within(await screen.findByRole("article", { name: "Email" })).getByRole("button", { name: "Resume" }));
  await screen.findByText("SendGrid is active. The 12 that waited go out now.");
  expect(sent("PATCH", "/api/integrations/email")).toEqual([{ isActive: true }]);
});

test("a test looks without sending, or sends to the owner and leads to its row", async () => {
  await see("integrations/email?do=test");
  await screen.findByLabelText("Your email address");
  await press("Only check");
  await screen.findByText("SendGrid works.", { selector: ".note *" });
  await type("Your email address", "me@nordlicht.example");
  await press("Send a test to me");
  await screen.findByText("SendGrid works, and a test is on its way to you.");
  expect(sent("POST", "/api/integrations/email/test")).toEqual([{}, { testTo: "me@nordlicht.example" }]);
  expect(screen.getByRole("link", { name: "Open in Activity" }).getAttribute("href")).toBe("#/activity/dlv_7?channel=email");
});

test("disconnecting says what goes, what stays and what waits", async () => {
  await see("integrations/email?do=disconnect", "trouble");
  await screen.findByText("all that was sent, in Activity.");
  await press("Disconnect");
  await screen.findByText("SendGrid is disconnected; its key is forgotten. The log stays.");
  await within(card("Email")).findByText("Not set up");
});

test("a storage that is well known fills in what is known of it, and leaves what was typed", async () => {
  await see("integrations/storage?do=set-up", "empty");
  await fireEvent.change(await screen.findByLabelText("Where is your storage?"), { target: { value: "spaces" } });
  expect(screen.getByLabelText<HTMLInputElement>("Address (optional)").value).toBe("https://fra1.digitaloceanspaces.com");
  await type("Region", "ams3");
  await fireEvent.change(screen.getByLabelText("Where is your storage?"), { target: { value: "minio" } });
  expect(screen.getByLabelText<HTMLInputElement>("Region").value).toBe("ams3");
  expect(screen.getByLabelText<HTMLInputElement>("Bucket in the path").checked).toBe(true);
});

test("what needs the owner has its button on the card, and it leads to signing in", async () => {
  vi.stubGlobal("open", vi.fn());
  await see("integrations", "trouble");
  await fireEvent.click(await within(await screen.findByRole("article", { name: "Google Calendar" })).findByRole("button", { name: "Reconnect" }));
  await follow();
  await fireEvent.click(await screen.findByRole("button", { name: "Connect with Google" }));
  await screen.findByText("Go on in your browser. This changes by itself once you are done.");
  expect(window.open).toHaveBeenCalledWith("https://accounts.google.com/o/oauth2/v2/auth?state=x", "_blank", "noopener");
  await fireEvent.focus(window);
  await screen.findByText("Google Calendar is connected.");
  expect(screen.getByRole("link", { name: "Choose calendar" }).getAttribute("href")).toBe("#/integrations/calendar?do=calendar");
});

test("a Google client of the owner's own is handed on as its file", async () => {
  vi.stubGlobal("open", vi.fn());
  await see("integrations/calendar?do=sign-in", "empty");
  const picker = await screen.findByLabelText<HTMLInputElement>("The client’s JSON file");
  await fireEvent.change(picker, { target: { files: [fileOf("<html>", "page.html")] } });
  await screen.findByText(/This is not the file of a desktop client/);
  await fireEvent.change(picker, { target: { files: [fileOf('{"installed":{"client_id":"1"}}', "client.json")] } });
  await screen.findByText("client.json is used when you connect.");
  await press("Connect with Google");
  await waitFor(() => expect(sent("POST", "/api/integrations/calendar/authorize")).toEqual([{ clientFile: { installed: { client_id: "1" } } }]));
});

test("an email is written, what is wrong stands at its field, and it is sent once", async () => {
  await see("compose/email");
  await type("Subject", "Friday");
  await type("Plain text", "See you.");
  await press("Send email");
  await screen.findByText("Say whom it goes to.");
  await type("To", "maria@example.com; tom@example.com");
  await press("Send email");
  await screen.findByText("SendGrid accepted it.");
  const [, last] = sent("POST", "/api/email/send");
  expect(last).toMatchObject({ to: ["maria@example.com", "tom@example.com"], subject: "Friday", text: "See you." });
  expect(String(last?.idempotencyKey)).toMatch(/^window-/);
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Send email" }).disabled).toBe(true);
  expect(screen.getByRole("link", { name: "Open in Activity" }).getAttribute("href")).toBe("#/activity/dlv_1?channel=email");
});

test("the same email asked for again carries the same key, another one a new key", async () => {
  await see("compose/email");
  changed["POST /api/email/send"] = [200, { success: false, error: "SendGrid refused this email.", gracefulFail: true, code: "rejected", willRetry: false, deliveryId: "dlv_9" }];
  await type("To", "maria@example.com");
  await type("Subject", "Friday");
  await type("Plain text", "See you.");
  await press("Send email");
  await screen.findByText("SendGrid refused this email.");
  await press("Send email");
  await waitFor(() => expect(sent("POST", "/api/email/send")).toHaveLength(2));
  await screen.findByText("SendGrid refused this email.");
  await type("Subject", "Saturday");
  await press("Send email");
  await waitFor(() => expect(sent("POST", "/api/email/send")).toHaveLength(3));
  const [first, second, third] = sent("POST", "/api/email/send").map((one) => one.idempotencyKey);
  expect(second).toBe(first);
  expect(third).not.toBe(first);
});

test("an email that waits is out of the owner's hands", async () => {
  await see("compose/email", "trouble");
  await type("To", "maria@example.com");
  await type("Subject", "Friday");
  await type("Plain text", "See you.");
  await press("Send email");
  await screen.findByText("SendGrid is paused. It goes out when you resume.");
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Send email" }).disabled).toBe(true);
  await press("Write another");
  expect(screen.getByLabelText<HTMLInputElement>("Subject").value).toBe("");
});

test("what a text takes is said before it is sent", async () => {
  await see("compose/sms");
  await type("To", "0171 3920012");
  await type("Message", "See you.");
  await screen.findByText("One text, 152 characters left.");
  screen.getByText("It goes to +491713920012.");
  await press("Send text");
  await screen.findByText("Twilio accepted it.");
});

test("an email is shown as the customer saw it, and can do nothing", () => {
  const html = '<style>p { color: red }</style><p style="font-weight: bold">Hello</p><script>alert(1)</script><img src="https://example.com/a.png"><form action="https://example.com"><b>kept</b></form><a href="https://example.com">x</a>';
  const { container } = render(Message, { props: { channel: "email", body: JSON.stringify({ to: "maria@example.com", subject: "Friday", html, attachments: [{ filename: "a.pdf" }] }) } });
  const frame = container.querySelector("iframe");
  expect(frame?.getAttribute("sandbox")).toBe("");
  const said = frame?.getAttribute("srcdoc") ?? "";
  for (const word of ["<script", "<style", "<form", "https://example.com/a.png"]) expect(said).not.toContain(word);
  for (const word of ["Hello", "<b>kept</b>", '<base target="_blank">']) expect(said).toContain(word);
  screen.getByText("a.pdf");
  screen.getByText("Friday");
  expect(letter("<p>plain")).toContain("<p>plain</p>");
  expect(shown("no json")).toBeNull();
  expect(shown('{"bookingId":"1"}')).toBeNull();
});

test("a text is shown as the customer saw it", () => {
  render(Message, { props: { channel: "sms", body: JSON.stringify({ to: "+491713920012", message: "See you." }) } });
  screen.getByText("See you.");
  screen.getByText("+491713920012");
});

test("files are stored one after the other, and what fails says why", async () => {
  await see("files");
  await screen.findAllByText("voucher-2207.pdf");
  await type("New files go into", "vouchers");
  const picker = document.querySelector<HTMLInputElement>("input[type=file]");
  if (!picker) throw new Error("nothing to choose files with");
  await fireEvent.change(picker, { target: { files: [new File(["hello"], "a.pdf")] } });
  await screen.findByText("a.pdf");
  await waitFor(() => expect([...(uploaded[0]?.entries() ?? [])].map(([name]) => name)).toEqual(["folder", "file"]));
  changed["POST /api/files"] = [200, { success: false, error: "Your storage refused the key.", gracefulFail: true, code: "credentials_rejected", willRetry: false, deliveryId: "dlv_4" }];
  await fireEvent.change(picker, { target: { files: [new File(["hello"], "b.pdf")] } });
  await screen.findByText("Your storage refused the key.");
});

test("a link has an end, and deleting asks first", async () => {
  await see("files");
  await fireEvent.click(await screen.findByRole("button", { name: "Link… voucher-2207.pdf" }));
  await screen.findByTestId("link");
  await fireEvent.change(screen.getByLabelText("It ends"), { target: { value: "604800" } });
  await waitFor(() => expect(asked.at(-1)?.path).toContain("expiresIn=604800"));
});

test("where nothing can be handed over, no button says so", async () => {
  await see("files", "good", false);
  await screen.findAllByText("voucher-2207.pdf");
  expect(screen.queryByRole("button", { name: "Add files" })).toBeNull();
  expect(screen.queryByLabelText("New files go into")).toBeNull();
});
