//! Where a file lies and what it is called. Pure.
//!
//! A key is `{workspace}/{folder}/{uuid}.{ext}`: nothing of a name that somebody chose is in it but its ending. The name
//! itself travels in the object's metadata, exact.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::FieldError;
use crate::ids::WorkspaceId;

/// The folder of what says nothing about one.
pub const DEFAULT_FOLDER: &str = "general";
/// The longest key of S3, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// The longest folder; the rest of a key has room beside it.
const MAX_FOLDER_BYTES: usize = 512;
/// The longest name, so that its metadata stays under the 2 KB that S3 grants.
pub const MAX_NAME_BYTES: usize = 1024;
/// Up to here a name is written so that other tools can read it.
const MAX_READABLE_BYTES: usize = 1024;

/// The beginning of every key of a workspace.
#[must_use]
pub fn prefix(workspace: &WorkspaceId) -> String {
    format!("{workspace}/")
}

/// A new key for a file of this name in this folder.
///
/// # Errors
/// Says what is wrong with the folder.
pub fn new_key(workspace: &WorkspaceId, folder: &str, name: &str) -> Result<String, FieldError> {
    check_path("folder", folder, MAX_FOLDER_BYTES)?;
    let id = uuid::Uuid::now_v7();
    Ok(format!("{workspace}/{folder}/{id}.{}", ending(name)))
}

/// The ending of a name as far as a key takes it: `[a-z0-9]{1,10}`, else `bin`.
#[must_use]
pub fn ending(name: &str) -> String {
    name.rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase())
        .filter(|ending| {
            (1..=10).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric())
        })
        .unwrap_or_else(|| "bin".to_owned())
}

/// What is wrong with a key that is handed in.
///
/// # Errors
/// Says what, and what would be right.
pub fn check_key(key: &str) -> Result<(), FieldError> {
    check_path("key", key, MAX_KEY_BYTES)
}

fn check_path(path: &str, text: &str, most: usize) -> Result<(), FieldError> {
    let wrong = |code, message| Err(FieldError::new(path, code, message));
    if text.is_empty() {
        wrong("required", "Say where the file is to lie.")
    } else if text.len() > most {
        wrong(
            "too_long",
            "This is longer than a storage takes; 512 bytes for a folder and 1,024 for a key are the most.",
        )
    } else if text
        .chars()
        .any(|c| c.is_control() || c == '\\' || is_invisible(c))
    {
        wrong(
            "invalid",
            "Control characters, invisible ones and \\ have no place here.",
        )
    } else if text
        .split('/')
        .any(|part| part.is_empty() || part == "." || part == "..")
    {
        wrong(
            "invalid",
            "A path has no empty part, no . and no .. in it, and neither begins nor ends with /.",
        )
    } else {
        Ok(())
    }
}

/// Characters that change how text reads without being seen: bidi controls and the like, and what is no character.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// What is wrong with a file's name: only its length can be.
///
/// # Errors
/// Says so.
pub fn check_name(name: &str) -> Result<(), FieldError> {
    if name.len() > MAX_NAME_BYTES {
        Err(FieldError::new(
            "file",
            "too_long",
            "The file's name is longer than 1,024 bytes, more than a storage keeps. Give it a shorter one.",
        ))
    } else {
        Ok(())
    }
}

/// What marks a name that is kept as base64; percent-encoding leaves no colon. RFC 2047 will not do: storages decode it.
const AS_BASE64: &str = "base64:";

/// A name as metadata: percent-encoded, or as base64 where that is empty or too long.
#[must_use]
pub(crate) fn encode_name(name: &str) -> String {
    let readable = percent(name);
    if readable.is_empty() || readable.len() > MAX_READABLE_BYTES {
        format!("{AS_BASE64}{}", STANDARD.encode(name))
    } else {
        readable
    }
}

