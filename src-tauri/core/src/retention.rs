//! How long things are kept, how much room they take, and what goes for its age.
//!
//! Texts (the data of events, bodies, what was asked and answered) go first; the facts (that it was
//! sent, when, to whom, how it went) may stay for ever. An event goes with all its deliveries once
//! it was recorded, and the last of them ended, before the time set. What is not final never goes.
//! A text that went is empty and says when (`purgedAt`); its SHA-256 stays. One that was given up
//! and lost its text can not be sent any more, and needs the owner no more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::watch;

use crate::changes::Topic;
use crate::clock::Time;
use crate::db;
use crate::db::retention::What;
use crate::error::{Error, Result};
use crate::explain::count;
use crate::hub::Hub;

const TEXTS_DAYS: &str = "retention.texts_days";
const FACTS_DAYS: &str = "retention.facts_days";
const PURGED_UP_TO: &str = "retention.purged_up_to";
const USUAL_TEXTS_DAYS: u32 = 365;
const MOST_DAYS: u32 = 36_500;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// It cleans up by itself this often, and first so long after the start.
const EVERY: Duration = Duration::from_secs(60 * 60);
const FIRST: Duration = Duration::from_secs(60);
/// Calendar entries that are forgotten at a time.
const ENTRIES: u32 = 500;
/// Events of one transaction, pages of one.
const BATCH: usize = 50;
const PAGES: u32 = 128;
/// Less free room than this many pages is kept for what comes.
const KEPT_FREE: u64 = 256;
/// While nobody waits it rests this many times as long as it worked.
const REST: u32 = 4;
/// The writer is idle when it wrote nothing for so long; after so many looks its turn has come.
const QUIET: Duration = Duration::from_millis(200);
const LOOKS: u32 = 50;

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Retention {
    /// Days until texts and bodies go; 0 is never.
    pub texts_days: u32,
    /// Days until the rows go too; null is never.
    pub facts_days: Option<u32>,
}

/// What is altered about it.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RetentionPatch {
    /// 0 to 36,500; 0 is for ever.
    #[serde(default)]
    pub texts_days: Option<u32>,
    /// 1 to 36,500 and not fewer than `textsDays`; null is for ever.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u32>))]
    pub facts_days: Option<Option<u32>>,
}

/// What the owner alters.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SettingsPatch {
    /// How long things are kept.
    #[serde(default)]
    pub retention: RetentionPatch,
}

/// How much room things take, in bytes where nothing else is said.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Sizes {
    /// The database, with what is free in it: its pages.
    pub database: u64,
    /// The search index: its file.
    pub search_index: u64,
    /// Texts and bodies, estimated from 200 events all over the log.
    pub texts: u64,
    /// Events, by the numbers of the first and the last: so many at most.
    pub events: u64,
    /// Deliveries, by the numbers of the first and the last: so many at most.
    pub deliveries: u64,
    /// What is free on the disk; null where the system does not say.
    pub free_disk: Option<u64>,
}

/// How long things are kept, and how much room they take.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Storage {
    /// How long.
    pub retention: Retention,
    /// How much.
    pub sizes: Sizes,
    /// Both in words.
    pub sentence: String,
}

/// What went for its age, or would.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CleanedUp {
    /// Always true.
    pub success: bool,
    /// Events that lost their texts.
    pub texts: u64,
    /// Events that went altogether.
    pub events: u64,
    /// Deliveries that went with them.
    pub deliveries: u64,
    /// Calendar entries long over, of which nothing is known here any more; they stay in the calendar.
    pub calendar_entries: u64,
    /// Bytes of text that went.
    pub bytes: u64,
    /// All in one sentence.
    pub sentence: String,
}

