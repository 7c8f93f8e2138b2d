//! What went out since a time, in figures: by channel and by webhook.

use std::collections::{BTreeMap, HashMap};

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::histogram::StateCounts;
use super::{Channel, Status};
use crate::clock::Time;
use crate::db;
use crate::db::figures::Figure;
use crate::error::Result;
use crate::hub::Hub;
use crate::ids::{WebhookId, WorkspaceId};
use crate::webhooks::store::zone;

/// How far back, unless asked otherwise.
const USUAL_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// A rate of fewer says nothing.
const ENOUGH: u64 = 20;

/// `GET /api/stats`: what was queued since a time, and how it stands now. Tests are not counted.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Stats {
    /// From when on.
    pub since: Time,
    /// Until when: now.
    pub until: Time,
    /// "98.5 % of 212 got through, 9 of them by retrying."
    pub sentence: String,
    /// By way; those with nothing are left out.
    pub channels: Vec<ChannelFigures>,
    /// By webhook; removed ones too, as far as there was something for them.
    pub webhooks: Vec<WebhookFigures>,
}

/// Figures of a way out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChannelFigures {
    /// Which way.
    pub channel: Channel,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Figures of a webhook.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WebhookFigures {
    /// Its id.
    pub webhook_id: WebhookId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub host: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What was queued, and what became of it.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Figures {
    /// All of it.
    pub total: u64,
    /// By status.
    pub counts: ByStatus,
    /// The share that got through at the first try, of what got through or was given up: 0 to 1.
    /// Null for fewer than 20.
    pub first_try_rate: Option<f64>,
    /// The share that got through in the end. Null for fewer than 20.
    pub success_rate: Option<f64>,
    /// Got through, but not at the first try.
    pub rescued: u64,
    /// Half of the last attempts took no longer than this.
    pub p50_ms: Option<u64>,
    /// 95 of 100 of the last attempts took no longer than this.
    pub p95_ms: Option<u64>,
    /// Since when the oldest that is neither through nor given up waits, also from before.
    pub oldest_waiting: Option<Time>,
    /// Per day in the workspace's zone, oldest first, up to today.
    pub days: Vec<DayFigures>,
}

/// How many stand where.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[allow(missing_docs)]
pub struct ByStatus {
    pub pending: u64,
    pub sending: u64,
    pub held: u64,
    pub success: u64,
    pub failed: u64,
    pub unknown: u64,
    pub skipped: u64,
    pub cancelled: u64,
}

/// What was queued on one day, and how it stands now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DayFigures {
    /// `2026-11-24`
    #[cfg_attr(feature = "schema", schema(value_type = String, format = Date))]
    pub day: Date,
    /// How many stand where.
    #[serde(flatten)]
    pub counts: StateCounts,
}

impl ByStatus {
    fn add(&mut self, status: Status) {
        *match status {
            Status::Pending => &mut self.pending,
            Status::Sending => &mut self.sending,
            Status::Held => &mut self.held,
            Status::Success => &mut self.success,
            Status::Failed => &mut self.failed,
            Status::Unknown => &mut self.unknown,
            Status::Skipped => &mut self.skipped,
            Status::Cancelled => &mut self.cancelled,
        } += 1;
    }

    fn take_in(&mut self, other: &Self) {
        self.pending += other.pending;
        self.sending += other.sending;
        self.held += other.held;
        self.success += other.success;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.skipped += other.skipped;
        self.cancelled += other.cancelled;
    }
}

/// Figures in the making.
#[derive(Debug, Default)]
struct Gathered {
    total: u64,
    counts: ByStatus,
    at_once: u64,
    /// How often an attempt took so long: few lengths, however many attempts.
    durations: BTreeMap<u64, u64>,
    days: BTreeMap<Date, StateCounts>,
}

impl Gathered {
    fn add(&mut self, figure: &Figure<'_>, day: Date) {
        self.total += 1;
        self.counts.add(figure.status);
        // Tries that ended without a network, or with this process, are none.
        self.at_once += u64::from(figure.status == Status::Success && figure.tries <= 1);
        if let Some(duration) = figure.duration_ms {
            *self.durations.entry(duration).or_default() += 1;
        }
        self.days.entry(day).or_default().add(figure.status, 1);
    }

