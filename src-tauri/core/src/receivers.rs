//! What well-known receivers mean by their answers, in words for the owner. Pure.
//!
//! Each sentence is made when it is read, from the status, the host and the beginning of the stored
//! answer: what happened, what it means, what to do. What is not known here is left to
//! [`explain::failure`].

use std::borrow::Cow;

use serde::Deserialize;
use url::Url;

use crate::db::attempts::Ended;
use crate::explain;
use crate::http::literal_class;
use crate::outcome::{Code, Failure};

/// As much of an answer is looked at.
const BEGINNING: usize = 4096;

/// Why an attempt failed; nothing when it did not.
pub(crate) fn failure(ended: &Ended, who: &str) -> Option<String> {
    let failure = ended.failure.as_ref()?;
    let known = Answer::of(ended, who).and_then(|answer| answer.refused(failure));
    Some(known.unwrap_or_else(|| explain::failure(failure, who)))
}

/// What there is to say about an attempt that got through, though perhaps not to whom it should.
pub(crate) fn doubt(ended: &Ended, who: &str) -> Option<String> {
    if ended.failure.is_some() {
        return None;
    }
    Answer::of(ended, who)?.doubtful()
}

/// Who answers, as far as we know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Slack,
    Discord,
    Teams,
    GoogleChat,
    Zapier,
    Make,
    N8n,
    Other,
}

impl Service {
    fn of(host: &str, body: &str) -> Self {
        let within = |domain: &str| {
            host.strip_suffix(domain)
                .is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        let any = |domains: &[&str]| domains.iter().any(|domain| within(domain));
        if any(&["hooks.slack.com", "hooks.slack-gov.com"]) {
            Self::Slack
        } else if any(&["discord.com", "discordapp.com"]) {
            Self::Discord
        } else if any(&[
            "webhook.office.com",
            "outlook.office.com",
            "logic.azure.com",
            "api.powerplatform.com",
        ]) {
            Self::Teams
        } else if within("chat.googleapis.com") {
            Self::GoogleChat
        } else if within("hooks.zapier.com") {
            Self::Zapier
        } else if host.starts_with("hook.")
            && any(&["make.com", "integromat.com", "make.celonis.com"])
        {
            Self::Make
        } else if within("n8n.cloud")
            || (body.contains("requested webhook") && body.contains("not registered"))
        {
            // n8n runs anywhere; these words are its own.
            Self::N8n
        } else {
            Self::Other
        }
    }
}

/// The beginning of an answer, and who gave it.
struct Answer<'a> {
    ended: &'a Ended,
    who: &'a str,
    url: Url,
    host: String,
    service: Service,
    status: u16,
    body: Cow<'a, str>,
}

impl<'a> Answer<'a> {
    fn of(ended: &'a Ended, who: &'a str) -> Option<Self> {
        let url = Url::parse(ended.request_url.as_deref()?).ok()?;
        let host = url.host_str()?.to_ascii_lowercase();
        let body = ended.response_body.as_deref().unwrap_or_default();
        let body = String::from_utf8_lossy(body.get(..BEGINNING).unwrap_or(body));
        Some(Self {
            service: Service::of(&host, &body),
            status: ended.status?,
            ended,
            who,
            url,
            host,
            body,
        })
    }

    fn refused(&self, failure: &Failure) -> Option<String> {
        // A failure that is not about the status, such as an answer that broke off.
        if !matches!(
            failure.code,
            Code::Rejected | Code::RateLimited | Code::ProviderDown
        ) {
            return None;
        }
        let of_the_service = match self.service {
            Service::Slack => self.slack(),
            Service::Discord => self.discord(),
            Service::Teams => self.teams(),
            Service::GoogleChat => self.google_chat(),
            Service::Zapier => self.zapier(),
            Service::Make => self.make(),
            Service::N8n => self.n8n(),
            Service::Other => None,
        };
        of_the_service.or_else(|| self.by_status())
    }

