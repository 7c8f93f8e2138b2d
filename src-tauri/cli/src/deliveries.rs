//! `signalctl deliveries`

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use axum::body::Body;
use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

use crate::door::{Door, broken_off};
use crate::given::{From, id_of, with_query};
use crate::said::{Ended, Failed, Screen, moment, plain, text};

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Order {
    /// Newest first
    Desc,
    /// Oldest first
    Asc,
}

/// Which deliveries.
#[derive(Args)]
pub(crate) struct Which {
    /// pending, sending, held, success, failed, unknown, skipped, cancelled; several with commas
    #[arg(long)]
    status: Option<String>,
    /// Why it stands so: offline, paused, replayed, none …; several with commas
    #[arg(long)]
    reason: Option<String>,
    /// Words that all stand in recipient, subject, payload, response or error
    #[arg(long, value_name = "WORDS")]
    q: Option<String>,
    /// webhook, email, sms, calendar, storage; several with commas
    #[arg(long)]
    channel: Option<String>,
    /// One webhook, by name or id
    #[arg(long)]
    webhook: Option<String>,
    /// One event type, or several with commas
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// One event
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// One delivery, or several with commas
    #[arg(long, value_name = "ID")]
    ids: Option<String>,
    /// One booking, contact, article …
    #[arg(long)]
    subject: Option<String>,
    /// Whom or where it went to
    #[arg(long)]
    recipient: Option<String>,
    /// Queued at this time or later
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Queued before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only tests (true) or none (false)
    #[arg(long, value_name = "true|false")]
    test: Option<bool>,
}

#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// 1 to 200; without it, 50
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Where the page before ended
    #[arg(long)]
    cursor: Option<String>,
    /// Begin the page at this time
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Newest or oldest first
    #[arg(long)]
    order: Option<Order>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// A table, safe to open as a spreadsheet
    Csv,
    /// A JSON document a line
    Ndjson,
}

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    which: Which,
    /// What the file is
    #[arg(long)]
    format: Format,
    /// The file; without it, standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Newest or oldest first
    #[arg(long)]
    order: Option<Order>,
}

#[derive(Args)]
pub(crate) struct Histogram {
    #[command(flatten)]
    which: Which,
    /// At most so many buckets, 1 to 200; without it, 60
    #[arg(long, value_name = "N")]
    buckets: Option<u32>,
}

#[derive(Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    which: Which,
    /// Only say what would be sent
    #[arg(long)]
    dry_run: bool,
    /// So many a minute at most; without it, as fast as the receivers take them
    #[arg(long, value_name = "N")]
    per_minute: Option<u32>,
    #[command(flatten)]
    from: From,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what went out, and what waits
    List(Box<List>),
    /// Write all rows that fit to a file, of any length
    Export(Box<Export>),
    /// Show how many there were when
    Histogram(Box<Histogram>),
    /// Show one delivery with its attempts
    Show {
        /// Its id
        delivery: String,
    },
    /// One more attempt now
    Retry {
        /// Its id
        delivery: String,
    },
    /// Send all that fit again, as new deliveries with the same bytes
    Replay(Box<Replay>),
    /// List what is being sent again, and how far it is
    Replays,
    /// Stop sending again; what is not out is closed
    StopReplay {
        /// Its id
        replay: String,
    },
    /// Close one that has not ended: "I told them myself"
    Cancel {
        /// Its id
        delivery: String,
        /// Why, in your words
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        from: From,
    },
    /// Let a held one go
    Release {
        /// Its id
        delivery: String,
        #[command(flatten)]
        from: From,
    },
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        match self {
            Self::List(list) => list.run(door, screen).await?,
            Self::Export(export) => export.run(door, screen).await?,
            Self::Histogram(histogram) => histogram.run(door, screen).await?,
            Self::Show { delivery } => show(screen, &door.get(&at(&delivery, "")).await?),
            Self::Retry { delivery } => {
                let moved = door
                    .ask(Method::POST, &at(&delivery, "/retry"), None)
                    .await?;
                screen.done(&moved, "It is due now, with one more attempt.");
            }
            Self::Replay(replay) => replay.run(door, screen).await?,
            Self::Replays => screen.list(
                door.get("/api/replays").await?,
                "replays",
                "Nothing was sent again in the last seven days.",
                &[
                    ("ID", |row| plain(row, "id")),
                    ("BEGUN (UTC)", |row| moment(row, "startedAt")),
                    ("", |row| plain(row, "sentence")),
                ],
            ),
            Self::StopReplay { replay } => {
                let replay: String = form_urlencoded::byte_serialize(replay.as_bytes()).collect();
                let stopped = door
                    .ask(Method::POST, &format!("/api/replays/{replay}/cancel"), None)
                    .await?;
                let now = stopped.get("replay").unwrap_or(&Value::Null);
                screen.done(&stopped, text(now, "sentence"));
            }
            Self::Cancel {
                delivery,
                reason,
                from,
            } => {
                let mut request = from.read()?;
                request.set("reason", reason);
                let request = request.filled("").unwrap_or_else(|_| json!({}));
                let moved = door
                    .send(Method::POST, &at(&delivery, "/cancel"), &request)
                    .await?;
                screen.done(&moved, "Closed. It will not be sent.");
            }
            Self::Release { delivery, from } => {
                let request = from.read()?.filled("").unwrap_or_else(|_| json!({}));
                let moved = door
                    .send(Method::POST, &at(&delivery, "/release"), &request)
                    .await?;
                screen.done(&moved, "Let go; it goes out now.");
            }
        }
        Ok(Ended::Done)
    }
}