    fn take_in(&mut self, other: &Self) {
        self.total += other.total;
        self.counts.take_in(&other.counts);
        self.at_once += other.at_once;
        for (duration, count) in &other.durations {
            *self.durations.entry(*duration).or_default() += count;
        }
        for (day, counts) in &other.days {
            self.days.entry(*day).or_default().take_in(*counts);
        }
    }

    /// The length below which this share of the attempts stays.
    fn within(&self, percent: u64) -> Option<u64> {
        let all: u64 = self.durations.values().sum();
        let mut left = (all * percent).div_ceil(100);
        self.durations.iter().find_map(|(duration, count)| {
            left = left.saturating_sub(*count);
            (left == 0).then_some(*duration)
        })
    }

    fn figures(self, days: Option<(Date, Date)>, oldest_waiting: Option<Time>) -> Figures {
        let ended = self.counts.success + self.counts.failed;
        let mut series = Vec::new();
        if let Some((mut day, today)) = days {
            while day <= today {
                let counts = self.days.get(&day).copied().unwrap_or_default();
                series.push(DayFigures { day, counts });
                match day.checked_add(1.day()) {
                    Ok(next) => day = next,
                    Err(_) => break,
                }
            }
        }
        Figures {
            total: self.total,
            first_try_rate: rate(self.at_once, ended),
            success_rate: rate(self.counts.success, ended),
            rescued: self.counts.success - self.at_once,
            p50_ms: self.within(50),
            p95_ms: self.within(95),
            counts: self.counts,
            oldest_waiting,
            days: series,
        }
    }
}

/// A share, where there are enough to speak of one.
#[allow(clippy::cast_precision_loss)]
fn rate(some: u64, of: u64) -> Option<f64> {
    (of >= ENOUGH).then(|| some as f64 / of as f64)
}

fn sentence(success: u64, rescued: u64, failed: u64, total: u64) -> String {
    if total == 0 {
        return "Nothing was sent in this time.".into();
    }
    let mut said = match rate(success, success + failed) {
        // Never "100 %" while one of them failed.
        Some(rate) => {
            let tenths = (rate * 1000.0).floor() / 10.0;
            format!("{tenths} % of {} got through", success + failed)
        }
        None => format!("{success} of {total} got through"),
    };
    if rescued > 0 {
        said.push_str(&format!(", {rescued} of them by retrying"));
    }
    if failed > 0 {
        said.push_str(&format!("; {failed} did not"));
    }
    said + "."
}

/// Days in a zone, for times that come in order.
struct Calendar {
    zone: TimeZone,
    today: Option<(Date, Time, Time)>,
}

impl Calendar {
    fn day(&mut self, at: Time) -> Date {
        if let Some((day, start, end)) = self.today
            && (start..end).contains(&at)
        {
            return day;
        }
        let day = at
            .to_timestamp()
            .to_zoned_datetime(self.zone.clone())
            .date();
        let start = |day: Date| {
            let start = day.to_zoned_datetime(self.zone.clone()).ok()?;
            Some(Time::from_ms(start.timestamp().as_millisecond()))
        };
        self.today = start(day)
            .zip(day.checked_add(1.day()).ok().and_then(start))
            .map(|(start, end)| (day, start, end));
        day
    }
}

