//! Many at once, again: new deliveries of the same events, with the same ids and bytes.
//!
//! What a run queues is what a dry run counts: both look at the rows of the filter in order, up to
//! the last row there was, and ask [`left_out`] about each. The rows are queued in waves beside the
//! rest of the day, so that memory stays flat, live calls have their turn, and an end in between
//! costs nothing: the table `replays` knows how far it is.
//!
//! One that was given up stays `failed`, for that is what happened to it. It gets the reason
//! `replayed` and needs the owner no more; its new delivery does, should it fail as well. Where the
//! owner stops the replay before, it needs the owner again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use super::{DeliveryFilter, Order, Reason, Status};
use crate::automations::again::{Anew, Written};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::log::{Asked, Wanted};
use crate::db::replays::{Candidate, Enters, NewRow, Place, ReplayRow};
use crate::db::search::Look;
use crate::db::{self, Tx};
use crate::error::{Error, Result};
use crate::explain::count;
use crate::hub::Hub;
use crate::ids::{ReplayId, WorkspaceId};

/// So many rows are looked at, and at most queued, in one go.
const WAVE: usize = 500;
/// No more are queued while so many wait for their first try.
const AHEAD: u64 = 500;
/// When so many wait, it is looked again after this long.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// After trouble of ours.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// Replays are shown for so long.
const SHOWN_MS: i64 = 7 * 24 * 60 * 60 * 1000;
const MOST_PER_MINUTE: u32 = 6_000;

/// What is to be sent again.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewReplay {
    /// Which deliveries: the members of the query of `GET /api/deliveries`, without those about pages.
    pub filter: DeliveryFilter,
    /// What is sent; `original` unless said otherwise.
    #[serde(default)]
    pub content: Content,
    /// True: only counts what a run would queue.
    #[serde(default)]
    pub dry_run: bool,
    /// So many a minute, 1 to 6,000; null is as fast as the receivers take them.
    #[serde(default)]
    pub per_minute: Option<u32>,
}

/// What a replay sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Content {
    /// The same bytes as the first time.
    #[default]
    Original,
    /// Where an automation made it: its text as it is now, made anew from the event. Anything else
    /// as the first time.
    Current,
}

/// Why a delivery that fits the filter is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum WhyLeft {
    /// A test is never sent again.
    Test,
    /// Its webhook was removed: there is nowhere to send it.
    WebhookDeleted,
    /// Its integration is not set up, or was disconnected.
    NotConfigured,
    /// Its integration is switched off, and what comes meanwhile is not sent.
    Disabled,
    /// Whoever it is for answered STOP.
    AnsweredStop,
    /// It has not ended; it goes out by itself.
    StillWaiting,
    /// It is being sent again already.
    AlreadyReplayedAndWaiting,
    /// It was given up, and got through when it was sent again.
    GotThroughSince,
    /// It was sent again, and that delivery fits the filter too: only the newest is sent.
    ReplayedSince,
    /// Its text was removed for its age.
    TextPurged,
    /// Something newer happened to the same: it is not the truth any more.
    Superseded,
    /// The moment for it had passed.
    TooLate,
    /// A value is missing, so that there is no text.
    MissingValue,
    /// There is nobody to send it to.
    NoRecipient,
    /// Its automation was removed: there is no text to make it of.
    AutomationDeleted,
    /// Its automation does not ask for it any more.
    Filtered,
}

/// Deliveries that fit the filter and are left out.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Left {
    /// Why.
    pub reason: WhyLeft,
    /// How many.
    pub count: u64,
    /// The same as a sentence.
    pub sentence: String,
}

/// What is sent again, or would be.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Replayed {
    /// Always true.
    pub success: bool,
    /// How many deliveries fit the filter.
    pub matched: u64,
    /// How many of them are sent again. They are queued from now on, one after the other.
    pub queued: u64,
    /// The others.
    pub excluded: Vec<Left>,
    /// All in one sentence.
    pub sentence: String,
    /// Where to ask how far it is; null for a dry run, and where nothing is sent.
    pub replay_id: Option<ReplayId>,
}

/// Many being sent again, and how far that is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// When it began.
    pub started_at: Time,
    /// All of it: `sent`, `failed`, `waiting` and `cancelled` together.
    pub total: u64,
    /// Got through.
    pub sent: u64,
    /// Given up.
    pub failed: u64,
    /// Queued and not final, or not queued yet.
    pub waiting: u64,
    /// Closed, or never queued because it was stopped.
    pub cancelled: u64,
    /// So many a minute at most.
    pub per_minute: Option<u32>,
    /// Something of it waits.
    pub is_running: bool,
    /// All in one sentence.
    pub sentence: String,
}

