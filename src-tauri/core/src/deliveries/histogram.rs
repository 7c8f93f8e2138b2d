//! How many deliveries there were when. Where buckets begin and what the sentence says is pure.

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::read::Reader;
use super::{DeliveryFilter, Order, Status};
use crate::clock::Time;
use crate::db;
use crate::db::log::{Asked, first_from};
use crate::db::search::Of;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::ids::WorkspaceId;

/// Buckets, unless asked otherwise, and at most.
const USUAL_BUCKETS: u32 = 60;
const MOST_BUCKETS: u32 = 200;
/// Sizes of buckets below a day, in minutes. Above it are days, weeks, two weeks, four …
const MINUTES: [i64; 11] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];
const MINUTE_MS: i64 = 60_000;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Deliveries by how they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StateCounts {
    /// Got through.
    pub success: u64,
    /// Due now or later, under way, or being checked.
    pub waiting: u64,
    /// Held, for whatever cause.
    pub held: u64,
    /// Given up.
    pub failed: u64,
    /// Skipped, or closed by the owner.
    pub other: u64,
}

impl StateCounts {
    pub(crate) fn add(&mut self, status: Status, count: u64) {
        *match status {
            Status::Success => &mut self.success,
            Status::Pending | Status::Sending | Status::Unknown => &mut self.waiting,
            Status::Held => &mut self.held,
            Status::Failed => &mut self.failed,
            Status::Skipped | Status::Cancelled => &mut self.other,
        } += count;
    }

    pub(crate) fn take_in(&mut self, other: Self) {
        self.success += other.success;
        self.waiting += other.waiting;
        self.held += other.held;
        self.failed += other.failed;
        self.other += other.other;
    }

    fn total(self) -> u64 {
        self.success + self.waiting + self.held + self.failed + self.other
    }
}

/// A stretch of time and what was queued in it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Bucket {
    /// When it begins; it ends where the next one begins.
    pub start: Time,
    /// How what was queued in it stands now.
    #[serde(flatten)]
    pub counts: StateCounts,
}

/// How many deliveries there were when.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Histogram {
    /// When the first bucket begins.
    pub from: Time,
    /// When the last bucket ends.
    pub to: Time,
    /// How long a bucket is; a day may have an hour more or less.
    pub bucket_seconds: u64,
    /// Oldest first, also those with nothing in them.
    pub buckets: Vec<Bucket>,
    /// "3 failed of 212 since Mon 23 Nov 08:00."
    pub sentence: String,
}

/// Where buckets begin, where the last one ends, and how long one is.
#[derive(Debug, PartialEq, Eq)]
struct Ruler {
    starts: Vec<Time>,
    end: Time,
    seconds: u64,
}

impl Ruler {
    /// The smallest size that needs no more than `most` buckets. One bucket is exactly the time
    /// asked for; others begin where a clock or a calendar in the zone has a mark.
    fn over(from: Time, to: Time, most: usize, zone: &TimeZone) -> Self {
        let to = to.max(from.plus_ms(1));
        if most == 1 {
            let seconds = to.ms_since(from).cast_unsigned().div_ceil(1000);
            return Self {
                starts: vec![from],
                end: to,
                seconds,
            };
        }
        let offset = i64::from(zone.to_offset(from.to_timestamp()).seconds()) * 1000;
        for step in MINUTES.map(|minutes| minutes * MINUTE_MS) {
            let first = (from.as_ms() + offset).div_euclid(step) * step - offset;
            let count = (to.as_ms() - first - 1).div_euclid(step) + 1;
            if count <= most as i64 {
                return Self {
                    starts: (0..count)
                        .map(|n| Time::from_ms(first + n * step))
                        .collect(),
                    end: Time::from_ms(first + count * step),
                    seconds: step.cast_unsigned() / 1000,
                };
            }
        }
        let mut days = 1_i64;
        loop {
            if let Some(ruler) = Self::of_days(days, from, to, most, zone) {
                return ruler;
            }
            days = if days == 1 { 7 } else { days * 2 };
        }
    }

    fn of_days(days: i64, from: Time, to: Time, most: usize, zone: &TimeZone) -> Option<Self> {
        let mut date = from.to_timestamp().to_zoned_datetime(zone.clone()).date();
        if days > 1 {
            let past_monday = i64::from(date.weekday().to_monday_zero_offset());
            date = date.saturating_sub(past_monday.days());
        }
        let mut starts = Vec::new();
        loop {
            // Time ends before the calendar does, on both sides.
            let edge = if starts.is_empty() { from } else { to };
            let start = date.to_zoned_datetime(zone.clone()).map_or(edge, |start| {
                Time::from_ms(start.timestamp().as_millisecond())
            });
            if start < to && starts.len() == most {
                return None;
            }
            if start < to {
                starts.push(start);
            }
            match date.checked_add(days.days()) {
                Ok(next) if start < to => date = next,
                _ => {
                    return Some(Self {
                        starts,
                        end: start.max(to),
                        seconds: days.cast_unsigned() * DAY_SECONDS,
                    });
                }
            }
        }
    }
}

/// The whole in one sentence.
fn sentence(all: StateCounts, since: Option<&str>, until: Option<&str>) -> String {
    let when = match (since, until) {
        (Some(since), Some(until)) => format!(" from {since} to {until}"),
        (Some(since), None) => format!(" since {since}"),
        (None, Some(until)) => format!(" before {until}"),
        (None, None) => String::new(),
    };
    let total = all.total();
    if total == 0 {
        return format!("Nothing{when}.");
    }
    let mut open = String::new();
    for (count, word) in [(all.held, "held"), (all.waiting, "waiting")] {
        if count > 0 {
            open.push_str(&format!(", {count} {word}"));
        }
    }
    if all.failed > 0 {
        format!("{} failed{open} of {total}{when}.", all.failed)
    } else if open.is_empty() {
        format!("{total}{when}, none failed.")
    } else {
        format!("{total}{when}{open}, none failed.")
    }
}

