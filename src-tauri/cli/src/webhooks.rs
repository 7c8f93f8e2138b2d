//! `signalctl webhook`

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use crate::door::Door;
use crate::given::{self, From, Request, id_of};
use crate::said::{Ended, Failed, Screen, moment, plain, text};

const LIST: &str = "/api/integrations/webhooks";

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Schedule {
    /// --retry-delay, doubled each time
    Exponential,
    /// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h
    Standard,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// The event's data as it is
    Payload,
    /// {"type","timestamp","data"}
    Envelope,
    /// A message in Slack; its address is a secret
    Slack,
    /// A message in Discord; its address is a secret
    Discord,
    /// A card in Microsoft Teams, by a workflow; its address is a secret
    Teams,
    /// A card in Google Chat; its address is a secret
    #[value(name = "google_chat", alias = "google-chat")]
    GoogleChat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Node,
    Python,
    Php,
    Ruby,
    Go,
    Rust,
}

#[derive(Args)]
pub(crate) struct Settings {
    /// What it is called
    #[arg(long)]
    name: Option<String>,
    /// Where it is. The address of a chat is a secret and no argument: with (-) it is asked for, or
    /// read from standard input
    #[arg(long, value_name = "URL|-")]
    url: Option<String>,
    /// An event type it is told about, or '*' for all; may be given several times
    #[arg(long = "event", value_name = "TYPE")]
    events: Vec<String>,
    /// It is on my own network or computer
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "true|false")]
    allow_private_network: Option<bool>,
    /// Tries after the first, 0 to 20
    #[arg(long, value_name = "N")]
    retry_attempts: Option<u32>,
    /// Milliseconds before the second try
    #[arg(long, value_name = "MS")]
    retry_delay: Option<u32>,
    /// How the gaps between tries grow
    #[arg(long)]
    retry_schedule: Option<Schedule>,
    /// Seconds until a call is given up, 5 to 60
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// What the body looks like
    #[arg(long)]
    format: Option<Format>,
    /// Only events that fit: a condition as JSON, from a file or (-) standard input; 'none' for all
    #[arg(long, value_name = "FILE|-|none")]
    filter: Option<String>,
    /// Own headers, one 'Name: value' a line, from a file or (-) standard input; 'Name:' removes one
    #[arg(long, value_name = "FILE|-")]
    headers: Option<String>,
    /// Calls a second at most, 1 to 1000; 0 for no limit
    #[arg(long, value_name = "N")]
    rate_limit: Option<u32>,
    #[command(flatten)]
    from: From,
}

/// `Name: value`, line by line; a name alone is to be removed.
fn read_headers(source: &str) -> Result<Value, Failed> {
    let text = String::from_utf8(given::read(source)?)
        .map_err(|_| Failed::said("Headers have to be text, one `Name: value` a line."))?;
    let mut headers = serde_json::Map::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Failed::said(
                "Headers are given as `Name: value`, one a line; one line has no colon.",
            ));
        };
        let value = match value.trim() {
            "" => Value::Null,
            value => value.into(),
        };
        headers.insert(name.trim().to_owned(), value);
    }
    Ok(headers.into())
}

fn read_filter(source: &str) -> Result<Value, Failed> {
    if source == "none" {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&given::read(source)?)
        .map_err(|error| Failed::said(format!("The filter is not valid JSON: {error}.")))
}

/// The formats whose address is all that is needed to write there.
const CHATS: [&str; 4] = ["slack", "discord", "teams", "google_chat"];

/// The address as it was given, or asked for where it is a secret.
fn read_address(given: Option<String>, is_secret: bool) -> Result<Option<String>, Failed> {
    match given.as_deref() {
        Some("-") => given::secret(None, "The address", "enter it, or give it on standard input").map(Some),
        Some(_) if is_secret => Err(Failed::Usage(
            "The address of a chat is a secret: whoever has it can write there, and arguments are seen by others. Give --url - and enter it when asked, or on standard input.".into(),
        )),
        _ => Ok(given),
    }
}

