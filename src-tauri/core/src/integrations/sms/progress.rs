//! How far a text has come after Twilio took it, and when to ask again. Pure.

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// The first gap, and the shortest there ever is.
const SHORTEST_MS: i64 = 1_000;
/// The longest gap.
const LONGEST_MS: i64 = 6 * 60 * 60 * 1000;
/// After so long nobody is asked any more: it was sent, and that is all that is known.
pub(crate) const PATIENCE_MS: i64 = 72 * 60 * 60 * 1000;

/// What Twilio calls the state of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Status {
    /// Taken; the sender is being chosen.
    Accepted,
    /// Planned for later.
    Scheduled,
    /// Waits to be sent.
    Queued,
    /// Under way to the carrier.
    Sending,
    /// The carrier has it.
    Sent,
    /// It is on the phone.
    Delivered,
    /// It was read, where that is told.
    Read,
    /// Some parts are on the phone.
    PartiallyDelivered,
    /// The carrier gave it back.
    Undelivered,
    /// Twilio could not send it.
    Failed,
    /// Somebody called it off at Twilio.
    Canceled,
    /// A word that is not known here.
    #[serde(other)]
    Other,
}

/// What a status means for a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// More is to come.
    UnderWay,
    /// The person has it.
    Delivered,
    /// The person will not get it.
    Failed,
}

impl Status {
    /// Whether it is final, and how.
    #[must_use]
    pub(crate) const fn stand(self) -> Stand {
        match self {
            Self::Accepted
            | Self::Scheduled
            | Self::Queued
            | Self::Sending
            | Self::Sent
            | Self::PartiallyDelivered
            | Self::Other => Stand::UnderWay,
            Self::Delivered | Self::Read => Stand::Delivered,
            Self::Undelivered | Self::Failed | Self::Canceled => Stand::Failed,
        }
    }
}

/// When to ask again, or never: the gap is half of the time since it was accepted. `hint` is what Twilio asked for.
#[must_use]
pub(crate) fn next_check(accepted: Time, now: Time, hint: Option<Time>) -> Option<Time> {
    let age = now.ms_since(accepted);
    if age >= PATIENCE_MS {
        return None;
    }
    let gap = (age / 2).clamp(SHORTEST_MS, LONGEST_MS);
    let planned = now.plus_ms(gap);
    Some(hint.map_or(planned, |hint| {
        planned.max(hint.min(now.plus_ms(LONGEST_MS)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: Time = Time::from_ms(1_795_493_359_000);

    #[test]
    fn the_gaps_grow_from_a_second_to_six_hours_and_end_after_three_days() {
        let (mut now, mut gaps) = (ACCEPTED, Vec::new());
        while let Some(next) = next_check(ACCEPTED, now, None) {
            gaps.push(next.ms_since(now));
            now = next;
        }
        assert_eq!(gaps.get(..5), Some(&[1000, 1000, 1000, 1500, 2250][..]));
        assert!(gaps.iter().all(|gap| *gap >= SHORTEST_MS));
        assert!(gaps.windows(2).all(|two| two[0] <= two[1]));
        assert_eq!(gaps.last(), Some(&LONGEST_MS));
        assert!(gaps.len() < 50, "{} questions", gaps.len());
        assert!(now.ms_since(ACCEPTED) >= PATIENCE_MS);
    }

    #[test]
    fn a_clock_that_was_set_back_and_a_hint_never_make_a_gap_shorter_than_a_second() {
        let gap = |age, hint: Option<i64>| {
            let now = ACCEPTED.plus_ms(age);
            next_check(ACCEPTED, now, hint.map(|ms| now.plus_ms(ms))).map(|at| at.ms_since(now))
        };
        assert_eq!(gap(-3_600_000, None), Some(1000));
        assert_eq!(gap(0, Some(-5)), Some(1000));
        assert_eq!(gap(0, Some(30_000)), Some(30_000));
        assert_eq!(gap(0, Some(i64::MAX / 2)), Some(LONGEST_MS));
        assert_eq!(gap(PATIENCE_MS, None), None);
    }

    #[test]
    fn each_word_of_twilio_is_final_or_not_and_an_unknown_one_is_not() {
        let stand = |word: &str| {
            serde_json::from_value::<Status>(word.into())
                .unwrap()
                .stand()
        };
        for word in [
            "accepted",
            "scheduled",
            "queued",
            "sending",
            "sent",
            "partially_delivered",
            "receiving",
            "something_new",
        ] {
            assert_eq!(stand(word), Stand::UnderWay, "{word}");
        }
        for word in ["delivered", "read"] {
            assert_eq!(stand(word), Stand::Delivered, "{word}");
        }
        for word in ["undelivered", "failed", "canceled"] {
            assert_eq!(stand(word), Stand::Failed, "{word}");
        }
    }
}
