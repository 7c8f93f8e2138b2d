//! When something is done: at once, once a change has settled, or at a time of its own. Pure.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Settings;
use crate::clock::Time;
use crate::error::FieldError;
use crate::explain::count;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: u64 = 24 * 60;
/// So late is not late: an event takes a moment to get here.
const ON_TIME_MS: i64 = MINUTE_MS;

/// When a delivery goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    /// As soon as it can.
    AtOnce,
    /// Once so many milliseconds went by without another change.
    Settled(i64),
    /// At a time of its own; past `until` there is no point in it any more.
    At { due: Time, until: Option<Time> },
    /// That time has passed.
    TooLate(Time),
    /// The data has no such time.
    Unknown(String),
}

/// The time that an event's data names, and the zone it is meant in.
pub(crate) fn zone(data: &Value, own: &TimeZone) -> TimeZone {
    data.get("timezone")
        .and_then(Value::as_str)
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or_else(|| own.clone())
}

/// The moment that stands at a dotted path.
fn moment(data: &Value, field: &str, own: &TimeZone) -> Option<Time> {
    let (mut inside, mut beside) = (data, data);
    for name in field.split('.') {
        beside = inside;
        inside = inside.get(name)?;
    }
    let text = inside.as_str()?.trim();
    if let Ok(at) = Time::parse(text) {
        return Some(at);
    }
    let own = zone(data, own);
    let zone = zone(beside, &own);
    let local = match text.parse::<DateTime>() {
        Ok(at) if text.len() > 10 => at,
        _ => text
            .parse::<Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::midnight()),
    };
    let at = local.to_zoned_datetime(zone).ok()?.timestamp();
    Some(Time::from_ms(at.as_millisecond()))
}

/// True for a type whose events come in bursts, of which only the last one counts.
pub(crate) fn is_change(event_type: &str) -> bool {
    event_type.ends_with(".updated") || event_type.ends_with(".cancelled")
}

/// True for an automation that does something at a time of its own.
pub(crate) fn is_follow_up(settings: &Settings) -> bool {
    settings.delay_minutes.is_some() || settings.relative_to.is_some()
}

/// When what an event asks for is done.
pub(crate) fn when(
    settings: &Settings,
    event_type: &str,
    occurred_at: Time,
    data: &Value,
    own: &TimeZone,
    now: Time,
) -> When {
    let (due, until) = if let Some(relative) = &settings.relative_to {
        let Some(at) = moment(data, &relative.field, own) else {
            return When::Unknown(relative.field.clone());
        };
        let due = at.plus_ms(relative.minutes.saturating_mul(MINUTE_MS));
        (due, (relative.minutes < 0).then_some(at))
    } else if let Some(minutes) = settings.delay_minutes {
        (occurred_at.plus_ms(i64::from(minutes) * MINUTE_MS), None)
    } else if is_change(event_type) && settings.gather_seconds > 0 {
        return When::Settled(i64::from(settings.gather_seconds) * 1000);
    } else {
        return When::AtOnce;
    };
    if now.ms_since(due) > ON_TIME_MS {
        When::TooLate(due)
    } else {
        When::At { due, until }
    }
}

/// The hours in which nobody gets a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct QuietHours {
    /// From this time of the day on: `21:00`.
    pub from: String,
    /// Until this time: `08:00`.
    pub to: String,
}

impl QuietHours {
    fn read(&self) -> Option<(jiff::civil::Time, jiff::civil::Time)> {
        let time = |text: &str| {
            (text.len() == 5)
                .then(|| text.parse::<jiff::civil::Time>().ok())
                .flatten()
        };
        Some((time(&self.from)?, time(&self.to)?))
    }

    /// What is wrong with them.
    pub(crate) fn check(&self) -> Option<FieldError> {
        match self.read() {
            Some((from, to)) if from != to => None,
            _ => Some(FieldError::new(
                "quietHours",
                "invalid",
                "Quiet hours go from one time of the day to another, such as 21:00 to 08:00.",
            )),
        }
    }

    /// The moment itself, or where it falls into these hours, their end.
    pub(crate) fn after(&self, at: Time, zone: &TimeZone) -> Time {
        let Some((from, to)) = self.read() else {
            return at;
        };
        let local = at.to_timestamp().to_zoned_datetime(zone.clone());
        let time = local.time();
        let over_midnight = from > to;
        let inside = if over_midnight {
            time >= from || time < to
        } else {
            time >= from && time < to
        };
        if !inside {
            return at;
        }
        let date = if over_midnight && time >= from {
            local.date().tomorrow().unwrap_or(local.date())
        } else {
            local.date()
        };
        date.to_datetime(to)
            .to_zoned_datetime(zone.clone())
            .map_or(at, |end| Time::from_ms(end.timestamp().as_millisecond()))
    }
}

