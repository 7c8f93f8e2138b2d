//! A file that comes back, checked while it is read: its length, and the strongest sum that was kept with it.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use md5::Md5;
use sha2::{Digest, Sha256};

use super::answers::Stopped;
use super::s3::{STALL, hex};
use crate::outcome::{Code, Detail, Failure, Trouble};

/// A file on its way here.
pub(crate) struct Download {
    pub(crate) size: u64,
    body: ByteStream,
    read: u64,
    expected: Expected,
}

impl Download {
    pub(super) fn new(size: u64, body: ByteStream, expected: Expected) -> Self {
        Self {
            size,
            body,
            read: 0,
            expected,
        }
    }

    /// The next piece; nothing once all has come and was found to be what had been stored.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Stopped> {
        let piece = tokio::time::timeout(STALL, self.body.next())
            .await
            .map_err(|_| Stopped::stalled(STALL.as_secs()))?;
        let damaged = || Stopped::new(Code::Unreachable, Detail::Changed);
        match piece {
            Some(Ok(piece)) => {
                self.read += piece.len() as u64;
                if self.read > self.size {
                    return Err(damaged());
                }
                self.expected.update(&piece);
                Ok(Some(piece))
            }
            Some(Err(_)) => Err(Failure::trouble(Code::Unreachable, Trouble::BrokenOff).into()),
            None if self.read < self.size => {
                Err(Failure::trouble(Code::Unreachable, Trouble::BrokenOff).into())
            }
            None if !self.expected.holds() => Err(damaged()),
            None => Ok(None),
        }
    }

    /// All of it, if it is no longer than `most`.
    pub(crate) async fn whole(mut self, most: u64) -> Result<Vec<u8>, Stopped> {
        if self.size > most {
            return Err(Stopped::new(Code::Rejected, Detail::TooLarge));
        }
        let mut all = Vec::with_capacity(usize::try_from(self.size).unwrap_or_default());
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

/// What a file should add up to, and what it does so far.
pub(super) enum Expected {
    /// Stored by us in one piece.
    Sha256(String, Sha256),
    /// Stored by somebody in one piece: the tag is the MD5.
    Md5(String, Md5),
    /// In parts: the tag is the MD5 of the MD5s of all parts, and their number.
    Parts {
        tag: String,
        size: u64,
        left: u64,
        part: Md5,
        parts: Md5,
        count: u64,
    },
    /// Nothing that says anything: only the length is checked.
    Nothing,
}

impl Expected {
    pub(super) fn of(sha256: Option<&str>, part_size: Option<&str>, etag: Option<&str>) -> Self {
        if let Some(sha256) = sha256.filter(|text| is_hex(text, 64)) {
            return Self::Sha256(sha256.to_owned(), Sha256::new());
        }
        let Some(etag) = etag.map(|etag| etag.trim_matches('"')) else {
            return Self::Nothing;
        };
        let part_size = part_size.and_then(|size| size.parse().ok());
        match (etag.split_once('-'), part_size) {
            (None, _) if is_hex(etag, 32) => Self::Md5(etag.to_owned(), Md5::new()),
            (Some((sum, _)), Some(size @ 1..)) if is_hex(sum, 32) => Self::Parts {
                tag: etag.to_owned(),
                size,
                left: size,
                part: Md5::new(),
                parts: Md5::new(),
                count: 0,
            },
            _ => Self::Nothing,
        }
    }

    fn update(&mut self, mut piece: &[u8]) {
        match self {
            Self::Sha256(_, so_far) => so_far.update(piece),
            Self::Md5(_, so_far) => so_far.update(piece),
            Self::Parts {
                size,
                left,
                part,
                parts,
                count,
                ..
            } => {
                while !piece.is_empty() {
                    let now = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(piece.len());
                    let (mine, rest) = piece.split_at(now);
                    part.update(mine);
                    *left -= now as u64;
                    if *left == 0 {
                        parts.update(part.finalize_reset());
                        *count += 1;
                        *left = *size;
                    }
                    piece = rest;
                }
            }
            Self::Nothing => {}
        }
    }

    fn holds(&self) -> bool {
        match self {
            Self::Sha256(expected, so_far) => hex(&so_far.clone().finalize()) == *expected,
            Self::Md5(expected, so_far) => hex(&so_far.clone().finalize()) == *expected,
            Self::Parts {
                tag,
                size,
                left,
                part,
                parts,
                count,
            } => {
                let (mut parts, mut count) = (parts.clone(), *count);
                if left < size {
                    parts.update(part.clone().finalize());
                    count += 1;
                }
                format!("{}-{count}", hex(&parts.finalize())) == *tag
            }
            Self::Nothing => true,
        }
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adds_up(mut expected: Expected, bytes: &[u8]) -> bool {
        for piece in bytes.chunks(3) {
            expected.update(piece);
        }
        expected.holds()
    }

    #[test]
    fn each_kind_of_sum_is_known_and_a_flipped_bit_is_seen() {
        let bytes = b"twelve bytes";
        let sha = hex(&Sha256::digest(bytes));
        let md5 = hex(&Md5::digest(bytes));
        let joined = [
            Md5::digest(&bytes[..5]),
            Md5::digest(&bytes[5..10]),
            Md5::digest(&bytes[10..]),
        ]
        .concat();
        let parts = format!("\"{}-3\"", hex(&Md5::digest(&joined)));
        for (sha, size, tag) in [
            (Some(sha.as_str()), None, Some("\"whatever\"")),
            (None, None, Some(md5.as_str())),
            (None, Some("5"), Some(parts.as_str())),
        ] {
            assert!(adds_up(Expected::of(sha, size, tag), bytes), "{tag:?}");
            assert!(
                !adds_up(Expected::of(sha, size, tag), b"twelve bytez"),
                "{tag:?}"
            );
        }
    }

    #[test]
    fn parts_that_fill_up_exactly_are_not_counted_once_more() {
        let bytes = b"ten bytes!";
        let joined = [Md5::digest(&bytes[..5]), Md5::digest(&bytes[5..])].concat();
        let tag = format!("{}-2", hex(&Md5::digest(&joined)));
        assert!(adds_up(Expected::of(None, Some("5"), Some(&tag)), bytes));
    }

    #[test]
    fn where_no_sum_was_kept_only_the_length_counts() {
        for (size, tag) in [
            (None, None),
            (None, Some("abc-3")),
            (Some("0"), Some("x")),
            (None, Some("opaque")),
        ] {
            assert!(matches!(Expected::of(None, size, tag), Expected::Nothing));
        }
    }
}