    fn slack(&self) -> Option<String> {
        Some(match self.body.trim() {
            "invalid_payload" | "no_text" | "missing_text_or_fallback_or_attachments" | "invalid_blocks" | "invalid_attachments" => {
                wants_its_own_form("Slack")
            }
            "no_service" | "no_service_id" | "no_team" | "no_active_hooks" | "invalid_token" | "team_disabled" => {
                "Slack no longer knows this address. The incoming webhook was removed or switched off in Slack. Make a new one there and enter its address here.".into()
            }
            "channel_not_found" | "user_not_found" => {
                "The Slack channel behind this address is gone. Make an incoming webhook for another channel and enter its address here.".into()
            }
            "channel_is_archived" => {
                "The Slack channel behind this address is archived, and nothing can be posted there. Unarchive it in Slack, or enter the address of a webhook for another channel; then resume this webhook.".into()
            }
            "action_prohibited" | "posting_to_general_channel_denied" => {
                "An administrator of the Slack workspace does not allow messages to this channel. Ask them, or choose another channel.".into()
            }
            _ if self.status == 429 => self.too_many("Slack takes about one message a second from a webhook."),
            _ => return None,
        })
    }

    fn discord(&self) -> Option<String> {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Said {
            code: serde_json::Value,
            retry_after: Option<f64>,
        }
        let said: Said = serde_json::from_str(&self.body).unwrap_or_default();
        Some(match (said.code.as_u64(), self.status) {
            (Some(50006 | 50035 | 50109), _) => wants_its_own_form("Discord"),
            (Some(10015), _) => "Discord no longer knows this webhook. It was removed from its channel. Make a new one in the channel's settings under Integrations and enter its address here.".into(),
            (Some(10003), _) => "The Discord channel behind this address is gone. Make a webhook in another channel and enter its address here.".into(),
            (Some(50027), _) | (_, 401) => "Discord does not accept this address: its last part is wrong or was changed. Copy the whole address of the webhook in Discord again.".into(),
            (_, 429) => {
                let wait = said
                    .retry_after
                    .filter(|seconds| seconds.is_finite() && *seconds > 1.0)
                    .map(|seconds| format!(" and asks to wait {seconds:.0} seconds"))
                    .unwrap_or_default();
                self.too_many(&format!(
                    "Discord takes about five messages in two seconds from a webhook{wait}."
                ))
            }
            _ => return None,
        })
    }

    fn teams(&self) -> Option<String> {
        let has = |words: &[&str]| words.iter().any(|word| self.body.contains(word));
        let old = self.host.ends_with("office.com");
        Some(match self.status {
            _ if has(&["WorkflowTriggerIsNotEnabled", "WorkflowNotFound", "WorkflowDisabled", "WorkflowSuspended"]) => {
                "The Teams workflow behind this address is switched off or was deleted. Switch it on in the Workflows app of Teams. If it is gone, make a new one and enter its address here.".into()
            }
            _ if has(&["InvalidRequestContent", "TriggerInputSchemaMismatch", "Bad payload received", "Summary or Text is required", "Invalid webhook request"]) => {
                wants_its_own_form("Teams")
            }
            401 | 403 => "Teams does not let this call in. Either the end of the address is missing, or the workflow is not open to anyone. Copy the whole address again, and let the workflow be triggered by anyone.".into(),
            404 | 410 if old => "Teams no longer knows this address. Its connector was removed or ended. Make a new address with the Workflows app of Teams and enter it here.".into(),
            404 | 410 => "Teams no longer knows this address: the workflow was deleted. Make a new one with the Workflows app of Teams and enter its address here.".into(),
            429 => self.too_many("Teams takes about four messages a second."),
            400 => wants_its_own_form("Teams"),
            _ => return None,
        })
    }

