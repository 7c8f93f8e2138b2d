//! `signalctl connect calendar` and `signalctl calendar`

use std::time::Duration;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use crate::door::Door;
use crate::given::{self, From};
use crate::said::{Ended, Failed, Screen, text};

const AUTHORIZE: &str = "/api/integrations/calendar/authorize";
const EVENTS: &str = "/api/calendar/events";
/// How often is asked whether the browser has come back.
const ASK_EVERY: Duration = Duration::from_millis(300);

#[derive(Subcommand)]
pub(crate) enum Connect {
    /// Sign in at Google in the browser, and write into your calendar from then on
    Calendar {
        /// Your own client, as the file that Google's console gives (client_secret_….json)
        #[arg(long, value_name = "FILE")]
        client: Option<String>,
        /// Only say where to go; open no browser
        #[arg(long)]
        no_browser: bool,
        /// The calendar to write into, by its id
        #[arg(long, value_name = "ID")]
        calendar: Option<String>,
        #[command(flatten)]
        from: From,
    },
}

impl Connect {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let Self::Calendar {
            client,
            no_browser,
            calendar,
            from,
        } = self;
        let mut request = from.read()?;
        if let Some(file) = client {
            let file = serde_json::from_slice::<Value>(&given::read(&file)?)
                .map_err(|error| Failed::said(format!("{file} is not valid JSON: {error}.")))?;
            request.set("clientFile", Some(file));
        }
        request.set("calendarId", calendar);
        let begun = door.send(Method::POST, AUTHORIZE, &request.whole()).await?;
        if begun.get("success") == Some(&Value::Bool(false)) {
            screen.done(&begun, text(&begun, "error"));
            return Ok(Ended::Gracefully);
        }
        let url = text(&begun, "authorizationUrl");
        if no_browser || open::that_detached(url).is_err() {
            // Beside the result, which may be one JSON document.
            eprintln!("Open this in your browser, on this computer:\n{url}");
        } else {
            eprintln!("Your browser asks for your consent. If it did not open, go to:\n{url}");
        }
        let path = format!("{AUTHORIZE}/{}", text(&begun, "flowId"));
        loop {
            let stands = door.get(&path).await?;
            match text(&stands, "status") {
                "waiting" => tokio::time::sleep(ASK_EVERY).await,
                "connected" => {
                    let all = door.get("/api/integrations").await?;
                    let calendar = all.get("calendar").cloned().unwrap_or_default();
                    let account = text(&calendar, "account");
                    let result = json!({"success": true, "status": "connected", "account": calendar.get("account"), "calendarId": calendar.get("calendarId")});
                    screen.done(
                        &result,
                        &format!("Google Calendar is connected: {account}."),
                    );
                    return Ok(Ended::Done);
                }
                status => {
                    let result =
                        json!({"success": false, "status": status, "error": stands.get("error")});
                    screen.done(&result, text(&stands, "error"));
                    return Ok(Ended::Gracefully);
                }
            }
        }
    }
}

#[derive(Args)]
pub(crate) struct Entry {
    /// What it is called
    #[arg(long)]
    title: Option<String>,
    /// When it begins: 2026-11-26T10:00, with an offset, or a date for whole days
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// When it ends; of whole days, the first that is no longer part of it
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// The zone of the times, such as Europe/Berlin; else the workspace's
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// More about it
    #[arg(long)]
    description: Option<String>,
    /// Where it is
    #[arg(long)]
    location: Option<String>,
    /// A guest, who is invited; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    attendee: Vec<String>,
    /// Guests hear of it: all, externalOnly or none
    #[arg(long, value_name = "WHO")]
    send_updates: Option<String>,
    /// The same key again does nothing more
    #[arg(long, value_name = "IDEMPOTENCY_KEY")]
    key: Option<String>,
    #[command(flatten)]
    from: From,
}

impl Entry {
    fn request(self, usage: &str) -> Result<Value, Failed> {
        let mut request = self.from.read()?;
        request.set("title", self.title);
        request.set("startTime", self.start);
        request.set("endTime", self.end);
        request.set("timezone", self.timezone);
        request.set("description", self.description);
        request.set("location", self.location);
        request.set(
            "attendees",
            (!self.attendee.is_empty()).then_some(self.attendee),
        );
        request.set("sendUpdates", self.send_updates);
        request.set("idempotencyKey", self.key);
        request.filled(usage)
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an entry
    Create {
        #[command(flatten)]
        entry: Box<Entry>,
    },
    /// Change an entry: what you name, and nothing else
    Update {
        /// The entry's id
        id: String,
        #[command(flatten)]
        entry: Box<Entry>,
    },
    /// Remove an entry
    Delete {
        /// The entry's id
        id: String,
        /// Guests hear of it: all, externalOnly or none
        #[arg(long, value_name = "WHO")]
        send_updates: Option<String>,
    },
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let path = |id: &str| {
            let mut url = String::from(EVENTS);
            url.push('/');
            url.extend(form_urlencoded::byte_serialize(id.as_bytes()));
            url
        };
        let (done, word) = match self {
            Self::Create { entry } => {
                let request = entry.request("Give --title, --start and --end, or --from.")?;
                (door.send(Method::POST, EVENTS, &request).await?, "Made")
            }
            Self::Update { id, entry } => {
                let request = entry.request("Say what is to be different: a flag, or --from.")?;
                (
                    door.send(Method::PATCH, &path(&id), &request).await?,
                    "Changed",
                )
            }
            Self::Delete { id, send_updates } => {
                let request = send_updates.map_or(json!({}), |who| json!({"sendUpdates": who}));
                (
                    door.send(Method::DELETE, &path(&id), &request).await?,
                    "Removed",
                )
            }
        };
        if done.get("success") == Some(&Value::Bool(false)) {
            screen.done(&done, text(&done, "error"));
            return Ok(Ended::Gracefully);
        }
        let message = if done.get("alreadyGone") == Some(&Value::Bool(true)) {
            "It was gone already.".to_owned()
        } else {
            format!(
                "{word}: {} {}",
                text(&done, "eventId"),
                text(&done, "htmlLink")
            )
        };
        screen.done(&done, message.trim_end());
        Ok(Ended::Done)
    }
}