/// "1 day", "90 minutes".
fn long(minutes: u64) -> String {
    if minutes > 0 && minutes.is_multiple_of(DAY_MINUTES) {
        count(minutes / DAY_MINUTES, "day", "days")
    } else if minutes > 0 && minutes.is_multiple_of(60) {
        count(minutes / 60, "hour", "hours")
    } else {
        count(minutes, "minute", "minutes")
    }
}

/// When it is done, in words.
pub(crate) fn in_words(settings: &Settings) -> String {
    if let Some(relative) = &settings.relative_to {
        let field = &relative.field;
        return match relative.minutes {
            0 => format!("at {field}"),
            minutes if minutes < 0 => format!("{} before {field}", long(minutes.unsigned_abs())),
            minutes => format!("{} after {field}", long(minutes.unsigned_abs())),
        };
    }
    match settings.delay_minutes {
        Some(minutes) => format!("{} later", long(minutes.into())),
        None => "at once".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::automations::{Events, RelativeTo};

    fn at(text: &str) -> Time {
        Time::parse(text).unwrap()
    }

    fn before(minutes: i64) -> Settings {
        Settings {
            event: Events(vec!["booking.created".into()]),
            condition: None,
            gather_seconds: 60,
            delay_minutes: None,
            relative_to: Some(RelativeTo {
                field: "startTime".into(),
                minutes,
            }),
            limit: None,
        }
    }

    #[test]
    fn a_day_before_the_start_is_a_day_before_however_the_start_is_written() {
        let own = TimeZone::get("America/New_York").unwrap();
        let now = at("2026-11-24T09:00:00Z");
        for (data, due) in [
            (
                json!({"startTime": "2026-11-26T10:00:00+01:00"}),
                "2026-11-25T09:00:00Z",
            ),
            (
                json!({"startTime": "2026-11-26T10:00", "timezone": "Europe/Berlin"}),
                "2026-11-25T09:00:00Z",
            ),
            (
                json!({"startTime": "2026-11-26T10:00"}),
                "2026-11-25T15:00:00Z",
            ),
            (
                json!({"startTime": "2026-11-26", "timezone": "Europe/Berlin"}),
                "2026-11-24T23:00:00Z",
            ),
        ] {
            let found = when(&before(-24 * 60), "booking.created", now, &data, &own, now);
            let When::At { due: found, until } = found else {
                panic!("{data}: {found:?}");
            };
            assert_eq!(found, at(due), "{data}");
            assert!(until.is_some_and(|until| until > found));
        }
    }

    #[test]
    fn what_is_past_is_too_late_and_what_is_no_time_is_named() {
        let now = at("2026-11-24T09:00:00Z");
        let soon = json!({"startTime": "2026-11-24T20:00:00Z"});
        let found = when(
            &before(-24 * 60),
            "booking.created",
            now,
            &soon,
            &TimeZone::UTC,
            now,
        );
        assert_eq!(found, When::TooLate(at("2026-11-23T20:00:00Z")));
        for data in [
            json!({}),
            json!({"startTime": "soon"}),
            json!({"startTime": 5}),
            Value::Null,
        ] {
            let found = when(
                &before(-60),
                "booking.created",
                now,
                &data,
                &TimeZone::UTC,
                now,
            );
            assert_eq!(found, When::Unknown("startTime".into()), "{data}");
        }
    }

    #[test]
    fn only_changes_are_gathered() {
        let settings = Settings {
            relative_to: None,
            ..before(0)
        };
        let now = at("2026-11-24T09:00:00Z");
        for (event_type, expected) in [
            ("booking.created", When::AtOnce),
            ("form.submitted", When::AtOnce),
            ("booking.updated", When::Settled(60_000)),
            ("booking.cancelled", When::Settled(60_000)),
        ] {
            let found = when(&settings, event_type, now, &json!({}), &TimeZone::UTC, now);
            assert_eq!(found, expected, "{event_type}");
        }
    }

    #[test]
    fn quiet_hours_put_a_text_off_to_their_end() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let night = QuietHours {
            from: "21:00".into(),
            to: "08:00".into(),
        };
        for (moment, expected) in [
            ("2026-11-24T19:59:00Z", "2026-11-24T19:59:00Z"),
            ("2026-11-24T20:00:00Z", "2026-11-25T07:00:00Z"),
            ("2026-11-25T03:00:00Z", "2026-11-25T07:00:00Z"),
            ("2026-11-25T07:00:00Z", "2026-11-25T07:00:00Z"),
            // The night on which the clocks go back is an hour longer.
            ("2026-10-24T20:00:00Z", "2026-10-25T07:00:00Z"),
        ] {
            assert_eq!(night.after(at(moment), &zone), at(expected), "{moment}");
        }
        for (from, to) in [("9", "10:00"), ("21:00", "21:00"), ("25:00", "08:00")] {
            let wrong = QuietHours {
                from: from.into(),
                to: to.into(),
            };
            assert!(wrong.check().is_some(), "{from} {to}");
        }
    }
}