    fn google_chat(&self) -> Option<String> {
        Some(match self.status {
            400 => wants_its_own_form("Google Chat"),
            401 | 403 => "Google Chat does not let this call in. The key or token in the address is missing or wrong, or the webhook was removed. Copy the whole address again from the space's settings under Apps and integrations.".into(),
            404 => "Google Chat no longer knows this address: the space or its webhook is gone. Make a new webhook in the space and enter its address here.".into(),
            429 => self.too_many("Google Chat takes one message a second for each space."),
            _ => return None,
        })
    }

    fn zapier(&self) -> Option<String> {
        Some(match self.status {
            404 | 410 => "No Zap listens at this address: it is switched off, or was deleted. Switch it on in Zapier or enter the address of another one here. If this webhook was paused, resume it then.".into(),
            401 | 403 => "Zapier does not let this call in: the address is incomplete or was changed. Copy it again from the Zap's trigger.".into(),
            413 => "This event is too large for Zapier. It cannot go this way.".into(),
            429 => self.too_many("Zapier takes about thirty calls a second at one address, fewer at an old one."),
            _ => return None,
        })
    }

    fn make(&self) -> Option<String> {
        let says = |words: &str| self.body.to_ascii_lowercase().contains(words);
        Some(match self.status {
            410 if says("no scenario") => "No scenario in Make listens at this address: it is switched off, or has no webhook of this address. Switch the scenario on in Make, then resume this webhook.".into(),
            404 | 410 => "Make no longer knows this address: the webhook was removed there. Make a new one in your scenario and enter its address here; then resume this webhook.".into(),
            _ if says("queue is full") => "Make's queue for this webhook is full: the scenario is switched off or does not keep up. Open it in Make and let it run. Signalbox keeps the event and tries again.".into(),
            401 | 403 => "Make does not let this call in: its webhook asks for a key, or allows only certain addresses of the internet. Look at the settings of the webhook in Make.".into(),
            413 => "This event is too large for Make. It cannot go this way.".into(),
            429 => self.too_many("Make takes at most thirty calls a second."),
            _ => return None,
        })
    }

    fn n8n(&self) -> Option<String> {
        let unregistered = self.status == 404 && self.body.contains("not registered");
        Some(match self.status {
            404 if self.url.path().contains("/webhook-test/") => "This is a test address of n8n. It takes a single call after “Execute workflow” was pressed. Enter the production address of the Webhook node here (with /webhook/ instead of /webhook-test/) and activate the workflow.".into(),
            404 if self.body.contains("Did you mean") => "The Webhook node in n8n waits for another kind of call. Set its HTTP method to POST and save the workflow.".into(),
            _ if unregistered => "The workflow in n8n is not active, so that nobody listens at this address. Activate it in n8n. If it is active, compare the address with the production address of its Webhook node.".into(),
            401 | 403 => "The Webhook node in n8n asks for a name and password or a key, and this call brought another one or none. Look at the node's authentication, and give the key as a header of this webhook.".into(),
            500 if self.body.contains("Workflow could not be started") || self.body.contains("Error in workflow") => "n8n took the call, but its workflow stumbled. Look at the executions of the workflow in n8n.".into(),
            _ => return None,
        })
    }

