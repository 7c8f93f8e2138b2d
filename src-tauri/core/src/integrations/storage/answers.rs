//! What a storage means by its answers. Pure: a status, its headers and the provider's code in, what went wrong out.
//!
//! Codes: S3's list of error responses, and those that MinIO, Ceph (DigitalOcean), R2 and B2 have of their own.

use crate::clock::Time;
use crate::outcome::{Code, Failure, Trouble};

/// A clock that differs by less is no reason to be refused.
const CLOCK_TOLERANCE_MS: i64 = 4 * 60 * 1000;

/// What a storage refused, or was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The key, or the secret beside it.
    Key,
    /// The key is known, but may not do this.
    Permission,
    /// There is no such bucket.
    Bucket,
    /// The bucket lies in another region, which may have been named.
    Region(Option<String>),
    /// This computer's clock differs by so many seconds; ahead is positive.
    Clock(i64),
    /// There is no such file.
    File,
    /// No more room, or no more money.
    Full,
    /// More than the storage takes in one file.
    TooLarge,
    /// What came back is not what was stored.
    Damaged,
    /// What answers there is no storage.
    NotStorage,
    /// What was to be stored ended before it was whole.
    Source,
    /// So many seconds went by without a byte.
    Stalled,
}

/// Why a call to a storage did not do what it was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) failure: Failure,
    pub(crate) wrong: Option<Wrong>,
    /// What `Retry-After` said.
    pub(crate) retry_after: Option<String>,
    /// The provider's own words, for the folded details.
    pub(crate) words: Option<String>,
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            wrong: None,
            retry_after: None,
            words: None,
        }
    }
}

impl Stopped {
    pub(crate) fn new(code: Code, wrong: Wrong) -> Self {
        Self {
            wrong: Some(wrong),
            ..Failure::new(code).into()
        }
    }

    /// Nothing moved for so many seconds.
    pub(crate) fn stalled(seconds: u64) -> Self {
        Self {
            wrong: Some(Wrong::Stalled),
            ..Failure::timed_out(seconds).into()
        }
    }

    pub(crate) fn is_missing_file(&self) -> bool {
        self.wrong == Some(Wrong::File)
    }
}

/// An answer that is no success, as far as anybody decides by it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// The code in the body; a HEAD has none.
    pub(crate) code: Option<&'a str>,
    /// The sentence in the body.
    pub(crate) message: Option<&'a str>,
    /// The headers `Date`, `x-amz-bucket-region` and `Retry-After`.
    pub(crate) date: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) retry_after: Option<&'a str>,
}

/// What an answer means that came at `now`.
pub(crate) fn judge(answer: Answer<'_>, now: Time) -> Stopped {
    let (code, wrong) = meaning(&answer, now);
    Stopped {
        failure: Failure::status(code, answer.status),
        wrong,
        retry_after: answer.retry_after.map(str::to_owned),
        words: match (answer.code, answer.message) {
            (Some(code), Some(message)) => Some(format!("{code}: {message}")),
            (one, other) => one.or(other).map(str::to_owned),
        },
    }
}