/// A member that is there, even if it is null.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl Retention {
    fn read(conn: &rusqlite::Connection) -> Result<Self> {
        Ok(Self {
            texts_days: db::retention::setting(conn, TEXTS_DAYS)?.unwrap_or(USUAL_TEXTS_DAYS),
            facts_days: db::retention::setting(conn, FACTS_DAYS)?.flatten(),
        })
    }

    fn with(self, patch: RetentionPatch) -> Result<Self> {
        let new = Self {
            texts_days: patch.texts_days.unwrap_or(self.texts_days),
            facts_days: patch.facts_days.unwrap_or(self.facts_days),
        };
        if new.texts_days > MOST_DAYS {
            return Err(Error::field(
                "retention.textsDays",
                "out_of_range",
                format!("This may be 1 to {MOST_DAYS} days, or 0 for ever."),
            ));
        }
        match new.facts_days {
            Some(days) if !(1..=MOST_DAYS).contains(&days) => Err(Error::field(
                "retention.factsDays",
                "out_of_range",
                format!("This may be 1 to {MOST_DAYS} days, or null for ever."),
            )),
            Some(days) if days < new.texts_days => Err(Error::field(
                "retention.factsDays",
                "too_short",
                "Facts stay at least as long as their texts. Keep the texts for fewer days first.",
            )),
            _ => Ok(new),
        }
    }

    /// Before when things go.
    fn until(self, what: What, now: Time) -> Option<Time> {
        let days = match what {
            What::Texts => Some(self.texts_days).filter(|days| *days > 0),
            What::Facts => self.facts_days,
        };
        days.map(|days| now.plus_ms(-i64::from(days) * DAY_MS))
    }

    fn sentence(self, sizes: &Sizes) -> String {
        let texts = match self.texts_days {
            0 => "Texts stay for ever".into(),
            days => format!("Texts go after {}", count(days.into(), "day", "days")),
        };
        let facts = match self.facts_days {
            None => "the facts stay for ever".into(),
            Some(days) => format!("the facts after {}", count(days.into(), "day", "days")),
        };
        format!(
            "Signalbox takes {} of this computer. {texts}, {facts}.",
            megabytes(sizes.database + sizes.search_index)
        )
    }
}