    /// What the status alone says, whoever answered.
    fn by_status(&self) -> Option<String> {
        let who = self.who;
        Some(match self.status {
            300..=399 => return self.moved(),
            400 | 422 => format!(
                "{who} did not accept the content and answered {}. It expects something else than was sent. Look at its answer below, or ask its makers what they expect.",
                self.status
            ),
            511 => self.network_asks_to_sign_in(),
            _ if self.is_log_in_page() => self.log_in_page(),
            407 => format!(
                "Something on the way to {who} asks for a name and password of its own (407). It is not Signalbox and not {who}. Ask whoever looks after that network."
            ),
            401 if self
                .header("www-authenticate")
                .to_ascii_lowercase()
                .starts_with("basic") =>
            {
                format!(
                    "{who} is behind a name and password of its web server (401). It is that server who asks, not Signalbox. Give them as a header named Authorization of this webhook, or ask its makers to leave this address out."
                )
            }
            401 => format!(
                "{who} did not believe the call and answered 401. Most often it holds another signing secret than this webhook. Compare the secrets, or make a new one and enter it there; if it wants a key, give that as a header of this webhook."
            ),
            403 if self.is_shielded() => format!(
                "A protection in front of {who} took the call for an attack and answered 403. The call did not reach the software. Ask its makers to let calls of Signalbox through."
            ),
            403 => format!(
                "{who} does not allow this call and answered 403. It may ask for a key, or let in only certain addresses of the internet. Ask its makers what this address needs."
            ),
            404 => format!(
                "{who} answers, but there is nothing at this address (404). Check the address for a slip, or ask its makers whether it was changed."
            ),
            405 => format!(
                "This address of {who} takes no calls of this kind (405). It may be a page for people. Ask its makers for the address of their webhook."
            ),
            410 => return None,
            413 => format!(
                "This event is too large for {who} (413). Ask its makers to allow larger bodies, or send fewer details in the event."
            ),
            415 => format!(
                "{who} does not take JSON (415), which is what webhooks send. Ask its makers for the address of their webhook."
            ),
            429 => self.too_many(&format!("{who} takes only so many calls at once.")),
            502..=504 => format!(
                "The web server of {who} answers, but the software behind it does not ({}). It may be starting anew or overloaded. Signalbox tries again; if it stays so, tell its makers.",
                self.status
            ),
            520..=524 | 530 => format!(
                "The protection in front of {who} cannot reach the software behind it ({}). Its makers have to look at their server. Signalbox tries again.",
                self.status
            ),
            525 | 526 => format!(
                "The protection in front of {who} does not trust the certificate of the server behind it ({}). Its makers have to renew it.",
                self.status
            ),
            _ => return None,
        })
    }

    /// A redirect, told apart by where it leads.
    fn moved(&self) -> Option<String> {
        let who = self.who;
        let target = self.url.join(self.header("location")).ok()?;
        if self.header("location").is_empty() {
            return None;
        }
        let host = target.host_str()?.to_ascii_lowercase();
        let text = format!("{host}{}", target.path()).to_ascii_lowercase();
        let public = literal_class(&self.url).is_none();
        Some(if asks_to_sign_in(&text) {
            self.log_in_page()
        } else if host != self.host && public && target.scheme() == "http" {
            // Nobody who cares for their callers sends them from https to http elsewhere.
            self.network_asks_to_sign_in()
        } else if host != self.host {
            format!(
                "{who} sends us on to another place, {host}. Signalbox never follows, so that no event goes where you did not send it. If that is right, enter the new address here."
            )
        } else if target.scheme() != self.url.scheme() {
            format!(
                "{who} wants to be called with {}. Signalbox never follows; enter the address with {} here.",
                target.scheme(),
                target.scheme()
            )
        } else {
            format!(
                "{who} points to another address of the same host, perhaps only a slash more or less. Signalbox never follows; ask its makers for the exact address and enter it here."
            )
        })
    }

    fn doubtful(&self) -> Option<String> {
        if self.service == Service::Teams && self.body.contains("message delivery failed") {
            return Some("Teams took the call, but says in its answer that the message did not reach the channel. Look at the answer below.".into());
        }
        if self.service == Service::Make && self.body.trim() == "Accepted" {
            return Some("Make has put the call into its queue. Whether the scenario ran is in its history in Make.".into());
        }
        self.is_log_in_page().then(|| {
            format!("{} said yes, but with a page that asks people to sign in. It is a sign-in of theirs, not of Signalbox, and the event may not have reached the software. Ask its makers for the address of their webhook.", self.who)
        })
    }