impl Hub {
    /// What went out since a time, in figures; without one, since a week ago.
    ///
    /// # Errors
    /// `NotFound` when there is no such workspace.
    pub async fn stats(&self, workspace: WorkspaceId, since: Option<Time>) -> Result<Stats> {
        let now = self.now();
        let since = since.unwrap_or(now.plus_ms(-USUAL_MS));
        self.db
            .read(move |conn| {
                let mut calendar = Calendar {
                    zone: zone(conn, workspace)?,
                    today: None,
                };
                let mut gathered: Vec<(Channel, String, Gathered)> = Vec::new();
                let mut first = None;
                db::figures::each_since(conn, workspace, since, |figure| {
                    let day = calendar.day(figure.created_at);
                    first.get_or_insert(day);
                    // Endpoints are few, and the next row is often for the next one.
                    let known = gathered.iter_mut().find(|(channel, endpoint, _)| {
                        endpoint == figure.endpoint && *channel == figure.channel
                    });
                    match known {
                        Some((.., known)) => known.add(figure, day),
                        None => {
                            let mut new = Gathered::default();
                            new.add(figure, day);
                            gathered.push((figure.channel, figure.endpoint.to_owned(), new));
                        }
                    }
                })?;
                // Days before the first that has something are left out, unless it is a short time.
                let today = calendar.day(now);
                let days = (since <= now).then(|| {
                    let asked = calendar.day(since);
                    let recent = today.saturating_sub(31.days());
                    (asked.max(first.unwrap_or(today).min(recent)), today)
                });
                let mut oldest = db::figures::oldest_waiting(conn, workspace)?;
                for row in db::webhooks::all(conn, workspace)? {
                    let id = row.id.to_string();
                    if !gathered.iter().any(|(_, endpoint, _)| *endpoint == id) {
                        gathered.push((Channel::Webhook, id, Gathered::default()));
                    }
                }
                let (mut channels, mut webhooks) = (HashMap::new(), Vec::new());
                for (channel, endpoint, figures) in gathered {
                    let waiting = oldest.remove(&(channel, endpoint.clone()));
                    let (all, since): &mut (Gathered, Option<Time>) =
                        channels.entry(channel).or_default();
                    all.take_in(&figures);
                    *since = match (*since, waiting) {
                        (Some(one), Some(other)) => Some(one.min(other)),
                        (one, other) => one.or(other),
                    };
                    if let (Channel::Webhook, Ok(id)) = (channel, endpoint.parse()) {
                        let (name, url) =
                            db::figures::webhook(conn, &endpoint)?.unwrap_or_default();
                        webhooks.push(WebhookFigures {
                            webhook_id: id,
                            name,
                            host: crate::webhooks::host_of(&url),
                            figures: figures.figures(days, waiting),
                        });
                    }
                }
                webhooks.sort_by_key(|one| std::cmp::Reverse(one.figures.total));
                let mut said = (0, 0, 0, 0);
                let channels = [
                    Channel::Webhook,
                    Channel::Email,
                    Channel::Sms,
                    Channel::Calendar,
                    Channel::Storage,
                ]
                .into_iter()
                .filter_map(|channel| {
                    let (all, waiting) = channels.remove(&channel)?;
                    let figures = all.figures(days, waiting);
                    said.0 += figures.counts.success;
                    said.1 += figures.rescued;
                    said.2 += figures.counts.failed;
                    said.3 += figures.total;
                    let some = figures.total > 0 || figures.oldest_waiting.is_some();
                    some.then_some(ChannelFigures { channel, figures })
                })
                .collect();
                Ok(Stats {
                    since,
                    until: now,
                    sentence: sentence(said.0, said.1, said.2, said.3),
                    channels,
                    webhooks,
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_from_twenty_on_and_is_never_rounded_up_to_all() {
        assert_eq!(rate(19, 19), None);
        assert_eq!(rate(19, 20), Some(0.95));
        assert_eq!(
            sentence(19, 2, 0, 19),
            "19 of 19 got through, 2 of them by retrying."
        );
        assert_eq!(
            sentence(9_999, 0, 1, 10_004),
            "99.9 % of 10000 got through; 1 did not."
        );
        assert_eq!(sentence(20, 0, 0, 20), "100 % of 20 got through.");
        assert_eq!(sentence(0, 0, 0, 0), "Nothing was sent in this time.");
    }

    #[test]
    fn half_and_most_of_the_attempts_are_found_among_equal_lengths() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.within(50), None);
        gathered.durations = BTreeMap::from([(10, 94), (20, 1), (3000, 5)]);
        assert_eq!(
            (gathered.within(50), gathered.within(95)),
            (Some(10), Some(20))
        );
        assert_eq!(gathered.within(99), Some(3000));
    }

    #[test]
    fn a_day_ends_at_midnight_in_the_zone() {
        let mut calendar = Calendar {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            today: None,
        };
        for (at, day) in [
            ("2026-11-24T22:59:59.999Z", "2026-11-24"),
            ("2026-11-24T23:00:00Z", "2026-11-25"),
            ("2026-11-24T12:00:00Z", "2026-11-24"),
        ] {
            assert_eq!(calendar.day(Time::parse(at).unwrap()).to_string(), day);
        }
    }
}