impl Settings {
    /// What was given; `format` is the one that the webhook has so far.
    fn read(self, format: Option<&str>) -> Result<Request, Failed> {
        let mut request = self.from.read()?;
        request.set("name", self.name);
        request.set("events", (!self.events.is_empty()).then_some(self.events));
        request.set("allowPrivateNetwork", self.allow_private_network);
        request.set("retryAttempts", self.retry_attempts);
        request.set("retryDelay", self.retry_delay);
        request.set(
            "retrySchedule",
            self.retry_schedule.map(|schedule| match schedule {
                Schedule::Exponential => "exponential",
                Schedule::Standard => "standard",
            }),
        );
        request.set("timeoutSeconds", self.timeout);
        request.set(
            "format",
            self.format.map(|format| match format {
                Format::Payload => "payload",
                Format::Envelope => "envelope",
                Format::Slack => "slack",
                Format::Discord => "discord",
                Format::Teams => "teams",
                Format::GoogleChat => "google_chat",
            }),
        );
        let is_chat = request
            .text("format")
            .or(format)
            .is_some_and(|format| CHATS.contains(&format));
        let asked = is_chat && format.is_none() && !request.has("url");
        let given = self.url.or_else(|| asked.then(|| "-".to_owned()));
        request.set("url", read_address(given, is_chat)?);
        request.set(
            "filter",
            self.filter.as_deref().map(read_filter).transpose()?,
        );
        request.set(
            "headers",
            self.headers.as_deref().map(read_headers).transpose()?,
        );
        request.set(
            "rateLimitPerSecond",
            self.rate_limit.map(|n| Some(n).filter(|n| *n > 0)),
        );
        Ok(request)
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a webhook; its signing secret is shown once
    Add {
        #[command(flatten)]
        settings: Settings,
        /// Add it paused
        #[arg(long)]
        paused: bool,
    },
    /// List the webhooks of the workspace
    List,
    /// Show one webhook
    Show {
        /// Its name or id
        webhook: String,
    },
    /// Change a webhook
    Edit {
        /// Its name or id
        webhook: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Send a test and say how it went
    Test {
        /// Its name or id
        webhook: String,
        /// Send the sample of this event type
        #[arg(long, value_name = "TYPE")]
        event: Option<String>,
    },
    /// Change the signing secret; the new one is shown once
    Rotate {
        /// Its name or id
        webhook: String,
        /// How long the former secret stays valid too, 0 to 168; without it 24
        #[arg(long, value_name = "HOURS", conflicts_with = "finish")]
        overlap_hours: Option<u32>,
        /// End a change: the receiver proves that it knows the new secret
        #[arg(long)]
        finish: bool,
    },
    /// Pause a webhook; what comes in waits
    Pause {
        /// Its name or id
        webhook: String,
    },
    /// Resume a webhook; what waited goes out
    Resume {
        /// Its name or id
        webhook: String,
    },
    /// Print a small program that receives the webhook and takes only what is signed
    Snippet {
        /// Its name or id
        webhook: String,
        /// The language of the program
        #[arg(long)]
        language: Language,
    },
    /// Remove a webhook; its log stays
    Remove {
        /// Its name or id
        webhook: String,
    },
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        match self {
            Self::Add { settings, paused } => {
                let mut request = settings.read(None)?;
                request.set("isActive", paused.then_some(false));
                let request = request.filled("Give --name, --url and --event, or --from.")?;
                let made = door.send(Method::POST, LIST, &request).await?;
                if let Some(ended) = failed_gracefully(screen, &made) {
                    return Ok(ended);
                }
                let webhook = one(&made);
                let mut facts = facts(webhook);
                facts.insert(0, ("secret", plain(webhook, "secret")));
                facts.push(("", "The secret is not shown again.".into()));
                screen.facts(&made, &facts);
            }
            Self::List => screen.list(
                door.get(LIST).await?,
                "webhooks",
                "There is no webhook yet. Add one with `signalctl webhook add`.",
                &[
                    ("ID", |row| plain(row, "id")),
                    ("NAME", |row| plain(row, "name")),
                    ("URL", |row| plain(row, "url")),
                    ("EVENTS", |row| plain(row, "events")),
                    ("STATE", |row| {
                        text(row.get("state").unwrap_or(&Value::Null), "word").to_owned()
                    }),
                    ("CALLS", |row| plain(row, "totalCalls")),
                    ("FAILED", |row| plain(row, "failedCalls")),
                ],
            ),
            Self::Show { webhook } => {
                let id = id_of(door, LIST, "webhooks", &webhook).await?;
                let found = door.get(&format!("{LIST}/{id}")).await?;
                screen.facts(&found, &facts(one(&found)));
            }
            Self::Edit { webhook, settings } => {
                let id = id_of(door, LIST, "webhooks", &webhook).await?;
                let found = door.get(&format!("{LIST}/{id}")).await?;
                let request = settings
                    .read(Some(text(one(&found), "format")))?
                    .filled("Say what is to be different: a flag, or --from.")?;
                return change(door, screen, &webhook, &request, "Changed.").await;
            }
            Self::Pause { webhook } => {
                return change(
                    door,
                    screen,
                    &webhook,
                    &json!({ "isActive": false }),
                    "Paused. What comes in for it waits.",
                )
                .await;
            }
            Self::Resume { webhook } => {
                return change(
                    door,
                    screen,
                    &webhook,
                    &json!({ "isActive": true }),
                    "Resumed. What waited goes out.",
                )
                .await;
            }
            Self::Test { webhook, event } => {
                let id = id_of(door, LIST, "webhooks", &webhook).await?;
                let mut request = json!({});
                if let Some(event) = event {
                    request = json!({ "event": event });
                }
                let tested = door
                    .send(Method::POST, &format!("{LIST}/{id}/test"), &request)
                    .await?;
                if let Some(ended) = failed_gracefully(screen, &tested) {
                    return Ok(ended);
                }
                screen.done(&tested, text(&tested, "message"));
            }
            Self::Rotate {
                webhook,
                overlap_hours,
                finish,
            } => {
                let id = id_of(door, LIST, "webhooks", &webhook).await?;
                let mut request = json!({});
                if finish {
                    request = json!({ "finish": true });
                } else if let Some(hours) = overlap_hours {
                    request = json!({ "overlapHours": hours });
                }
                let rotated = door
                    .send(
                        Method::POST,
                        &format!("{LIST}/{id}/rotate-secret"),
                        &request,
                    )
                    .await?;
                if let Some(ended) = failed_gracefully(screen, &rotated) {
                    return Ok(ended);
                }
                if finish {
                    screen.done(&rotated, text(&rotated, "message"));
                } else {
                    let facts = [
                        ("secret", plain(&rotated, "secret")),
                        ("former until", moment(&rotated, "previousValidUntil")),
                        ("", "The secret is not shown again.".into()),
                    ];
                    screen.facts(&rotated, &facts);
                }
            }
            Self::Snippet { webhook, language } => {
                let id = id_of(door, LIST, "webhooks", &webhook).await?;
                let known = door.get(&format!("{LIST}/{id}/snippets")).await?;
                let wanted = language.to_possible_value();
                let wanted = wanted.as_ref().map_or("", |value| value.get_name());
                let snippet = known
                    .get("snippets")
                    .and_then(Value::as_array)
                    .and_then(|all| all.iter().find(|one| text(one, "language") == wanted))
                    .ok_or_else(|| Failed::said("There is no program in this language."))?;
                if screen.json {
                    screen.done(snippet, "");
                } else {
                    // As it is, so that it can be written into a file.
                    screen.raw(text(snippet, "code"));
                }
            }
            Self::Remove { webhook } => {
                let id = id_of(door, LIST, "webhooks", &webhook).await?;
                screen.confirm(&format!(
                    "This removes the webhook “{webhook}” and cancels what waits for it."
                ))?;
                let gone = door
                    .ask(Method::DELETE, &format!("{LIST}/{id}"), None)
                    .await?;
                screen.done(
                    &json!({ "success": true, "id": id, "message": text(&gone, "message") }),
                    text(&gone, "message"),
                );
            }
        }
        Ok(Ended::Done)
    }
}

async fn change(
    door: &Door,
    screen: Screen,
    webhook: &str,
    request: &Value,
    sentence: &str,
) -> Result<Ended, Failed> {
    let id = id_of(door, LIST, "webhooks", webhook).await?;
    let changed = door
        .send(Method::PATCH, &format!("{LIST}/{id}"), request)
        .await?;
    if let Some(ended) = failed_gracefully(screen, &changed) {
        return Ok(ended);
    }
    let warnings = changed.get("warnings").and_then(Value::as_array);
    let mut sentences = vec![sentence];
    sentences.extend(
        warnings
            .into_iter()
            .flatten()
            .map(|warning| text(warning, "message")),
    );
    screen.done(&changed, &sentences.join(" "));
    Ok(Ended::Done)
}

/// A result that is no success, said as such.
fn failed_gracefully(screen: Screen, result: &Value) -> Option<Ended> {
    if result.get("success") != Some(&Value::Bool(false)) {
        return None;
    }
    screen.done(result, text(result, "error"));
    Some(Ended::Gracefully)
}

fn one(document: &Value) -> &Value {
    document.get("webhook").unwrap_or(&Value::Null)
}

fn facts(webhook: &Value) -> Vec<(&'static str, String)> {
    vec![
        ("id", plain(webhook, "id")),
        ("name", plain(webhook, "name")),
        ("url", plain(webhook, "url")),
        ("events", plain(webhook, "events")),
        ("state", plain(webhook, "sentence")),
        ("calls", plain(webhook, "totalCalls")),
        ("failed", plain(webhook, "failedCalls")),
        ("waiting", plain(webhook, "waiting")),
        ("held", plain(webhook, "held")),
        ("last call", moment(webhook, "lastTriggered")),
        ("last error", plain(webhook, "lastError")),
        (
            "retries",
            format!(
                "{} ({})",
                plain(webhook, "retryAttempts"),
                plain(webhook, "retrySchedule")
            ),
        ),
        ("own network", plain(webhook, "allowPrivateNetwork")),
        ("format", plain(webhook, "format")),
        ("filter", plain(webhook, "filter")),
        ("own headers", plain(webhook, "headerNames")),
        ("calls a second", plain(webhook, "rateLimitPerSecond")),
        (
            "secret",
            text(webhook.get("secretAge").unwrap_or(&Value::Null), "sentence").to_owned(),
        ),
        ("former until", moment(webhook, "previousSecretValidUntil")),
    ]
}