    fn log_in_page(&self) -> String {
        format!(
            "{} answered with a page that asks people to sign in. It is a sign-in of theirs, not of Signalbox: signing in there changes nothing for the calls. Ask its makers for an address that takes webhooks.",
            self.who
        )
    }

    fn network_asks_to_sign_in(&self) -> String {
        format!(
            "The network this computer is in wants you to sign in before it lets anything out, as in a hotel or a café. It is that network that asks, not Signalbox and not {}. Open any page in a browser and sign in there; Signalbox tries again.",
            self.who
        )
    }

    /// `limit`, and what Signalbox makes of it.
    fn too_many(&self, limit: &str) -> String {
        let wait = self
            .header("retry-after")
            .parse::<u64>()
            .ok()
            .filter(|seconds| *seconds > 1)
            .map_or_else(
                || " Signalbox".into(),
                |seconds| format!(" Signalbox waits the {seconds} seconds it asks for,"),
            );
        let tries = if wait.ends_with(',') {
            " then tries again"
        } else {
            " waits and tries again"
        };
        format!(
            "{limit}{wait}{tries}; nothing is lost. If this happens often, limit the calls a second of this webhook."
        )
    }

    fn is_log_in_page(&self) -> bool {
        let html = self.header("content-type").starts_with("text/html")
            || self.body.trim_start().get(..1) == Some("<");
        let body = self.body.to_ascii_lowercase();
        html && (body.contains("type=\"password\"")
            || body.contains("type=password")
            || body.contains("type='password'")
            || title(&body).is_some_and(asks_to_sign_in))
    }

    /// A web application firewall, known by its own words.
    fn is_shielded(&self) -> bool {
        let server = self.header("server").to_ascii_lowercase();
        ["cloudflare", "akamai", "sucuri", "imperva", "awselb"]
            .iter()
            .any(|name| server.contains(name))
            || [
                "Attention Required!",
                "Request blocked",
                "Mod_Security",
                "Access Denied",
            ]
            .iter()
            .any(|words| self.body.contains(words))
    }

    fn header(&self, name: &str) -> &str {
        self.ended
            .response_headers
            .as_ref()
            .and_then(|headers| headers.get(name))
            .map_or("", String::as_str)
    }
}

fn wants_its_own_form(service: &str) -> String {
    format!(
        "{service} could not read the message. It takes only messages of its own form, and this webhook sends the event as it is. Let a tool such as Make, Zapier or n8n turn the event into a message for {service}."
    )
}

/// Whether an address, or the title of a page, in lower case, is about signing in.
fn asks_to_sign_in(text: &str) -> bool {
    [
        "login",
        "log-in",
        "log in",
        "signin",
        "sign-in",
        "sign in",
        "sign_in",
        "/sso",
        "/saml",
        "/oauth",
        "accounts.google.",
        "captive",
        "hotspot",
    ]
    .iter()
    .any(|words| text.contains(words))
}