/// What the hub keeps for replays.
#[derive(Debug, Default)]
pub(crate) struct Replaying {
    /// One is counted and begun at a time, so that two clicks never count the same rows.
    beginning: tokio::sync::Mutex<()>,
    wake: Notify,
}

/// What is looked at: the filter, up to a row, beside other replays.
struct Survey {
    asked: Asked,
    wanted: Wanted,
    workspace: WorkspaceId,
    bound: i64,
    own: Option<i64>,
    /// What each of the other replays will look at yet, or has since.
    beside: Vec<(i64, i64, Asked)>,
    /// Where texts are made anew: what makes them.
    anew: Option<Anew>,
}

/// Some rows of a survey, with what only the log can tell of them.
struct Batch {
    seqs: Vec<i64>,
    /// Those that another replay has on its list.
    planned: HashSet<i64>,
    /// Final deliveries that say the same and fit the filter too.
    newer: HashSet<i64>,
    /// Texts that were made anew, or why there are none.
    anew: HashMap<i64, std::result::Result<Written, WhyLeft>>,
}

impl Survey {
    fn new(
        conn: &Connection,
        workspace: WorkspaceId,
        wanted: Wanted,
        content: Content,
        bound: i64,
        own: Option<i64>,
        others: &[(i64, i64)],
    ) -> Result<Self> {
        let mut beside = Vec::new();
        for (seq, position) in others {
            let Some(other) = db::replays::at(conn, *seq)? else {
                continue;
            };
            let asked = Asked::deliveries(conn, workspace, &stored(&other)?.wanted()?)?;
            beside.push((*seq, *position, asked.all_up_to(other.bound)));
        }
        Ok(Self {
            asked: Asked::deliveries(conn, workspace, &wanted)?.all_up_to(bound),
            wanted,
            workspace,
            bound,
            own,
            beside,
            anew: match content {
                Content::Original => None,
                Content::Current => Some(Anew::read(conn, workspace)?),
            },
        })
    }

    fn next(
        &self,
        conn: &Connection,
        look: &mut Look,
        after: i64,
        limit: usize,
    ) -> Result<(Batch, Vec<Candidate>)> {
        let seqs = self
            .asked
            .find(conn, look, Some(after), Order::Asc, limit)?;
        let rows = db::replays::candidates(conn, &seqs)?;
        let mut planned = HashSet::new();
        for (_, position, asked) in &self.beside {
            let ahead: Vec<i64> = seqs.iter().copied().filter(|s| s > position).collect();
            planned.extend(asked.among(conn, &ahead)?);
        }
        let others: Vec<i64> = rows
            .iter()
            .flat_map(|row| {
                row.others
                    .iter()
                    .filter(|other| other.seq > row.seq && other.seq <= self.bound)
            })
            .map(|other| other.seq)
            .collect();
        let newer = self.asked.among(conn, &others)?.into_iter().collect();
        let mut anew = HashMap::new();
        for row in rows.iter().filter(|row| !row.purged) {
            if let (Some(texts), Some(automation)) = (&self.anew, row.automation) {
                anew.insert(row.seq, texts.write(conn, automation, row.event_seq)?);
            }
        }
        Ok((
            Batch {
                seqs,
                planned,
                newer,
                anew,
            },
            rows,
        ))
    }

    fn is_beside(&self, replay: Option<i64>) -> bool {
        replay.is_some_and(|replay| self.beside.iter().any(|(seq, ..)| *seq == replay))
    }

