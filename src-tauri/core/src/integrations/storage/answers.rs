//! What a storage means by its answers. Pure: a status, its headers and the provider's code in, what went wrong out.
//!
//! Codes: S3's list of error responses, and those that MinIO, Ceph (DigitalOcean), R2 and B2 have of their own.

use crate::clock::Time;
use crate::outcome::{Code, Detail, Failure, Trouble};

/// A clock that differs by less is no reason to be refused.
const CLOCK_TOLERANCE_MS: i64 = 4 * 60 * 1000;

/// Why a call to a storage did not do what it was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) failure: Failure,
    /// What `Retry-After` said.
    pub(crate) retry_after: Option<String>,
    /// The provider's own words, for the folded details.
    pub(crate) words: Option<Box<str>>,
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            retry_after: None,
            words: None,
        }
    }
}

impl Stopped {
    pub(crate) fn new(code: Code, detail: Detail) -> Self {
        Failure::new(code).with(detail).into()
    }

    /// Nothing moved for so many seconds.
    pub(crate) fn stalled(seconds: u64) -> Self {
        Failure::timed_out(seconds).with(Detail::Stalled).into()
    }

    #[cfg(test)]
    pub(crate) fn detail(&self) -> Option<Detail> {
        self.failure.args.detail
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
    Stopped {
        failure: meaning(&answer, now),
        retry_after: answer.retry_after.map(str::to_owned),
        words: match (answer.code, answer.message) {
            (Some(code), Some(message)) => Some(format!("{code}: {message}").into()),
            (one, other) => one.or(other).map(Into::into),
        },
    }
}

fn meaning(answer: &Answer<'_>, now: Time) -> Failure {
    let failed = |code| Failure::status(code, answer.status);
    let with = |code, detail| failed(code).with(detail);
    let region = || {
        let mut failure = with(Code::Rejected, Detail::WrongRegion);
        let named = answer.region.or_else(|| expected_region(answer.message?));
        failure.args.name = named.map(str::to_owned);
        failure
    };
    let off = clock_off(answer.date, now);
    let clock = || {
        let off = off.unwrap_or_default();
        let ahead = if off < 0 {
            Detail::ClockBehind
        } else {
            Detail::ClockAhead
        };
        let mut failure = with(Code::Rejected, ahead);
        failure.args.seconds = Some(off.unsigned_abs() / 1000);
        failure
    };
    match answer.code {
        Some("RequestTimeTooSkewed" | "RequestExpired") => clock(),
        // A signature over the wrong time is a wrong signature to some.
        Some("SignatureDoesNotMatch") if off.is_some_and(|off| off.abs() >= CLOCK_TOLERANCE_MS) => {
            clock()
        }
        Some(
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "ExpiredToken"
            | "InvalidSecurity"
            | "NotSignedUp"
            | "Unauthorized",
        ) => failed(Code::CredentialsRejected),
        Some("NoSuchBucket" | "InvalidBucketName") => with(Code::NotFound, Detail::NoSuchBucket),
        Some(
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "Redirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "InvalidLocationConstraint"
            | "InvalidRegionName",
        ) => region(),
        Some("NoSuchKey" | "NoSuchUpload") => with(Code::NotFound, Detail::NoSuchFile),
        Some(
            "SlowDown"
            | "SlowDownRead"
            | "SlowDownWrite"
            | "TooManyRequests"
            | "Throttling"
            | "RequestLimitExceeded"
            | "BandwidthLimitExceeded",
        ) => failed(Code::RateLimited),
        Some(
            "QuotaExceeded"
            | "XMinioAdminBucketQuotaExceeded"
            | "XMinioStorageFull"
            | "StorageFull"
            | "InsufficientStorage"
            | "TooManyBuckets",
        ) => with(Code::Rejected, Detail::Full),
        // B2 tells a cap by its sentence alone.
        Some("AccessDenied")
            if answer
                .message
                .is_some_and(|words| words.to_ascii_lowercase().contains("cap exceeded")) =>
        {
            with(Code::Rejected, Detail::Full)
        }
        Some(
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "InvalidPayer"
            | "MethodNotAllowed",
        ) => with(Code::Rejected, Detail::NotPermitted),
        Some("EntityTooLarge" | "MaxMessageLengthExceeded") => {
            with(Code::Rejected, Detail::TooLarge)
        }
        Some("BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "IncompleteBody") => {
            with(Code::Unreachable, Detail::Changed)
        }
        Some("RequestTimeout") => failed(Code::TimedOut),
        Some("InternalError" | "ServiceUnavailable" | "OperationAborted") => {
            failed(Code::ProviderDown)
        }
        // No code, as for a HEAD: the status alone speaks.
        _ => match answer.status {
            300..=399 if answer.region.is_some() => region(),
            300..=399 => with(Code::Unreachable, Detail::NotTheProvider),
            401 => failed(Code::CredentialsRejected),
            403 => with(Code::Rejected, Detail::NotPermitted),
            404 => with(Code::NotFound, Detail::NoSuchFile),
            408 => failed(Code::TimedOut),
            413 => with(Code::Rejected, Detail::TooLarge),
            429 => failed(Code::RateLimited),
            507 => with(Code::Rejected, Detail::Full),
            500.. => failed(Code::ProviderDown),
            // A success that says nothing of what a storage says.
            200..=299 => with(Code::Unreachable, Detail::NotTheProvider),
            _ => failed(Code::Rejected),
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
    Failure::trouble(Code::Unreachable, Trouble::NotHttp)
        .with(Detail::NotTheProvider)
        .into()
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
        for (status, code, expected, detail) in [
            (403, "InvalidAccessKeyId", CredentialsRejected, None),
            (403, "SignatureDoesNotMatch", CredentialsRejected, None),
            (403, "ExpiredToken", CredentialsRejected, None),
            (401, "Unauthorized", CredentialsRejected, None),
            (401, "", CredentialsRejected, None),
            (403, "AccessDenied", Rejected, Some(Detail::NotPermitted)),
            (403, "AccountProblem", Rejected, Some(Detail::NotPermitted)),
            (403, "", Rejected, Some(Detail::NotPermitted)),
            (404, "NoSuchBucket", NotFound, Some(Detail::NoSuchBucket)),
            (
                400,
                "InvalidBucketName",
                NotFound,
                Some(Detail::NoSuchBucket),
            ),
            (
                301,
                "PermanentRedirect",
                Rejected,
                Some(Detail::WrongRegion),
            ),
            (
                400,
                "AuthorizationHeaderMalformed",
                Rejected,
                Some(Detail::WrongRegion),
            ),
            (
                400,
                "IllegalLocationConstraintException",
                Rejected,
                Some(Detail::WrongRegion),
            ),
            (
                403,
                "RequestTimeTooSkewed",
                Rejected,
                Some(Detail::ClockAhead),
            ),
            (404, "NoSuchKey", NotFound, Some(Detail::NoSuchFile)),
            (404, "", NotFound, Some(Detail::NoSuchFile)),
            (503, "SlowDown", RateLimited, None),
            (429, "TooManyRequests", RateLimited, None),
            (429, "", RateLimited, None),
            (403, "QuotaExceeded", Rejected, Some(Detail::Full)),
            (
                400,
                "XMinioAdminBucketQuotaExceeded",
                Rejected,
                Some(Detail::Full),
            ),
            (507, "", Rejected, Some(Detail::Full)),
            (400, "EntityTooLarge", Rejected, Some(Detail::TooLarge)),
            (413, "", Rejected, Some(Detail::TooLarge)),
            (400, "BadDigest", Unreachable, Some(Detail::Changed)),
            (
                400,
                "XAmzContentSHA256Mismatch",
                Unreachable,
                Some(Detail::Changed),
            ),
            (400, "RequestTimeout", TimedOut, None),
            (500, "InternalError", ProviderDown, None),
            (503, "ServiceUnavailable", ProviderDown, None),
            (500, "", ProviderDown, None),
            (502, "", ProviderDown, None),
            (503, "", ProviderDown, None),
            (302, "", Unreachable, Some(Detail::NotTheProvider)),
            (200, "", Unreachable, Some(Detail::NotTheProvider)),
            (400, "InvalidRequest", Rejected, None),
            (418, "", Rejected, None),
        ] {
            let answer = Answer {
                status,
                code: Some(code).filter(|code| !code.is_empty()),
                ..Answer::default()
            };
            let stopped = judge(answer, NOW);
            let found = (stopped.failure.code, stopped.failure.args.status);
            assert_eq!(found, (expected, Some(status)), "{status} {code}");
            assert_eq!(stopped.detail(), detail, "{status} {code}");
        }
    }

    #[test]
    fn how_far_a_clock_is_off_is_read_from_the_date_of_the_answer() {
        for (code, behind, detail, seconds) in [
            (
                "RequestTimeTooSkewed",
                9 * 60_000,
                Some(Detail::ClockAhead),
                Some(540),
            ),
            (
                "RequestTimeTooSkewed",
                -3_600_000,
                Some(Detail::ClockBehind),
                Some(3600),
            ),
            (
                "SignatureDoesNotMatch",
                9 * 60_000,
                Some(Detail::ClockAhead),
                Some(540),
            ),
            ("SignatureDoesNotMatch", 60_000, None, None),
        ] {
            let date = date(behind);
            let answer = Answer {
                status: 403,
                code: Some(code),
                date: Some(&date),
                ..Answer::default()
            };
            let args = judge(answer, NOW).failure.args;
            assert_eq!(
                (args.detail, args.seconds),
                (detail, seconds),
                "{code} {behind}"
            );
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
            let args = judge(answer, NOW).failure.args;
            assert_eq!(args.detail, Some(Detail::WrongRegion));
            assert_eq!(args.name.as_deref(), Some("eu-central-1"));
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
        assert_eq!(judge(answer, NOW).detail(), Some(Detail::Full));
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