impl Hub {
    /// How many deliveries there were when.
    ///
    /// # Errors
    /// `Invalid` for a status or a number of buckets that is none.
    pub async fn histogram(
        &self,
        workspace: WorkspaceId,
        filter: DeliveryFilter,
        buckets: Option<u32>,
    ) -> Result<Histogram> {
        let most = match buckets.unwrap_or(USUAL_BUCKETS) {
            most @ 1..=MOST_BUCKETS => most as usize,
            _ => {
                return Err(Error::field(
                    "buckets",
                    "out_of_range",
                    format!("There may be 1 to {MOST_BUCKETS} buckets."),
                ));
            }
        };
        filter.is_whole()?;
        let (now, wanted) = (self.now(), filter.wanted()?);
        self.db
            .read_log(move |conn, look| {
                let snapshot = conn.unchecked_transaction()?;
                let conn = &*snapshot;
                let reader = Reader::new(conn, workspace, now)?;
                let asked = Asked::deliveries(conn, workspace, &wanted)?;
                let first = match wanted.since {
                    Some(since) => Some(since),
                    None => match asked.find(conn, look, None, Order::Asc, 1)?.first() {
                        Some(seq) => db::deliveries::at(conn, *seq)?.map(|row| row.created_at),
                        None => None,
                    },
                };
                let to = wanted.until.unwrap_or(now);
                let from = first.unwrap_or(to).min(to);
                let ruler = Ruler::over(from, to, most, reader.zone());
                let starts = ruler
                    .starts
                    .iter()
                    .map(|start| first_from(conn, Of::Deliveries, *start))
                    .collect::<Result<Vec<_>>>()?;
                let tally = asked.tally(conn, look, &starts)?;
                let mut all = StateCounts::default();
                let mut buckets = Vec::with_capacity(tally.len());
                for (start, counts) in ruler.starts.into_iter().zip(tally) {
                    all.take_in(counts);
                    buckets.push(Bucket { start, counts });
                }
                let said = |at: Time| reader.moment(at);
                Ok(Histogram {
                    from: buckets.first().map_or(from, |first| first.start),
                    to: ruler.end,
                    bucket_seconds: ruler.seconds,
                    buckets,
                    sentence: sentence(
                        all,
                        first.map(said).as_deref(),
                        wanted.until.map(said).as_deref(),
                    ),
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(from: &str, to: &str, most: usize) -> (u64, usize, String, String) {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let (from, to) = (Time::parse(from).unwrap(), Time::parse(to).unwrap());
        let ruler = Ruler::over(from, to, most, &zone);
        assert!(ruler.starts.len() <= most && ruler.end >= to);
        assert!(
            ruler
                .starts
                .iter()
                .all(|start| *start < to.max(from.plus_ms(1)))
        );
        (
            ruler.seconds,
            ruler.starts.len(),
            ruler.starts[0].to_string(),
            ruler.end.to_string(),
        )
    }

    #[test]
    fn buckets_have_a_human_size_and_begin_where_clock_and_calendar_have_a_mark() {
        assert_eq!(
            over("2026-11-24T08:07:30Z", "2026-11-24T09:00:00Z", 60),
            (
                60,
                53,
                "2026-11-24T08:07:00.000Z".into(),
                "2026-11-24T09:00:00.000Z".into()
            )
        );
        assert_eq!(
            over("2026-11-21T08:07:00Z", "2026-11-24T08:07:00Z", 60).0,
            7200
        );
        // Days begin at midnight in the zone, also across a change of the clock.
        assert_eq!(
            over("2026-10-01T12:00:00Z", "2026-11-10T12:00:00Z", 60),
            (
                86_400,
                41,
                "2026-09-30T22:00:00.000Z".into(),
                "2026-11-10T23:00:00.000Z".into()
            )
        );
        // Weeks on Mondays.
        assert_eq!(
            over("2026-01-01T12:00:00Z", "2026-11-10T12:00:00Z", 60),
            (
                604_800,
                46,
                "2025-12-28T23:00:00.000Z".into(),
                "2026-11-15T23:00:00.000Z".into()
            )
        );
    }

    #[test]
    fn one_bucket_is_exactly_what_was_asked_for() {
        assert_eq!(
            over("2026-11-24T08:07:30Z", "2026-11-24T09:00:01Z", 1),
            (
                3151,
                1,
                "2026-11-24T08:07:30.000Z".into(),
                "2026-11-24T09:00:01.000Z".into()
            )
        );
    }

    #[test]
    fn any_time_there_is_has_buckets() {
        for most in [1, 2, 60, 200] {
            over("-009999-01-03T00:00:00Z", "9999-12-28T00:00:00Z", most);
            over("0000-01-01T00:00:00Z", "2026-11-24T00:00:00Z", most);
            over("2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", most);
        }
    }

    #[test]
    fn the_sentence_says_what_failed_first_and_held_is_no_failure() {
        let counts = |success, held, failed| StateCounts {
            success,
            held,
            failed,
            ..StateCounts::default()
        };
        assert_eq!(
            sentence(counts(209, 0, 3), Some("Mon 23 Nov 08:00"), None),
            "3 failed of 212 since Mon 23 Nov 08:00."
        );
        assert_eq!(
            sentence(counts(2, 4, 0), Some("08:00"), Some("09:00")),
            "6 from 08:00 to 09:00, 4 held, none failed."
        );
        assert_eq!(sentence(counts(0, 0, 0), None, None), "Nothing.");
    }
}