    /// Why a row is not sent again. Pure.
    fn left_out(&self, row: &Candidate, batch: &Batch) -> Option<WhyLeft> {
        let open = |status| {
            matches!(
                status,
                Status::Pending | Status::Sending | Status::Held | Status::Unknown
            )
        };
        let again_already = self.is_beside(row.replay)
            || batch.planned.contains(&row.seq)
            || row.others.iter().any(|other| {
                open(other.status)
                    || self.is_beside(other.replay)
                    || (other.seq > self.bound && other.replay != self.own)
            });
        let mut later = row.others.iter().filter(|other| other.seq > row.seq);
        if row.test {
            Some(WhyLeft::Test)
        } else if let Some(why) = row.place.refuses() {
            Some(why)
        } else if row.unwanted {
            Some(WhyLeft::AnsweredStop)
        } else if open(row.status) {
            Some(WhyLeft::StillWaiting)
        } else if again_already {
            Some(WhyLeft::AlreadyReplayedAndWaiting)
        } else if row.status != Status::Success
            && later.clone().any(|other| other.status == Status::Success)
        {
            Some(WhyLeft::GotThroughSince)
        } else if later.any(|other| batch.newer.contains(&other.seq)) {
            Some(WhyLeft::ReplayedSince)
        } else if row.purged {
            Some(WhyLeft::TextPurged)
        } else if row.reason == Some(Reason::Superseded) {
            Some(WhyLeft::Superseded)
        } else if row.reason == Some(Reason::TooLate) {
            Some(WhyLeft::TooLate)
        } else {
            match batch.anew.get(&row.seq) {
                Some(written) => written.as_ref().err().copied(),
                None if row.has_text => None,
                None if row.reason == Some(Reason::NoRecipient) => Some(WhyLeft::NoRecipient),
                None => Some(WhyLeft::MissingValue),
            }
        }
    }

    fn count(&self, conn: &Connection, look: &mut Look) -> Result<Counted> {
        let (mut counted, mut after) = (Counted::default(), 0);
        loop {
            let (batch, rows) = self.next(conn, look, after, WAVE)?;
            for row in &rows {
                counted.matched += 1;
                match self.left_out(row, &batch) {
                    Some(why) => *counted.left.entry(why).or_default() += 1,
                    None => {
                        counted.queued += 1;
                        if !counted.receivers.contains(&row.endpoint) {
                            counted.receivers.insert(row.endpoint.clone());
                        }
                    }
                }
            }
            match batch.seqs.last() {
                Some(last) if batch.seqs.len() == WAVE => after = *last,
                _ => return Ok(counted),
            }
        }
    }
}

impl Place {
    /// Why nothing is queued for it.
    const fn refuses(self) -> Option<WhyLeft> {
        match self {
            Self::Removed => Some(WhyLeft::WebhookDeleted),
            Self::NotSetUp => Some(WhyLeft::NotConfigured),
            Self::Skips => Some(WhyLeft::Disabled),
            Self::Open | Self::Holds(_) => None,
        }
    }
}

#[derive(Default)]
struct Counted {
    matched: u64,
    queued: u64,
    left: BTreeMap<WhyLeft, u64>,
    receivers: BTreeSet<String>,
}

impl Counted {
    fn said(self, dry_run: bool, replay_id: Option<ReplayId>) -> Replayed {
        let n = self.queued;
        let sentence = match (self.matched, n) {
            (0, _) => "Nothing fits this filter.".into(),
            (_, 0) => "Nothing of this can be sent again.".into(),
            _ if dry_run => format!(
                "{} out again, to {}.",
                count(n, "call would go", "calls would go"),
                count(self.receivers.len() as u64, "receiver", "receivers")
            ),
            _ => format!("{} being sent again.", count(n, "call is", "calls are")),
        };
        Replayed {
            success: true,
            matched: self.matched,
            queued: n,
            excluded: self
                .left
                .into_iter()
                .map(|(reason, n)| Left {
                    reason,
                    count: n,
                    sentence: why_left(reason, n),
                })
                .collect(),
            sentence,
            replay_id,
        }
    }
}