fn title(html: &str) -> Option<&str> {
    let (_, rest) = html.split_once("<title")?;
    let (_, rest) = rest.split_once('>')?;
    Some(rest.split_once('<')?.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn answered(url: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Ended {
        let code = match status {
            200..300 => None,
            429 => Some(Code::RateLimited),
            500.. => Some(Code::ProviderDown),
            _ => Some(Code::Rejected),
        };
        let headers: BTreeMap<_, _> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Ended {
            status: Some(status),
            failure: code.map(|code| Failure::status(code, status)),
            request_url: Some(url.to_owned()),
            response_headers: Some(headers),
            response_body: Some(body.as_bytes().to_vec()),
            ..Ended::default()
        }
    }

    const SLACK: &str = "https://hooks.slack.com/services/T0/B0/x";
    const DISCORD: &str = "https://discord.com/api/webhooks/1/x";
    const WORKFLOW: &str =
        "https://prod-01.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke";
    const CONNECTOR: &str = "https://shop.webhook.office.com/webhookb2/1";
    const CHAT: &str = "https://chat.googleapis.com/v1/spaces/1/messages?key=1";
    const ZAPIER: &str = "https://hooks.zapier.com/hooks/catch/1/a/";
    const MAKE: &str = "https://hook.eu1.make.com/abc";
    const N8N: &str = "https://shop.app.n8n.cloud/webhook/abc";
    const N8N_TEST: &str = "https://n8n.shop.example/webhook-test/abc";
    const OTHER: &str = "https://shop.example/hook";
    const UNREGISTERED: &str = r#"{"code":404,"message":"The requested webhook \"POST abc\" is not registered.","hint":"The workflow must be active for a production URL to run successfully."}"#;

    /// Address, status, headers, body, and what the sentence holds.
    type Row<'a> = (&'a str, u16, &'a [(&'a str, &'a str)], &'a str, &'a str);

    #[test]
    fn each_known_answer_says_what_happened_and_what_to_do() {
        let none: &[(&str, &str)] = &[];
        let html = &[("content-type", "text/html")];
        let table: &[Row<'_>] = &[
            (
                SLACK,
                400,
                none,
                "invalid_payload",
                "Slack could not read the message",
            ),
            (SLACK, 400, none, "no_text\n", "messages of its own form"),
            (
                SLACK,
                404,
                none,
                "no_service",
                "Slack no longer knows this address",
            ),
            (
                SLACK,
                403,
                none,
                "invalid_token",
                "Slack no longer knows this address",
            ),
            (
                SLACK,
                404,
                none,
                "channel_not_found",
                "Slack channel behind this address is gone",
            ),
            (SLACK, 410, none, "channel_is_archived", "archived"),
            (SLACK, 403, none, "action_prohibited", "administrator"),
            (
                SLACK,
                429,
                &[("retry-after", "30")],
                "",
                "waits the 30 seconds it asks for, then tries again",
            ),
            (
                DISCORD,
                400,
                none,
                r#"{"message": "Cannot send an empty message", "code": 50006}"#,
                "Discord could not read",
            ),
            (
                DISCORD,
                400,
                none,
                r#"{"code":50035,"errors":{},"message":"Invalid Form Body"}"#,
                "Discord could not read",
            ),
            (
                DISCORD,
                404,
                none,
                r#"{"message":"Unknown Webhook","code":10015}"#,
                "Discord no longer knows this webhook",
            ),
            (
                DISCORD,
                401,
                none,
                r#"{"message":"Invalid Webhook Token","code":50027}"#,
                "Copy the whole address",
            ),
            (
                DISCORD,
                429,
                none,
                r#"{"message":"You are being rate limited.","retry_after":12.4,"global":false}"#,
                "asks to wait 12 seconds",
            ),
            (
                DISCORD,
                429,
                none,
                r#"{"retry_after":0.3,"code":0}"#,
                "waits and tries again",
            ),
            (
                WORKFLOW,
                400,
                none,
                r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"…"}}"#,
                "switched off or was deleted",
            ),
            (
                WORKFLOW,
                404,
                none,
                r#"{"error":{"code":"WorkflowNotFound"}}"#,
                "switched off or was deleted",
            ),
            (
                WORKFLOW,
                401,
                none,
                r#"{"error":{"code":"DirectApiAuthorizationRequired"}}"#,
                "end of the address is missing",
            ),
            (
                WORKFLOW,
                400,
                none,
                r#"{"error":{"code":"TriggerInputSchemaMismatch"}}"#,
                "Teams could not read",
            ),
            (
                CONNECTOR,
                400,
                none,
                "Bad payload received by generic incoming webhook.",
                "Teams could not read",
            ),
            (CONNECTOR, 404, none, "Invalid webhook URL", "Workflows app"),
            (
                CHAT,
                400,
                none,
                r#"{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"bookingId\": Cannot find field.","status":"INVALID_ARGUMENT"}}"#,
                "Google Chat could not read",
            ),
            (
                CHAT,
                404,
                none,
                r#"{"error":{"code":404,"status":"NOT_FOUND"}}"#,
                "the space or its webhook is gone",
            ),
            (
                CHAT,
                403,
                none,
                r#"{"error":{"status":"PERMISSION_DENIED"}}"#,
                "key or token",
            ),
            (
                CHAT,
                429,
                none,
                r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#,
                "one message a second",
            ),
            (ZAPIER, 410, none, "", "No Zap listens"),
            (
                ZAPIER,
                404,
                none,
                "please unsubscribe me!",
                "No Zap listens",
            ),
            (
                ZAPIER,
                429,
                none,
                "",
                "Zapier takes about thirty calls a second",
            ),
            (
                MAKE,
                410,
                none,
                "There is no scenario listening for this webhook.",
                "Switch the scenario on in Make",
            ),
            (MAKE, 410, none, "Gone", "Make no longer knows this address"),
            (
                MAKE,
                400,
                none,
                "Queue is full.",
                "queue for this webhook is full",
            ),
            (
                MAKE,
                429,
                none,
                "Too many requests",
                "thirty calls a second",
            ),
            (N8N, 404, none, UNREGISTERED, "not active"),
            (N8N_TEST, 404, none, UNREGISTERED, "test address of n8n"),
            (
                "http://192.168.1.5:5678/webhook/abc",
                404,
                none,
                UNREGISTERED,
                "not active",
            ),
            (
                N8N,
                404,
                none,
                r#"{"code":404,"message":"This webhook is not registered for POST requests. Did you mean to make a GET request?"}"#,
                "HTTP method to POST",
            ),
            (
                N8N,
                403,
                none,
                "Authorization data is wrong!",
                "asks for a name and password or a key",
            ),
            (
                N8N,
                500,
                none,
                r#"{"message":"Error in workflow"}"#,
                "its workflow stumbled",
            ),
            (OTHER, 400, none, "", "did not accept the content"),
            (
                OTHER,
                401,
                &[("www-authenticate", "Basic realm=\"x\"")],
                "",
                "name and password of its web server",
            ),
            (OTHER, 401, none, "bad signature", "another signing secret"),
            (
                OTHER,
                403,
                &[("server", "cloudflare")],
                "<title>Attention Required! | Cloudflare</title>",
                "took the call for an attack",
            ),
            (OTHER, 403, none, "", "does not allow this call"),
            (OTHER, 404, none, "", "nothing at this address"),
            (OTHER, 405, none, "", "may be a page for people"),
            (OTHER, 407, none, "", "Something on the way"),
            (OTHER, 413, none, "", "too large"),
            (OTHER, 415, none, "", "does not take JSON"),
            (
                OTHER,
                429,
                &[("retry-after", "Wed, 25 Nov 2026 10:00:00 GMT")],
                "",
                "waits and tries again",
            ),
            (OTHER, 503, none, "", "the software behind it does not"),
            (OTHER, 522, none, "", "cannot reach the software behind it"),
            (OTHER, 526, none, "", "does not trust the certificate"),
            (OTHER, 511, none, "", "The network this computer is in"),
            (
                OTHER,
                302,
                &[("location", "/wp-login.php?redirect_to=x")],
                "",
                "a sign-in of theirs, not of Signalbox",
            ),
            (
                OTHER,
                302,
                &[("location", "https://accounts.google.com/v3/x")],
                "",
                "a sign-in of theirs, not of Signalbox",
            ),
            (
                OTHER,
                302,
                &[("location", "http://10.0.0.1/guest")],
                "",
                "The network this computer is in",
            ),
            (
                OTHER,
                301,
                &[("location", "https://www.shop.example/hook")],
                "",
                "another place, www.shop.example",
            ),
            (
                OTHER,
                308,
                &[("location", "/hook/")],
                "",
                "a slash more or less",
            ),
            (
                "http://nas.local/hook",
                301,
                &[("location", "https://nas.local/hook")],
                "",
                "wants to be called with https",
            ),
            (
                OTHER,
                403,
                html,
                "<html><form><input type=\"password\"></form>",
                "a sign-in of theirs, not of Signalbox",
            ),
            (
                OTHER,
                401,
                none,
                "<!doctype html><title>Log in – Shop</title>",
                "a sign-in of theirs, not of Signalbox",
            ),
        ];
        for (url, status, headers, body, holds) in table {
            let sentence = failure(&answered(url, *status, headers, body), "Cash desk").unwrap();
            assert!(
                sentence.contains(holds),
                "{url} {status} {body}\n{sentence}"
            );
            assert!(
                sentence.ends_with('.') && sentence.matches(". ").count() >= 1,
                "more than one sentence: {sentence}"
            );
            assert!(!sentence.contains('!'), "{sentence}");
        }
    }

    #[test]
    fn what_is_not_known_is_left_to_the_usual_words() {
        for (url, status, body) in [
            (OTHER, 410, ""),
            (OTHER, 500, "oops"),
            (SLACK, 500, "rollup_error"),
            (OTHER, 418, ""),
            (OTHER, 302, ""),
        ] {
            let ended = answered(url, status, &[], body);
            assert_eq!(
                failure(&ended, "Cash desk").unwrap(),
                explain::failure(ended.failure.as_ref().unwrap(), "Cash desk")
            );
        }
        let silent = Ended {
            failure: Some(Failure::timed_out(15)),
            request_url: Some(SLACK.into()),
            ..Ended::default()
        };
        assert_eq!(
            failure(&silent, "Slack").unwrap(),
            "Slack did not answer within 15 seconds."
        );
    }

    #[test]
    fn a_host_that_only_looks_like_a_service_is_not_taken_for_it() {
        for url in [
            "https://nothooks.slack.com.evil.example/x",
            "https://evilhooks.zapier.com/x",
        ] {
            let sentence = failure(&answered(url, 404, &[], "no_service"), "Cash desk").unwrap();
            assert!(
                !sentence.contains("Slack") && !sentence.contains("Zap"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_yes_that_is_a_log_in_page_is_doubted_and_no_other() {
        let page = "<html><title>Sign in</title><input type=password></html>";
        let sentence = doubt(&answered(OTHER, 200, &[], page), "Cash desk").unwrap();
        assert!(sentence.contains("not of Signalbox"), "{sentence}");
        let queued = doubt(&answered(MAKE, 200, &[], "Accepted"), "Make").unwrap();
        assert!(queued.contains("queue"), "{queued}");
        let lost = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429";
        assert!(doubt(&answered(CONNECTOR, 200, &[], lost), "Teams").is_some());
        for body in [
            "",
            "ok",
            "<html><title>Thanks</title></html>",
            r#"{"received":true}"#,
        ] {
            assert_eq!(doubt(&answered(OTHER, 200, &[], body), "Cash desk"), None);
        }
    }

    #[test]
    fn no_answer_however_odd_makes_it_stumble() {
        for body in [
            "<",
            "é<title",
            "<title>",
            "\u{0}",
            "<title>é",
            "{\"retry_after\":1e999}",
        ] {
            for status in [100, 299, 301, 400, 401, 404, 429, 500, 599, 999] {
                for url in [SLACK, DISCORD, WORKFLOW, CHAT, ZAPIER, MAKE, N8N, OTHER] {
                    let ended = answered(
                        url,
                        status,
                        &[("location", "//"), ("retry-after", "-1")],
                        body,
                    );
                    let _ = (failure(&ended, "x"), doubt(&ended, "x"));
                }
            }
        }
        let long = answered(OTHER, 404, &[], &"é".repeat(BEGINNING));
        assert!(failure(&long, "x").is_some());
    }
}