/// "1.2 MB"
#[allow(clippy::cast_precision_loss)]
fn megabytes(bytes: u64) -> String {
    match bytes {
        ..1_000 => count(bytes, "byte", "bytes"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

impl CleanedUp {
    fn said(mut self, dry_run: bool) -> Self {
        self.success = true;
        let mut parts = Vec::new();
        if self.texts > 0 {
            let events = count(self.texts, "event", "events");
            parts.push(format!("the texts of {events}"));
        }
        if self.events > 0 {
            let deliveries = count(self.deliveries, "delivery", "deliveries");
            parts.push(format!(
                "{} with {deliveries}",
                count(self.events, "event", "events")
            ));
        }
        if self.calendar_entries > 0 {
            let entries = count(self.calendar_entries, "calendar entry", "calendar entries");
            parts.push(format!("what was known of {entries}"));
        }
        let verb = if dry_run { "would go" } else { "went" };
        self.sentence = if parts.is_empty() {
            "Nothing is old enough to go.".into()
        } else {
            let what = parts.join(" and ");
            format!("{what} {verb}: {}.", megabytes(self.bytes))
        };
        if let Some(first) = self.sentence.get(..1).map(str::to_uppercase) {
            self.sentence.replace_range(..1, &first);
        }
        self
    }
}

impl Hub {
    /// How long things are kept, and how much room they take.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn settings(&self) -> Result<Storage> {
        let home = self.home().to_owned();
        self.db
            .read(move |conn| {
                let (retention, rough) = (Retention::read(conn)?, db::retention::rough(conn)?);
                let index = std::fs::metadata(home.join("search.db"));
                let sizes = Sizes {
                    database: rough.database,
                    search_index: index.map_or(0, |file| file.len()),
                    texts: rough.texts,
                    events: rough.events,
                    deliveries: rough.deliveries,
                    free_disk: fs4::available_space(&home).ok(),
                };
                Ok(Storage {
                    retention,
                    sizes,
                    sentence: retention.sentence(&sizes),
                })
            })
            .await
    }

    /// Alters settings.
    ///
    /// # Errors
    /// `Invalid` for a number of days that cannot be.
    pub async fn update_settings(&self, patch: SettingsPatch) -> Result<Storage> {
        self.db
            .write(move |tx| {
                let new = Retention::read(tx.conn())?.with(patch.retention)?;
                db::retention::set(tx.conn(), TEXTS_DAYS, &new.texts_days)?;
                db::retention::set(tx.conn(), FACTS_DAYS, &new.facts_days)
            })
            .await?;
        self.settings().await
    }

    /// Removes now what is old enough, or counts it.
    ///
    /// # Errors
    /// Trouble of ours; what went until then is gone.
    pub async fn clean_up(&self, dry_run: bool) -> Result<CleanedUp> {
        self.remove_old(dry_run, false).await
    }

    /// Facts first, for what goes altogether needs no second look.
    async fn remove_old(&self, dry_run: bool, politely: bool) -> Result<CleanedUp> {
        let now = self.now();
        let (retention, purged): (_, Option<i64>) = self
            .db
            .read(|conn| {
                Ok((
                    Retention::read(conn)?,
                    db::retention::setting(conn, PURGED_UP_TO)?,
                ))
            })
            .await?;
        let purged = purged.unwrap_or(0);
        let mut done = CleanedUp::default();
        let mut facts_until = None;
        for what in [What::Facts, What::Texts] {
            let Some(until) = retention.until(what, now) else {
                continue;
            };
            let mut after = match what {
                What::Facts => 0,
                What::Texts => purged,
            };
            loop {
                if politely {
                    self.when_quiet().await;
                }
                let started = Instant::now();
                let skip = facts_until.filter(|_| dry_run);
                let batch = self
                    .db
                    .read(move |conn| measure(conn, what, after, until, skip))
                    .await?;
                let Some(last) = batch.last else { break };
                after = last;
                if !dry_run && !batch.events.is_empty() {
                    let events = batch.events.clone();
                    self.db
                        .write(move |tx| {
                            for event in events {
                                // What was queued meanwhile keeps its text.
                                if db::retention::over(tx.conn(), what, event - 1, until, 1)?
                                    != [event]
                                {
                                    continue;
                                }
                                match what {
                                    What::Texts => {
                                        db::retention::purge_texts(tx.conn(), event, now)?;
                                    }
                                    What::Facts => db::retention::drop_facts(tx.conn(), event)?,
                                }
                            }
                            tx.announce(None, Topic::Events);
                            tx.announce(None, Topic::Deliveries);
                            Ok(())
                        })
                        .await?;
                }
                let n = batch.events.len() as u64;
                match what {
                    What::Texts => done.texts += n,
                    What::Facts => {
                        done.events += n;
                        done.deliveries += batch.deliveries;
                    }
                }
                done.bytes += batch.bytes;
                if politely {
                    tokio::time::sleep(started.elapsed() * REST).await;
                }
            }
            if what == What::Facts {
                facts_until = Some(until);
            }
        }
        if let Some(until) = retention.until(What::Texts, now) {
            done.calendar_entries = self.forget_entries(until, dry_run).await?;
        }
        if !dry_run && done.texts + done.events > 0 {
            self.db
                .write(move |tx| {
                    let reached = db::retention::purged_up_to(tx.conn(), purged)?;
                    db::retention::set(tx.conn(), PURGED_UP_TO, &reached)
                })
                .await?;
            self.shrink(politely).await?;
        }
        Ok(done.said(dry_run))
    }

    /// What entries said goes with the texts; an entry that something still waits for stays.
    async fn forget_entries(&self, until: Time, dry_run: bool) -> Result<u64> {
        if dry_run {
            return self
                .db
                .read(move |conn| db::calendar_entries::count_over(conn, until))
                .await;
        }
        let mut gone = 0;
        loop {
            let n = self
                .db
                .write(move |tx| db::calendar_entries::forget_over(tx.conn(), until, ENTRIES))
                .await?;
            gone += n;
            if n < u64::from(ENTRIES) {
                return Ok(gone);
            }
        }
    }

    /// Gives the room that became free back to the system, step by step.
    async fn shrink(&self, politely: bool) -> Result<()> {
        let mut left = u64::MAX;
        loop {
            if politely {
                self.when_quiet().await;
            }
            let now = self
                .db
                .write(|tx| db::retention::shrink(tx.conn(), PAGES))
                .await?;
            if now <= KEPT_FREE || now >= left {
                return Ok(());
            }
            left = now;
        }
    }

    /// Waits until the writer is idle, or its turn has come all the same.
    async fn when_quiet(&self) {
        for _ in 0..LOOKS {
            let before = self.db.commits();
            tokio::time::sleep(QUIET).await;
            if self.db.commits() == before {
                return;
            }
        }
    }
}

/// Some events whose time is over.
struct Batch {
    events: Vec<i64>,
    deliveries: u64,
    bytes: u64,
    last: Option<i64>,
}

/// `skip`: what went before that has been counted as facts.
fn measure(
    conn: &rusqlite::Connection,
    what: What,
    after: i64,
    until: Time,
    skip: Option<Time>,
) -> Result<Batch> {
    let mut events = db::retention::over(conn, what, after, until, BATCH)?;
    let last = events.last().copied();
    if let Some(gone) = skip.filter(|_| what == What::Texts) {
        let gone = db::retention::over(conn, What::Facts, after, gone, BATCH)?;
        events.retain(|event| !gone.contains(event));
    }
    let (mut deliveries, mut bytes) = (0, 0);
    for event in &events {
        let (rows, size) = db::retention::measured(conn, *event)?;
        deliveries += rows;
        bytes += size;
    }
    Ok(Batch {
        events,
        deliveries,
        bytes,
        last,
    })
}

/// Removes what is old enough, once an hour, for as long as the hub runs.
pub(crate) async fn run(hub: Arc<Hub>, mut stop: watch::Receiver<bool>) {
    let mut pause = FIRST;
    loop {
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = EVERY;
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            done = hub.remove_old(false, true) => match done {
                Ok(done) if done.texts + done.events > 0 => tracing::info!("{}", done.sentence),
                Ok(_) => {}
                Err(error) => tracing::error!(%error, source = ?error.source, "what is old could not be removed"),
            }
        }
    }
}