/// Why so many are left out.
fn why_left(reason: WhyLeft, n: u64) -> String {
    let of = |one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    match reason {
        WhyLeft::Test => of(
            "is a test; tests are never sent again.",
            "are tests; tests are never sent again.",
        ),
        WhyLeft::WebhookDeleted => format!("{n} cannot be sent: the webhook was removed."),
        WhyLeft::NotConfigured => {
            format!("{n} cannot be sent: the integration is not set up. Set it up first.")
        }
        WhyLeft::Disabled => {
            format!("{n} would not be sent: the integration is switched off. Switch it on first.")
        }
        WhyLeft::AnsweredStop => {
            format!("{n} will not be sent: the person answered STOP. Tell them another way.")
        }
        WhyLeft::StillWaiting => of(
            "has not ended; it goes out without this.",
            "have not ended; they go out without this.",
        ),
        WhyLeft::AlreadyReplayedAndWaiting => of(
            "is being sent again already.",
            "are being sent again already.",
        ),
        WhyLeft::GotThroughSince => of(
            "got through since, when it was sent again.",
            "got through since, when they were sent again.",
        ),
        WhyLeft::ReplayedSince => of(
            "was sent again before; only the newest of the same is sent.",
            "were sent again before; only the newest of the same is sent.",
        ),
        WhyLeft::TextPurged => format!("{n} cannot be sent: the text was removed for its age."),
        WhyLeft::Superseded => of(
            "is the truth no more: something newer happened to the same.",
            "are the truth no more: something newer happened to the same.",
        ),
        WhyLeft::TooLate => format!("{n} too late: the moment for it had passed."),
        WhyLeft::MissingValue => format!("{n} cannot be sent: a value is missing."),
        WhyLeft::NoRecipient => of(
            "has nobody it could go to.",
            "have nobody they could go to.",
        ),
        WhyLeft::AutomationDeleted => {
            format!("{n} cannot be made anew: the automation was removed.")
        }
        WhyLeft::Filtered => of(
            "is not asked for by its automation any more.",
            "are not asked for by their automation any more.",
        ),
    }
}

/// The filter as it is stored with a replay.
fn stored(row: &ReplayRow) -> Result<DeliveryFilter> {
    serde_json::from_str(&row.filter).map_err(Error::internal)
}

