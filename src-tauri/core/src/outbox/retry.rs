//! When the next try is: pure.

use crate::clock::Time;
use crate::webhooks::Schedule;

/// No wait is longer, whatever a receiver asks for (contract §3).
pub const LONGEST_MS: i64 = 24 * 60 * 60 * 1000;
/// The schedule `standard`, in milliseconds.
const STANDARD_MS: [i64; 9] = [
    5_000,
    5 * 60_000,
    30 * 60_000,
    2 * 3_600_000,
    5 * 3_600_000,
    10 * 3_600_000,
    14 * 3_600_000,
    20 * 3_600_000,
    24 * 3_600_000,
];

/// How an endpoint wants to be tried again.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Tries after the first.
    pub attempts: u32,
    /// Milliseconds before the second try.
    pub delay_ms: u32,
    /// How the gaps grow.
    pub schedule: Schedule,
}

/// When to try again after `tries` failed tries, or never. `jitter` is 0 to 1 and only adds, at
/// most a tenth. `hint` is what the receiver asked for: the later of both counts.
#[must_use]
pub fn next_attempt(
    policy: Policy,
    tries: u32,
    now: Time,
    hint: Option<Time>,
    jitter: f64,
) -> Option<Time> {
    if tries > policy.attempts {
        return None;
    }
    let step = tries.saturating_sub(1);
    let gap = match policy.schedule {
        Schedule::Exponential => i64::from(policy.delay_ms)
            .saturating_mul(1_i64.checked_shl(step.min(40)).unwrap_or(i64::MAX)),
        Schedule::Standard => STANDARD_MS
            .get(step as usize)
            .or(STANDARD_MS.last())
            .copied()
            .unwrap_or(LONGEST_MS),
    }
    .min(LONGEST_MS);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    let added = (gap as f64 * 0.1 * jitter.clamp(0.0, 1.0)) as i64;
    let planned = now.plus_ms(gap + added);
    Some(hint.map_or(planned, |hint| {
        planned.max(hint.min(now.plus_ms(LONGEST_MS)))
    }))
}

/// What `Retry-After` says (RFC 9110, section 10.2.3): seconds or an HTTP date in any of its three
/// forms. What cannot be read, lies in the past or asks for more than a day is bounded.
#[must_use]
pub fn retry_after(value: &str, now: Time) -> Option<Time> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        let seconds = value.parse::<i64>().unwrap_or(i64::MAX / 1000);
        return Some(now.plus_ms(seconds.saturating_mul(1000).min(LONGEST_MS)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let ms = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
    let at = Time::from_ms(i64::try_from(ms).ok()?);
    (at > now).then(|| at.min(now.plus_ms(LONGEST_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_ms(1_795_493_359_000);
    const USUAL: Policy = Policy {
        attempts: 3,
        delay_ms: 1000,
        schedule: Schedule::Exponential,
    };

    fn gaps(policy: Policy, jitter: f64) -> Vec<i64> {
        (1..)
            .map_while(|tries| next_attempt(policy, tries, NOW, None, jitter))
            .map(|at| at.ms_since(NOW))
            .collect()
    }

    #[test]
    fn the_delay_doubles_and_the_tries_after_the_first_are_counted() {
        assert_eq!(gaps(USUAL, 0.0), [1000, 2000, 4000]);
        assert_eq!(
            gaps(
                Policy {
                    attempts: 0,
                    ..USUAL
                },
                0.0
            ),
            Vec::<i64>::new()
        );
    }

    #[test]
    fn jitter_only_adds_and_at_most_a_tenth() {
        assert_eq!(gaps(USUAL, 1.0), [1100, 2200, 4400]);
        assert_eq!(gaps(USUAL, 7.0), [1100, 2200, 4400]);
    }

    #[test]
    fn the_standard_schedule_runs_from_five_seconds_to_a_day() {
        let policy = Policy {
            attempts: 9,
            schedule: Schedule::Standard,
            ..USUAL
        };
        assert_eq!(gaps(policy, 0.0), STANDARD_MS);
        assert_eq!(
            gaps(
                Policy {
                    attempts: 20,
                    ..policy
                },
                0.0
            )
            .len(),
            20
        );
    }

    #[test]
    fn no_gap_is_longer_than_a_day() {
        let policy = Policy {
            attempts: 20,
            delay_ms: 3_600_000,
            ..USUAL
        };
        assert!(gaps(policy, 0.0).iter().all(|gap| *gap <= LONGEST_MS));
    }

    #[test]
    fn the_later_of_schedule_and_hint_counts() {
        let hint =
            |ms| next_attempt(USUAL, 1, NOW, Some(NOW.plus_ms(ms)), 0.0).map(|at| at.ms_since(NOW));
        assert_eq!(hint(10), Some(1000));
        assert_eq!(hint(9000), Some(9000));
        assert_eq!(hint(i64::MAX / 2), Some(LONGEST_MS));
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms_and_nonsense_is_not() {
        let read = |text| retry_after(text, NOW).map(|at| at.ms_since(NOW));
        assert_eq!(read("120"), Some(120_000));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("99999999999999999999"), Some(LONGEST_MS));
        for date in [
            "Tue, 24 Nov 2026 04:10:19 GMT",
            "Tuesday, 24-Nov-26 04:10:19 GMT",
            "Tue Nov 24 04:10:19 2026",
        ] {
            assert_eq!(read(date), Some(60_000), "{date}");
        }
        for nonsense in ["", "soon", "-5", "1.5", "Tue, 24 Nov 2020 04:10:19 GMT"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    proptest::proptest! {
        #[test]
        fn gaps_rise_and_are_bounded_and_as_many_as_were_asked_for(attempts in 0_u32..=20, delay_ms in 100_u32..=3_600_000, standard: bool, jitter in 0.0..1.0) {
            let schedule = if standard { Schedule::Standard } else { Schedule::Exponential };
            let policy = Policy { attempts, delay_ms, schedule };
            let even = gaps(policy, 0.0);
            assert_eq!(even.len(), attempts as usize);
            assert!(even.is_sorted(), "{even:?}");
            for (gap, even) in gaps(policy, jitter).into_iter().zip(even) {
                assert!((even..=even + even / 10).contains(&gap) && gap <= LONGEST_MS + LONGEST_MS / 10);
            }
        }
    }
}