/// Where a delivery is. Whatever is typed stays one segment of the path.
fn at(id: &str, act: &str) -> String {
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("/api/deliveries/{id}{act}")
}

impl Order {
    fn word(self) -> String {
        match self {
            Self::Desc => "desc",
            Self::Asc => "asc",
        }
        .to_owned()
    }
}

impl Which {
    /// The filter as the API takes it.
    async fn asked(self, door: &Door) -> Result<Vec<(&'static str, Option<String>)>, Failed> {
        let webhook = match self.webhook {
            // A removed webhook is in no list any more, but its log is there.
            Some(named) if named.starts_with("whk_") => Some(named),
            Some(named) => {
                Some(id_of(door, "/api/integrations/webhooks", "webhooks", &named).await?)
            }
            None => None,
        };
        Ok(vec![
            ("status", self.status),
            ("statusReason", self.reason),
            ("q", self.q),
            ("channel", self.channel),
            ("webhookId", webhook),
            ("eventType", self.event_type),
            ("eventId", self.event),
            ("ids", self.ids),
            ("subject", self.subject),
            ("recipient", self.recipient),
            ("since", self.since),
            ("until", self.until),
            ("test", self.test.map(|test| test.to_string())),
        ])
    }
}

impl Histogram {
    async fn run(self, door: &Door, screen: Screen) -> Result<(), Failed> {
        let mut query = self.which.asked(door).await?;
        query.push(("buckets", self.buckets.map(|most| most.to_string())));
        let found = door
            .get(&with_query("/api/deliveries/histogram", &query))
            .await?;
        if !screen.json {
            screen.done(&Value::Null, text(&found, "sentence"));
        }
        screen.list(
            found,
            "buckets",
            "Nothing here.",
            &[
                ("FROM (UTC)", |row| moment(row, "start")),
                ("THROUGH", |row| plain(row, "success")),
                ("WAITING", |row| plain(row, "waiting")),
                ("HELD", |row| plain(row, "held")),
                ("FAILED", |row| plain(row, "failed")),
                ("CLOSED", |row| plain(row, "other")),
            ],
        );
        Ok(())
    }
}

impl Replay {
    async fn run(self, door: &Door, screen: Screen) -> Result<(), Failed> {
        let mut request = self.from.read()?;
        let test = self.which.test;
        let mut filter: Map<String, Value> = self
            .which
            .asked(door)
            .await?
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))))
            .collect();
        if let Some(test) = test {
            filter.insert("test".into(), json!(test));
        }
        request.set("filter", (!filter.is_empty()).then_some(filter));
        request.set("perMinute", self.per_minute);
        request.set("dryRun", self.dry_run.then_some(true));
        let request =
            request.filled("Say which: --status, --webhook, --since …, or --from a file.")?;
        if request.get("filter").is_none() {
            return Err(Failed::Usage(
                "Say which: --status, --webhook, --since …, or --from a file.".into(),
            ));
        }
        let done = door
            .send(Method::POST, "/api/deliveries/replay", &request)
            .await?;
        let mut lines = vec![text(&done, "sentence").to_owned()];
        lines.extend(
            done.get("excluded")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|left| text(left, "sentence").to_owned()),
        );
        let id = text(&done, "replayId");
        if !id.is_empty() {
            lines.push(format!("It is {id}: signalctl deliveries replays."));
        }
        screen.done(&done, &lines.join("\n"));
        Ok(())
    }
}