fn shown(conn: &Connection, row: &ReplayRow) -> Result<Replay> {
    let standing = db::replays::standing(conn, row.seq)?;
    let ended = row.queued_at.is_some();
    let known = standing.sent + standing.failed + standing.waiting + standing.cancelled;
    let unqueued = if ended && row.cancelled_at.is_none() {
        0
    } else {
        row.total.saturating_sub(row.queued)
    };
    let (waiting, cancelled) = if row.cancelled_at.is_some() {
        (standing.waiting, standing.cancelled + unqueued)
    } else {
        (standing.waiting + unqueued, standing.cancelled)
    };
    let total = known + unqueued;
    let is_running = waiting > 0;
    let parts: Vec<String> = [
        (standing.sent, "got through"),
        (standing.failed, "failed"),
        (cancelled, "stopped"),
        (waiting, if waiting == 1 { "waits" } else { "wait" }),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    let calls = count(total, "call", "calls");
    let head = match (is_running, row.cancelled_at) {
        (true, None) => format!("Sending {calls} again"),
        (_, Some(_)) => format!("Stopped sending {calls} again"),
        (false, None) => format!("Sent {calls} again"),
    };
    let sentence = if parts.is_empty() {
        format!("{head}.")
    } else {
        format!("{head}: {}.", parts.join(", "))
    };
    Ok(Replay {
        id: row.id,
        started_at: row.started_at,
        total,
        sent: standing.sent,
        failed: standing.failed,
        waiting,
        cancelled,
        per_minute: row.per_minute,
        is_running,
        sentence,
    })
}

impl NewReplay {
    fn check(&self) -> Result<()> {
        if self
            .per_minute
            .is_some_and(|n| !(1..=MOST_PER_MINUTE).contains(&n))
        {
            return Err(Error::field(
                "perMinute",
                "out_of_range",
                format!(
                    "This may be 1 to {MOST_PER_MINUTE} a minute; leave it out for as fast as the receivers take them."
                ),
            ));
        }
        let filter = &self.filter;
        for (given, path) in [
            (filter.limit.is_some(), "filter.limit"),
            (filter.cursor.is_some(), "filter.cursor"),
            (filter.at.is_some(), "filter.at"),
            (filter.order.is_some(), "filter.order"),
        ] {
            if given {
                return Err(Error::field(
                    path,
                    "unknown",
                    "All that fit are sent again, oldest first; leave out what is about pages.",
                ));
            }
        }
        Ok(())
    }
}

impl Hub {
    /// Sends again what fits a filter, or counts it. It is queued from now on, in waves.
    ///
    /// # Errors
    /// `Invalid` for a filter, a content or a pace that is none; trouble of ours.
    pub async fn replay_deliveries(
        &self,
        workspace: WorkspaceId,
        new: NewReplay,
    ) -> Result<Replayed> {
        new.check()?;
        let wanted = new.filter.wanted().map_err(|mut error| {
            for field in &mut error.fields {
                field.path = format!("filter.{}", field.path);
            }
            error
        })?;
        let filter = serde_json::to_string(&new.filter).map_err(Error::internal)?;
        let content = new.content;
        let _alone = match new.dry_run {
            true => None,
            false => Some(self.replaying.beginning.lock().await),
        };
        let (counted, bound, beside) = self
            .db
            .read_log(move |conn, look| {
                let bound = db::deliveries::last_row(conn)?;
                let beside = db::replays::running(conn, workspace)?;
                let survey = Survey::new(conn, workspace, wanted, content, bound, None, &beside)?;
                Ok((survey.count(conn, look)?, bound, beside))
            })
            .await?;
        if new.dry_run || counted.queued == 0 {
            return Ok(counted.said(new.dry_run, None));
        }
        let (id, total, now) = (ReplayId::new(), counted.queued, self.now());
        let per_minute = new.per_minute;
        self.db
            .write(move |tx| {
                db::replays::insert(
                    tx.conn(),
                    &NewRow {
                        id,
                        workspace,
                        filter: &filter,
                        content,
                        bound,
                        beside: &beside,
                        total,
                        per_minute,
                        now,
                    },
                )?;
                tx.announce(Some(workspace), Topic::Deliveries);
                Ok(())
            })
            .await?;
        self.replaying.wake.notify_one();
        Ok(counted.said(false, Some(id)))
    }

    /// The replays that run, and those of the last seven days.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn replays(&self, workspace: WorkspaceId) -> Result<Vec<Replay>> {
        let since = self.now().plus_ms(-SHOWN_MS);
        self.db
            .read(move |conn| {
                db::replays::shown(conn, workspace, since)?
                    .iter()
                    .map(|row| shown(conn, row))
                    .collect()
            })
            .await
    }

    /// One replay, and how far it is.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn replay(&self, workspace: WorkspaceId, id: ReplayId) -> Result<Replay> {
        self.db
            .read(move |conn| {
                let row = db::replays::get(conn, workspace, id)?
                    .ok_or_else(|| Error::not_found("replay"))?;
                shown(conn, &row)
            })
            .await
    }

    /// Stops a replay: nothing more is queued, and what it queued and is not out is closed. How
    /// many that were, and how it stands then; stopping it twice changes nothing.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when it has ended by itself.
    pub async fn cancel_replay(
        &self,
        workspace: WorkspaceId,
        id: ReplayId,
    ) -> Result<(u64, Replay)> {
        let now = self.now();
        let (seq, mut stopped) = self
            .db
            .write(move |tx| {
                let row = db::replays::get(tx.conn(), workspace, id)?
                    .ok_or_else(|| Error::not_found("replay"))?;
                if row.cancelled_at.is_some() {
                    return Ok((row.seq, 0));
                }
                if !shown(tx.conn(), &row)?.is_running {
                    return Err(Error::conflict(
                        "This has ended: everything of it is out already.",
                    ));
                }
                db::replays::cancelled(tx.conn(), row.seq, now)?;
                let unqueued = match row.queued_at {
                    Some(_) => 0,
                    None => row.total.saturating_sub(row.queued),
                };
                Ok((row.seq, unqueued))
            })
            .await?;
        loop {
            let lanes = self.lanes.clone();
            let closed = self
                .db
                .write(move |tx| {
                    let closed = db::replays::cancel_some(tx.conn(), seq, now, WAVE)?;
                    for (endpoint, subject) in &closed {
                        if let Some(subject) = subject
                            && db::deliveries::release_next(tx.conn(), endpoint, subject, now)?
                        {
                            let (lanes, endpoint) = (lanes.clone(), endpoint.clone());
                            tx.after_commit(move || lanes.look(&endpoint));
                        }
                    }
                    tx.announce(Some(workspace), Topic::Deliveries);
                    Ok(closed.len())
                })
                .await?;
            stopped += closed as u64;
            if closed < WAVE {
                return Ok((stopped, self.replay(workspace, id).await?));
            }
        }
    }

    /// Queues what is due of all replays; says when to look again, if there is more.
    pub(crate) async fn go_on_replaying(&self) -> Result<Option<Duration>> {
        let now = self.now();
        let going = self
            .db
            .read(|conn| {
                db::replays::going(conn)?
                    .into_iter()
                    .map(|row| Ok((db::replays::untried(conn, row.seq)?, row)))
                    .collect::<Result<Vec<_>>>()
            })
            .await?;
        let mut soonest = None::<Duration>;
        for (untried, row) in going {
            let wait = row.next_at.ms_since(now);
            let pause = if wait > 0 {
                // A clock that was set back must not stop it.
                Duration::from_millis(wait.cast_unsigned().min(60_000))
            } else if untried >= AHEAD {
                LOOK_AGAIN
            } else {
                self.wave(row).await?;
                Duration::ZERO
            };
            soonest = Some(soonest.map_or(pause, |known| known.min(pause)));
        }
        Ok(soonest)
    }

    /// Queues the next rows of a replay, in one short transaction.
    async fn wave(&self, row: ReplayRow) -> Result<()> {
        let (now, lanes) = (self.now(), self.lanes.clone());
        let room = row
            .per_minute
            .map_or(WAVE, |n| (n as usize).div_ceil(60).min(WAVE));
        let wanted = stored(&row)?.wanted()?;
        let (seq, position) = (row.seq, row.position);
        let (survey, batch) = self
            .db
            .read_log(move |conn, look| {
                let survey = Survey::new(
                    conn,
                    row.workspace,
                    wanted,
                    row.content,
                    row.bound,
                    Some(row.seq),
                    &row.beside,
                )?;
                let (batch, _) = survey.next(conn, look, row.position, WAVE)?;
                Ok((survey, batch))
            })
            .await?;
        self.db
            .write(move |tx| {
                let Some(row) = db::replays::at(tx.conn(), seq)?
                    .filter(|row| row.queued_at.is_none() && row.position == position)
                else {
                    return Ok(());
                };
                let mut reached = batch.seqs.last().copied().unwrap_or(row.bound);
                let mut whole = batch.seqs.len() < WAVE;
                let mut places = HashSet::new();
                let mut queued = 0;
                for one in db::replays::candidates(tx.conn(), &batch.seqs)? {
                    // What moved this very moment may fit no more.
                    let fits = survey.wanted.statuses.is_empty()
                        || survey.wanted.statuses.contains(&one.status);
                    if !fits || survey.left_out(&one, &batch).is_some() {
                        continue;
                    }
                    if queued == room {
                        (reached, whole) = (one.seq - 1, false);
                        break;
                    }
                    let anew = batch.anew.get(&one.seq).and_then(|made| made.as_ref().ok());
                    queue(tx, &one, anew, seq, now, &lanes)?;
                    queued += 1;
                    places.insert(one.endpoint);
                }
                let next_at = match row.per_minute {
                    Some(n) if queued > 0 => {
                        now.plus_ms((queued as i64 * 60_000).div_euclid(i64::from(n.max(1))))
                    }
                    _ => now,
                };
                db::replays::advance(tx.conn(), seq, reached, queued as u64, next_at)?;
                if whole {
                    db::replays::all_queued(tx.conn(), seq, now)?;
                }
                tx.after_commit(move || places.iter().for_each(|place| lanes.look(place)));
                tx.announce(Some(survey.workspace), Topic::Deliveries);
                Ok(())
            })
            .await
    }
}