/// The name that metadata holds; what other programs wrote there is taken as it stands.
#[must_use]
pub(crate) fn decode_name(kept: &str) -> String {
    let word = kept
        .strip_prefix(AS_BASE64)
        .and_then(|word| STANDARD.decode(word).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    word.or_else(|| unpercent(kept))
        .unwrap_or_else(|| kept.to_owned())
}

/// Says to a browser under which name to save what a link leads to; nothing for a name too long for a header.
#[must_use]
pub(crate) fn disposition(name: &str) -> Option<String> {
    let readable = percent(name);
    (!readable.is_empty() && readable.len() <= MAX_READABLE_BYTES)
        .then(|| format!("inline; filename*=UTF-8''{readable}"))
}

pub(super) fn percent(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            all.push_str(&format!("%{byte:02X}"));
        }
    }
    all
}

/// Undoes percent-encoding; nothing when the text is not of that kind.
#[must_use]
pub fn unpercent(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> WorkspaceId {
        "ws_0192f1d5-6c4e-7b7a-8d3c-2b1a09f8e7d6".parse().unwrap()
    }

    #[test]
    fn a_key_holds_workspace_folder_a_new_id_and_the_ending() {
        let key = new_key(&workspace(), "invoices/2026", "Rechnung März.PDF").unwrap();
        let rest = key
            .strip_prefix("ws_0192f1d5-6c4e-7b7a-8d3c-2b1a09f8e7d6/invoices/2026/")
            .unwrap();
        let (id, ending) = rest.split_once('.').unwrap();
        assert!(uuid::Uuid::try_parse(id).is_ok());
        assert_eq!(ending, "pdf");
        assert_ne!(
            key,
            new_key(&workspace(), "invoices/2026", "a.pdf").unwrap()
        );
    }

    #[test]
    fn an_ending_is_letters_and_digits_or_bin() {
        for (name, expected) in [
            ("photo.JPG", "jpg"),
            ("archive.tar.gz", "gz"),
            ("a.7z", "7z"),
            ("none", "bin"),
            ("", "bin"),
            (".", "bin"),
            ("x.", "bin"),
            ("x.p/../df", "bin"),
            ("x.日本", "bin"),
            ("x.toolongending", "bin"),
            (".bashrc", "bashrc"),
        ] {
            assert_eq!(ending(name), expected, "{name:?}");
        }
    }

    #[test]
    fn hostile_keys_are_refused_and_odd_ones_are_not() {
        let long = "k".repeat(1025);
        for key in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            "a/..",
            "./a",
            "a/.",
            "a\0b",
            "a\nb",
            "a\\b",
            "a\u{7f}",
            "a\u{85}",
            "a\u{202e}b",
            "a\u{feff}",
            &long,
        ] {
            assert!(check_key(key).is_err(), "{key:?}");
        }
        for key in [
            "a",
            "a b",
            "..a",
            "a..b/c",
            "a/b/c.txt",
            "発票/🎉.pdf",
            "%2e%2e/x",
            "a?b#c",
            "ä&<>\"'",
            "C:/x",
            "~",
            "a+b",
            "=1+1",
        ] {
            assert!(check_key(key).is_ok(), "{key:?}");
        }
    }

    #[test]
    fn every_name_comes_back_exact_and_its_metadata_fits() {
        let long = "ÿ".repeat(512);
        for name in [
            "",
            " ",
            "a.pdf",
            "Rechnung März.pdf",
            "%41",
            "100%",
            "=?UTF-8?B?QQ==?=",
            "base64:QQ==",
            "\0\r\n\u{7f}",
            "\u{202e}fdp.exe",
            "🎉",
            "a/b\\c",
            "\"quoted\"",
            &long,
        ] {
            let kept = encode_name(name);
            assert!(kept.bytes().all(|b| (b'!'..=b'~').contains(&b)), "{kept}");
            assert!(kept.len() < 1600, "{}", kept.len());
            assert_eq!(decode_name(&kept), name);
        }
        assert_eq!(decode_name("100% plain"), "100% plain");
    }

    #[test]
    fn a_link_saves_under_the_name_unless_that_is_too_long() {
        assert_eq!(
            disposition("März.pdf").as_deref(),
            Some("inline; filename*=UTF-8''M%C3%A4rz.pdf")
        );
        assert_eq!(disposition(""), None);
        assert_eq!(disposition(&"ÿ".repeat(400)), None);
    }
}
