//! `signalctl automation`

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use crate::door::Door;
use crate::given::{self, From, id_of};
use crate::said::{Ended, Failed, Screen, moment, plain, text};

const LIST: &str = "/api/automations";

#[derive(Args)]
pub(crate) struct Add {
    /// What it is called
    #[arg(long)]
    name: Option<String>,
    /// An event type at which it runs; may be given several times
    #[arg(long = "event", value_name = "TYPE")]
    events: Vec<String>,
    /// Add it switched off
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    from: From,
}

/// The event that is looked at.
#[derive(Args)]
pub(crate) struct Event {
    /// An event that happened, by its id; without it the newest of its type, else the sample
    #[arg(long, value_name = "EVENT", conflicts_with = "event_type")]
    event: Option<String>,
    /// A type that it listens to
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// The event's data as JSON, from a file or (-) standard input
    #[arg(long, value_name = "FILE|-", requires = "event_type")]
    data: Option<String>,
}

impl Event {
    fn read(self) -> Result<Option<Value>, Failed> {
        if let Some(event) = self.event {
            return Ok(Some(json!({ "eventId": event })));
        }
        let Some(event_type) = self.event_type else {
            return Ok(None);
        };
        let mut event = json!({ "type": event_type });
        if let Some(source) = self.data {
            let data: Value = serde_json::from_slice(&given::read(&source)?)
                .map_err(|error| Failed::said(format!("The data is not valid JSON: {error}.")))?;
            if let Some(members) = event.as_object_mut() {
                members.insert("data".to_owned(), data);
            }
        }
        Ok(Some(event))
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the automations of the workspace
    List,
    /// Show one automation
    Show {
        /// Its name or id
        automation: String,
    },
    /// Add an automation; what it does is given by --from
    Add(Add),
    /// Switch an automation on
    Enable {
        /// Its name or id
        automation: String,
    },
    /// Switch an automation off; what waits is not sent
    Disable {
        /// Its name or id
        automation: String,
    },
    /// Say what would be sent because of an event; nothing is
    Preview {
        /// Its name or id
        automation: String,
        #[command(flatten)]
        event: Event,
    },
    /// Run an automation over what happened in a time, and say what would be sent; nothing is
    Rehearse {
        /// Its name or id
        automation: String,
        /// Events recorded at this time or later
        #[arg(long, value_name = "TIME")]
        since: String,
        /// And before this; without it until now
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Remove an automation; its log stays
    Remove {
        /// Its name or id
        automation: String,
    },
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        match self {
            Self::List => screen.list(
                door.get(LIST).await?,
                "automations",
                "There is no automation yet. Add one with `signalctl automation add --from FILE`.",
                &[
                    ("ID", |row| plain(row, "id")),
                    ("NAME", |row| plain(row, "name")),
                    ("EVENT", |row| plain(row, "event")),
                    ("DOES", |row| {
                        text(row.get("action").unwrap_or(&Value::Null), "kind").to_owned()
                    }),
                    ("WHEN", |row| plain(row, "when")),
                    ("STATE", |row| {
                        text(row.get("state").unwrap_or(&Value::Null), "word").to_owned()
                    }),
                ],
            ),
            Self::Show { automation } => {
                let id = id_of(door, LIST, "automations", &automation).await?;
                let found = door.get(&format!("{LIST}/{id}")).await?;
                screen.facts(&found, &facts(one(&found)));
            }
            Self::Add(add) => {
                let mut request = add.from.read()?;
                request.set("name", add.name);
                request.set("event", (!add.events.is_empty()).then_some(add.events));
                request.set("isActive", add.disabled.then_some(false));
                if !request.has("action") {
                    return Err(Failed::Usage(
                        "Give what it does by --from, the JSON of the API with its `action`."
                            .to_owned(),
                    ));
                }
                let made = door.send(Method::POST, LIST, &request.whole()).await?;
                screen.facts(&made, &facts(one(&made)));
            }
            Self::Enable { automation } => return switch(door, screen, &automation, true).await,
            Self::Disable { automation } => return switch(door, screen, &automation, false).await,
            Self::Preview { automation, event } => {
                let id = id_of(door, LIST, "automations", &automation).await?;
                let request = match event.read()? {
                    Some(event) => json!({ "event": event }),
                    None => json!({}),
                };
                let preview = door
                    .send(Method::POST, &format!("{LIST}/{id}/preview"), &request)
                    .await?;
                screen.facts(&preview, &previewed(&preview));
            }
            Self::Rehearse {
                automation,
                since,
                until,
            } => {
                let id = id_of(door, LIST, "automations", &automation).await?;
                let mut request = json!({ "since": since });
                if let (Some(until), Some(members)) = (until, request.as_object_mut()) {
                    members.insert("until".to_owned(), until.into());
                }
                let rehearsal = door
                    .send(Method::POST, &format!("{LIST}/{id}/rehearse"), &request)
                    .await?;
                screen.facts(&rehearsal, &rehearsed(&rehearsal));
            }
            Self::Remove { automation } => {
                let id = id_of(door, LIST, "automations", &automation).await?;
                screen.confirm(&format!(
                    "This removes the automation “{automation}”; what waits is not sent."
                ))?;
                let gone = door
                    .ask(Method::DELETE, &format!("{LIST}/{id}"), None)
                    .await?;
                screen.done(
                    &json!({ "success": true, "id": id, "dropped": gone.get("dropped"), "message": text(&gone, "message") }),
                    text(&gone, "message"),
                );
            }
        }
        Ok(Ended::Done)
    }
}

async fn switch(door: &Door, screen: Screen, automation: &str, on: bool) -> Result<Ended, Failed> {
    let id = id_of(door, LIST, "automations", automation).await?;
    let changed = door
        .send(
            Method::PATCH,
            &format!("{LIST}/{id}"),
            &json!({ "isActive": on }),
        )
        .await?;
    screen.done(&changed, text(&changed, "message"));
    Ok(Ended::Done)
}

fn one(document: &Value) -> &Value {
    document.get("automation").unwrap_or(&Value::Null)
}

fn facts(automation: &Value) -> Vec<(&'static str, String)> {
    let action = automation.get("action").unwrap_or(&Value::Null);
    let mut facts = vec![
        ("id", plain(automation, "id")),
        ("name", plain(automation, "name")),
        ("event", plain(automation, "event")),
        ("when", plain(automation, "when")),
        ("state", plain(automation, "sentence")),
        ("condition", plain(automation, "condition")),
        ("version", plain(automation, "version")),
        ("changed", moment(automation, "changedAt")),
        ("does", plain(action, "kind")),
    ];
    for name in [
        "to",
        "subject",
        "text",
        "html",
        "message",
        "operation",
        "title",
        "startTime",
        "endTime",
        "key",
        "content",
    ] {
        if action.get(name).is_some() {
            facts.push((name, plain(action, name)));
        }
    }
    facts
}

fn previewed(preview: &Value) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("event", plain(preview, "eventType")),
        ("about", plain(preview, "what")),
        ("", plain(preview, "sentence")),
        ("condition", plain(preview, "why")),
        ("due", moment(preview, "dueAt")),
        ("missing", plain(preview, "missing")),
    ];
    for mistake in preview
        .get("mistakes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        facts.push((
            "wrong",
            format!("{}: {}", plain(mistake, "path"), plain(mistake, "message")),
        ));
    }
    if let Some(request) = preview.get("request").filter(|request| !request.is_null()) {
        facts.push((
            "request",
            serde_json::to_string_pretty(request).unwrap_or_default(),
        ));
    }
    facts
}

fn rehearsed(rehearsal: &Value) -> Vec<(&'static str, String)> {
    let rows = |name: &str| {
        rehearsal
            .get(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    let mut facts = vec![("", plain(rehearsal, "sentence"))];
    for missing in rows("missing") {
        facts.push((
            "missing",
            format!("{} ({})", plain(missing, "name"), plain(missing, "count")),
        ));
    }
    for sample in rows("samples") {
        facts.push((
            "sample",
            format!(
                "{} {}: {}",
                moment(sample, "at"),
                plain(sample, "what"),
                plain(sample, "sentence")
            ),
        ));
    }
    facts
}