fn queue(
    tx: &mut Tx<'_>,
    of: &Candidate,
    anew: Option<&Written>,
    replay: i64,
    now: Time,
    lanes: &crate::outbox::lanes::Lanes,
) -> Result<()> {
    let id = tx.delivery_id(now);
    let enters = match (of.place, &of.subject) {
        (Place::Holds(reason), _) => Enters::Held(reason),
        (_, Some(subject))
            if db::deliveries::has_open_earlier(
                tx.conn(),
                &of.endpoint,
                subject,
                id.row(),
                now,
            )? =>
        {
            let (lanes, endpoint) = (lanes.clone(), of.endpoint.clone());
            let at = now.plus_ms(db::deliveries::ORDER_WAIT_MS);
            tx.after_commit(move || lanes.due(&endpoint, at));
            Enters::AfterEarlier
        }
        _ => Enters::Due,
    };
    db::replays::queue(tx.conn(), of, replay, id, enters, now)?;
    match anew {
        Some(written) => db::replays::write_anew(
            tx.conn(),
            id,
            written.version,
            &written.recipient,
            written.body.as_bytes(),
        ),
        None => Ok(()),
    }
}

/// Queues what replays have to queue, for as long as the hub runs.
pub(crate) async fn run(hub: Arc<Hub>, mut stop: watch::Receiver<bool>) {
    loop {
        let pause = match hub.go_on_replaying().await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, source = ?error.source, "what is to be sent again could not be queued");
                Some(AFTER_TROUBLE)
            }
        };
        let due = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            () = hub.replaying.wake.notified() => {}
            () = due => {}
        }
    }
}