impl Export {
    async fn run(self, door: &Door, screen: Screen) -> Result<(), Failed> {
        let mut query = self.which.asked(door).await?;
        let format = match self.format {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
        };
        query.push(("format", Some(format.to_owned())));
        query.push(("order", self.order.map(Order::word)));
        let body = door
            .open_answer(&with_query("/api/deliveries/export", &query))
            .await?;
        let Some(path) = self.out else {
            // Whoever reads no further, as `head` does, has had enough.
            let mut out = std::io::stdout().lock();
            return match pour(body, &mut out).await {
                Err(Poured::Closed(error)) if error.kind() != ErrorKind::BrokenPipe => {
                    Err(Failed::said(format!("Standard output failed: {error}.")))
                }
                Err(Poured::BrokenOff(failed)) => Err(failed),
                _ => Ok(()),
            };
        };
        // Under its own name only once it is whole.
        let mut part = path.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let no_file =
            |error| Failed::said(format!("{} could not be written: {error}.", path.display()));
        let mut file = std::fs::File::create(&part).map_err(no_file)?;
        let written = match pour(body, &mut file).await {
            Ok(bytes) => std::fs::rename(&part, &path)
                .map(|()| bytes)
                .map_err(no_file),
            Err(Poured::Closed(error)) => Err(no_file(error)),
            Err(Poured::BrokenOff(failed)) => Err(failed),
        };
        let bytes = written.inspect_err(|_| {
            // What is left of it is of no use.
            let _ = std::fs::remove_file(&part);
        })?;
        screen.done(
            &json!({ "success": true, "file": path, "bytes": bytes }),
            &format!("Written to {}.", path.display()),
        );
        Ok(())
    }
}

enum Poured {
    /// Where it goes takes no more.
    Closed(std::io::Error),
    /// Where it comes from ended too early.
    BrokenOff(Failed),
}

/// Writes a body as it comes; how many bytes it had.
async fn pour(mut body: Body, to: &mut impl Write) -> Result<u64, Poured> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Poured::BrokenOff(broken_off(error)))?;
        if let Some(data) = frame.data_ref() {
            to.write_all(data).map_err(Poured::Closed)?;
            bytes += data.len() as u64;
        }
    }
    to.flush().map_err(Poured::Closed)?;
    Ok(bytes)
}

impl List {
    async fn run(self, door: &Door, screen: Screen) -> Result<(), Failed> {
        let mut query = self.which.asked(door).await?;
        query.extend([
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("cursor", self.cursor),
            ("at", self.at),
            ("order", self.order.map(Order::word)),
        ]);
        let path = with_query("/api/deliveries", &query);
        let page = door.get(&path).await?;
        let more = page
            .get("nextCursor")
            .and_then(Value::as_str)
            .map(str::to_owned);
        screen.list(
            page,
            "deliveries",
            "Nothing here.",
            &[
                ("ID", |row| plain(row, "id")),
                ("QUEUED (UTC)", |row| moment(row, "createdAt")),
                ("WHAT", |row| plain(row, "what")),
                ("TO", |row| plain(row, "who")),
                ("STATE", |row| {
                    text(row.get("state").unwrap_or(&Value::Null), "word").to_owned()
                }),
                ("TRIES", |row| plain(row, "attemptCount")),
                ("ERROR", |row| plain(row, "error")),
            ],
        );
        if let (Some(cursor), false) = (more, screen.json) {
            screen.done(&Value::Null, &format!("There is more: --cursor {cursor}"));
        }
        Ok(())
    }
}

fn show(screen: Screen, found: &Value) {
    let delivery = found.get("delivery").unwrap_or(&Value::Null);
    screen.facts(
        found,
        &[
            ("", plain(delivery, "sentence")),
            ("", plain(delivery, "explanation")),
            ("id", plain(delivery, "id")),
            (
                "event",
                format!(
                    "{} ({})",
                    text(delivery, "eventType"),
                    text(delivery, "eventId")
                ),
            ),
            ("subject", plain(delivery, "subject")),
            (
                "to",
                format!("{}, {}", text(delivery, "who"), text(delivery, "recipient")),
            ),
            ("queued", moment(delivery, "createdAt")),
            ("due", moment(delivery, "dueAt")),
            ("ended", moment(delivery, "finishedAt")),
            ("can be", plain(delivery, "actions")),
            ("body", plain(delivery, "body")),
        ],
    );
    if screen.json {
        return;
    }
    for attempt in delivery
        .get("attempts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let duration = attempt
            .get("durationMs")
            .and_then(Value::as_u64)
            .map(|ms| format!(" ({ms} ms)"))
            .unwrap_or_default();
        screen.done(
            attempt,
            &format!(
                "attempt {}  {}  {}{duration}",
                plain(attempt, "number"),
                moment(attempt, "startedAt"),
                text(attempt, "summary")
            ),
        );
    }
}