fn meaning(answer: &Answer<'_>, now: Time) -> (Code, Option<Wrong>) {
    let region = || {
        let named = answer.region.or_else(|| expected_region(answer.message?));
        (
            Code::Rejected,
            Some(Wrong::Region(named.map(str::to_owned))),
        )
    };
    let off = clock_off(answer.date, now);
    let clock = |off: Option<i64>| (Code::Rejected, Some(Wrong::Clock(off.unwrap_or(0) / 1000)));
    match answer.code {
        Some("RequestTimeTooSkewed" | "RequestExpired") => clock(off),
        // A signature over the wrong time is a wrong signature to some.
        Some("SignatureDoesNotMatch") if off.is_some_and(|off| off.abs() >= CLOCK_TOLERANCE_MS) => {
            clock(off)
        }
        Some(
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "ExpiredToken"
            | "InvalidSecurity"
            | "NotSignedUp"
            | "Unauthorized",
        ) => (Code::CredentialsRejected, Some(Wrong::Key)),
        Some("NoSuchBucket" | "InvalidBucketName") => (Code::NotFound, Some(Wrong::Bucket)),
        Some(
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "Redirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "InvalidLocationConstraint"
            | "InvalidRegionName",
        ) => region(),
        Some("NoSuchKey" | "NoSuchUpload") => (Code::NotFound, Some(Wrong::File)),
        Some(
            "SlowDown"
            | "SlowDownRead"
            | "SlowDownWrite"
            | "TooManyRequests"
            | "Throttling"
            | "RequestLimitExceeded"
            | "BandwidthLimitExceeded",
        ) => (Code::RateLimited, None),
        Some(
            "QuotaExceeded"
            | "XMinioAdminBucketQuotaExceeded"
            | "XMinioStorageFull"
            | "StorageFull"
            | "InsufficientStorage"
            | "TooManyBuckets",
        ) => (Code::Rejected, Some(Wrong::Full)),
        // B2 tells a cap by its sentence alone.
        Some("AccessDenied")
            if answer
                .message
                .is_some_and(|words| words.to_ascii_lowercase().contains("cap exceeded")) =>
        {
            (Code::Rejected, Some(Wrong::Full))
        }
        Some(
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "InvalidPayer"
            | "MethodNotAllowed",
        ) => (Code::CredentialsRejected, Some(Wrong::Permission)),
        Some("EntityTooLarge" | "MaxMessageLengthExceeded") => {
            (Code::Rejected, Some(Wrong::TooLarge))
        }
        Some("BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "IncompleteBody") => {
            (Code::Unreachable, Some(Wrong::Damaged))
        }
        Some("RequestTimeout") => (Code::TimedOut, None),
        Some("InternalError" | "ServiceUnavailable" | "OperationAborted") => {
            (Code::ProviderDown, None)
        }
        // No code, as for a HEAD: the status alone speaks.
        _ => match answer.status {
            300..=399 if answer.region.is_some() => region(),
            300..=399 => (Code::Unreachable, Some(Wrong::NotStorage)),
            401 => (Code::CredentialsRejected, Some(Wrong::Key)),
            403 => (Code::CredentialsRejected, Some(Wrong::Permission)),
            404 => (Code::NotFound, Some(Wrong::File)),
            408 => (Code::TimedOut, None),
            413 => (Code::Rejected, Some(Wrong::TooLarge)),
            429 => (Code::RateLimited, None),
            507 => (Code::Rejected, Some(Wrong::Full)),
            500.. => (Code::ProviderDown, None),
            // A success that says nothing of what a storage says.
            200..=299 => (Code::Unreachable, Some(Wrong::NotStorage)),
            _ => (Code::Rejected, None),
        },
    }
}

/// By how much this computer's clock is ahead of the storage's, in milliseconds.
pub(crate) fn clock_off(date: Option<&str>, now: Time) -> Option<i64> {
    let theirs = httpdate::parse_http_date(date?).ok()?;
    let theirs = theirs.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(now.as_ms() - i64::try_from(theirs.as_millis()).ok()?)
}

/// The region of "… the region 'us-east-1' is wrong; expecting 'eu-central-1'".
fn expected_region(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("expecting '")?;
    let (region, _) = rest.split_once('\'')?;
    (!region.is_empty()).then_some(region)
}

