//! The check a receiver makes, of both signature families. Pure.
//!
//! While a secret is being changed a call carries two signatures of each family; one that fits is
//! enough.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use subtle::ConstantTimeEq as _;

use crate::clock::Time;
use crate::webhooks::signature::{self, PREFIX};

/// How far the time of a call may be from the receiver's own.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Why a call is not taken for genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A header is not there, or no text.
    Missing(&'static str),
    /// The header that holds the time holds none.
    NoTime(&'static str),
    /// Sent too long ago, or by a clock that is ahead.
    WrongTime(&'static str),
    /// Another secret, or other bytes.
    WrongSignature(&'static str),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "the header {name} is missing"),
            Self::NoTime(name) => write!(f, "the header {name} holds no time"),
            Self::WrongTime(name) => {
                write!(f, "the time in {name} is more than 5 minutes from now")
            }
            Self::WrongSignature(name) => write!(
                f,
                "{name} does not fit: another secret, or the body was changed on its way"
            ),
        }
    }
}

/// Whether this text can be a signing secret: `whsec_` and base64 of 24 to 64 bytes, as the
/// standard has it.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    text.strip_prefix(PREFIX)
        .and_then(|key| STANDARD.decode(key).ok())
        .is_some_and(|key| (24..=64).contains(&key.len()))
}

/// Checks `webhook-signature` (Standard Webhooks).
///
/// # Errors
/// Why the call is not genuine.
pub fn standard(secret: &str, headers: &HeaderMap, body: &[u8], now: Time) -> Result<(), Refused> {
    const TIME: &str = "webhook-timestamp";
    const SIGNATURE: &str = "webhook-signature";
    let id = header(headers, "webhook-id")?;
    let seconds = number(headers, TIME)?;
    let given = header(headers, SIGNATURE)?;
    // Beyond the reach of milliseconds it is no time.
    let at = Time::from_ms(seconds.checked_mul(1000).ok_or(Refused::NoTime(TIME))?);
    in_time(at, now, TIME)?;
    let expected = signature::standard(secret, id, at, body);
    // All of them are compared, so that the time taken does not tell which one fits.
    let fits = given
        .split(' ')
        .fold(false, |fits, one| fits | same(one, &expected));
    fits.then_some(()).ok_or(Refused::WrongSignature(SIGNATURE))
}

/// Checks `X-Webhook-Signature`, and while the secret is being changed `X-Webhook-Signature-Next`.
///
/// # Errors
/// Why the call is not genuine.
pub fn hex(secret: &str, headers: &HeaderMap, body: &[u8], now: Time) -> Result<(), Refused> {
    const TIME: &str = "x-webhook-timestamp";
    const SIGNATURE: &str = "x-webhook-signature";
    let at = Time::from_ms(number(headers, TIME)?);
    let given = header(headers, SIGNATURE)?;
    let next = header(headers, "x-webhook-signature-next").unwrap_or_default();
    in_time(at, now, TIME)?;
    let expected = signature::hex(secret, at, body);
    (same(given, &expected) | same(next, &expected))
        .then_some(())
        .ok_or(Refused::WrongSignature(SIGNATURE))
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Refused> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .ok_or(Refused::Missing(name))
}

/// A number written as it is signed: digits alone.
fn number(headers: &HeaderMap, name: &'static str) -> Result<i64, Refused> {
    let text = header(headers, name)?;
    let number: i64 = text.parse().map_err(|_| Refused::NoTime(name))?;
    if number.to_string() == text {
        Ok(number)
    } else {
        Err(Refused::NoTime(name))
    }
}