/// What came instead of an answer, or too late.
pub(crate) fn not_http() -> Stopped {
    Stopped {
        wrong: Some(Wrong::NotStorage),
        ..Failure::trouble(Code::Unreachable, Trouble::NotHttp).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_ms(1_795_511_400_000);

    fn date(ms_behind: i64) -> String {
        let ms = u64::try_from(NOW.as_ms() - ms_behind).unwrap();
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms))
    }

    #[test]
    fn each_status_and_code_means_one_thing() {
        use Code::{
            CredentialsRejected, NotFound, ProviderDown, RateLimited, Rejected, TimedOut,
            Unreachable,
        };
        for (status, code, expected, wrong) in [
            (
                403,
                "InvalidAccessKeyId",
                CredentialsRejected,
                Some(Wrong::Key),
            ),
            (
                403,
                "SignatureDoesNotMatch",
                CredentialsRejected,
                Some(Wrong::Key),
            ),
            (403, "ExpiredToken", CredentialsRejected, Some(Wrong::Key)),
            (401, "Unauthorized", CredentialsRejected, Some(Wrong::Key)),
            (401, "", CredentialsRejected, Some(Wrong::Key)),
            (
                403,
                "AccessDenied",
                CredentialsRejected,
                Some(Wrong::Permission),
            ),
            (
                403,
                "AccountProblem",
                CredentialsRejected,
                Some(Wrong::Permission),
            ),
            (403, "", CredentialsRejected, Some(Wrong::Permission)),
            (404, "NoSuchBucket", NotFound, Some(Wrong::Bucket)),
            (400, "InvalidBucketName", NotFound, Some(Wrong::Bucket)),
            (
                301,
                "PermanentRedirect",
                Rejected,
                Some(Wrong::Region(None)),
            ),
            (
                400,
                "AuthorizationHeaderMalformed",
                Rejected,
                Some(Wrong::Region(None)),
            ),
            (
                400,
                "IllegalLocationConstraintException",
                Rejected,
                Some(Wrong::Region(None)),
            ),
            (403, "RequestTimeTooSkewed", Rejected, Some(Wrong::Clock(0))),
            (404, "NoSuchKey", NotFound, Some(Wrong::File)),
            (404, "", NotFound, Some(Wrong::File)),
            (503, "SlowDown", RateLimited, None),
            (429, "TooManyRequests", RateLimited, None),
            (429, "", RateLimited, None),
            (403, "QuotaExceeded", Rejected, Some(Wrong::Full)),
            (
                400,
                "XMinioAdminBucketQuotaExceeded",
                Rejected,
                Some(Wrong::Full),
            ),
            (507, "", Rejected, Some(Wrong::Full)),
            (400, "EntityTooLarge", Rejected, Some(Wrong::TooLarge)),
            (413, "", Rejected, Some(Wrong::TooLarge)),
            (400, "BadDigest", Unreachable, Some(Wrong::Damaged)),
            (
                400,
                "XAmzContentSHA256Mismatch",
                Unreachable,
                Some(Wrong::Damaged),
            ),
            (400, "RequestTimeout", TimedOut, None),
            (500, "InternalError", ProviderDown, None),
            (503, "ServiceUnavailable", ProviderDown, None),
            (500, "", ProviderDown, None),
            (502, "", ProviderDown, None),
            (503, "", ProviderDown, None),
            (302, "", Unreachable, Some(Wrong::NotStorage)),
            (200, "", Unreachable, Some(Wrong::NotStorage)),
            (400, "InvalidRequest", Rejected, None),
            (418, "", Rejected, None),
        ] {
            let answer = Answer {
                status,
                code: Some(code).filter(|code| !code.is_empty()),
                ..Answer::default()
            };
            let stopped = judge(answer, NOW);
            assert_eq!(
                (stopped.failure, stopped.wrong),
                (Failure::status(expected, status), wrong),
                "{status} {code}"
            );
        }
    }

    #[test]
    fn how_far_a_clock_is_off_is_read_from_the_date_of_the_answer() {
        for (code, behind, expected) in [
            ("RequestTimeTooSkewed", 9 * 60_000, Some(Wrong::Clock(540))),
            (
                "RequestTimeTooSkewed",
                -3_600_000,
                Some(Wrong::Clock(-3600)),
            ),
            ("SignatureDoesNotMatch", 9 * 60_000, Some(Wrong::Clock(540))),
            ("SignatureDoesNotMatch", 60_000, Some(Wrong::Key)),
        ] {
            let date = date(behind);
            let answer = Answer {
                status: 403,
                code: Some(code),
                date: Some(&date),
                ..Answer::default()
            };
            assert_eq!(judge(answer, NOW).wrong, expected, "{code} {behind}");
        }
    }

    #[test]
    fn the_region_a_bucket_is_in_is_named_where_the_answer_names_it() {
        let head = Answer {
            status: 301,
            region: Some("eu-central-1"),
            ..Answer::default()
        };
        let body = Answer {
            status: 400,
            code: Some("AuthorizationHeaderMalformed"),
            message: Some(
                "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'",
            ),
            ..Answer::default()
        };
        for answer in [head, body] {
            assert_eq!(
                judge(answer, NOW).wrong,
                Some(Wrong::Region(Some("eu-central-1".to_owned())))
            );
        }
    }

    #[test]
    fn a_cap_at_backblaze_is_no_missing_permission() {
        let answer = Answer {
            status: 403,
            code: Some("AccessDenied"),
            message: Some("Cannot upload files, storage cap exceeded."),
            ..Answer::default()
        };
        assert_eq!(judge(answer, NOW).wrong, Some(Wrong::Full));
    }

    #[test]
    fn what_the_storage_said_itself_is_kept() {
        let answer = Answer {
            status: 400,
            code: Some("InvalidRequest"),
            message: Some("Nope."),
            retry_after: Some("7"),
            ..Answer::default()
        };
        let stopped = judge(answer, NOW);
        assert_eq!(stopped.words.as_deref(), Some("InvalidRequest: Nope."));
        assert_eq!(stopped.retry_after.as_deref(), Some("7"));
    }
}