fn in_time(at: Time, now: Time, name: &'static str) -> Result<(), Refused> {
    if u128::from(at.as_ms().abs_diff(now.as_ms())) <= TOLERANCE.as_millis() {
        Ok(())
    } else {
        Err(Refused::WrongTime(name))
    }
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
    const NEW: &str = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH5WbX5kEWLlc=";
    const AT: Time = Time::from_ms(1_764_000_000_000);

    fn signed(secrets: &[&str], body: &[u8]) -> HeaderMap {
        let entries: Vec<_> = secrets
            .iter()
            .map(|secret| signature::standard(secret, "evt_1", AT, body))
            .collect();
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: String| {
            headers.insert(name, value.parse().unwrap());
        };
        set("webhook-id", "evt_1".into());
        set("webhook-timestamp", AT.as_seconds().to_string());
        set("webhook-signature", entries.join(" "));
        set("x-webhook-timestamp", AT.as_ms().to_string());
        for (name, secret) in ["x-webhook-signature-next", "x-webhook-signature"]
            .into_iter()
            .skip(2 - secrets.len())
            .zip(secrets)
        {
            set(name, signature::hex(secret, AT, body));
        }
        headers
    }

    fn both(secret: &str, headers: &HeaderMap, body: &[u8], now: Time) -> [Result<(), Refused>; 2] {
        [
            standard(secret, headers, body, now),
            hex(secret, headers, body, now),
        ]
    }

    #[test]
    fn while_a_secret_is_changed_either_one_fits() {
        let headers = signed(&[NEW, OLD], b"{}");
        assert_eq!(both(OLD, &headers, b"{}", AT), [Ok(()), Ok(())]);
        assert_eq!(both(NEW, &headers, b"{}", AT), [Ok(()), Ok(())]);
        let after = signed(&[NEW], b"{}");
        assert_eq!(both(NEW, &after, b"{}", AT), [Ok(()), Ok(())]);
        assert!(both(OLD, &after, b"{}", AT).iter().all(Result::is_err));
    }

    #[test]
    fn a_call_is_genuine_for_five_minutes_around_its_time() {
        let headers = signed(&[OLD], b"{}");
        for (seconds, genuine) in [
            (0, true),
            (300, true),
            (-300, true),
            (301, false),
            (-301, false),
        ] {
            let now = Time::from_ms(AT.as_ms() + seconds * 1000);
            for result in both(OLD, &headers, b"{}", now) {
                assert_eq!(result.is_ok(), genuine, "{seconds} s: {result:?}");
            }
        }
    }

    #[test]
    fn what_is_missing_or_no_time_is_named() {
        let mut headers = signed(&[OLD], b"{}");
        headers.remove("webhook-id");
        headers.insert("x-webhook-timestamp", "soon".parse().unwrap());
        assert_eq!(
            both(OLD, &headers, b"{}", AT),
            [
                Err(Refused::Missing("webhook-id")),
                Err(Refused::NoTime("x-webhook-timestamp"))
            ]
        );
        headers.insert("x-webhook-timestamp", "+1764000000000".parse().unwrap());
        assert_eq!(
            hex(OLD, &headers, b"{}", AT),
            Err(Refused::NoTime("x-webhook-timestamp"))
        );
        assert_eq!(
            standard(OLD, &HeaderMap::new(), b"{}", AT),
            Err(Refused::Missing("webhook-id"))
        );
    }

    #[test]
    fn a_secret_is_told_from_other_text() {
        assert!(is_secret(OLD));
        for wrong in ["", "whsec_", "whsec_AAAA", "whsec_!", &OLD[6..]] {
            assert!(!is_secret(wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_any_flipped_bit_fails(
            body in prop::collection::vec(any::<u8>(), 1..400), at in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            let headers = signed(&[OLD], &body);
            prop_assert_eq!(both(OLD, &headers, &body, AT), [Ok(()), Ok(())]);
            let mut changed = body;
            let at = at.index(changed.len());
            changed[at] ^= 1 << bit;
            let results = both(OLD, &headers, &changed, AT);
            prop_assert!(results.iter().all(Result::is_err));
        }

        #[test]
        fn any_changed_character_of_a_signature_fails(at in any::<prop::sample::Index>(), by in 1..26_u8) {
            let mut headers = signed(&[OLD], b"{}");
            for name in ["webhook-signature", "x-webhook-signature"] {
                let mut text = headers[name].as_bytes().to_vec();
                let at = at.index(text.len());
                text[at] = if text[at].is_ascii_lowercase() { b'a' + (text[at] - b'a' + by) % 26 } else { b'a' };
                headers.insert(name, http::HeaderValue::from_bytes(&text).unwrap());
            }
            let results = both(OLD, &headers, b"{}", AT);
            prop_assert!(results.iter().all(Result::is_err));
        }
    }
}
