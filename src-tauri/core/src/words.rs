//! What can be searched for: how a text becomes words, and how a question is asked. Pure.
//!
//! The same words are used for the index and for rows that are not in it yet, so that both answer
//! alike: letters without case and accents, digits of phone numbers in any spelling. Facts (a
//! status, a type) are words of their own that no text can contain.

use std::collections::HashSet;
use std::fmt::Write as _;

use icu_normalizer::DecomposingNormalizerBorrowed;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::ids::WorkspaceId;

/// A longer word is known by its beginning.
const LONGEST_WORD: usize = 64;
/// A beginning shorter than this stands for a whole word: too much begins so.
const SHORTEST_PREFIX: usize = 3;
/// How many digits a phone number has.
const PHONE: std::ops::RangeInclusive<usize> = 7..=15;
/// Before the digits of a phone number, last one first.
const PHONE_MARK: char = '#';

/// The words of a text, gathered.
#[derive(Debug, Default)]
pub(crate) struct Words(HashSet<String>);

impl Words {
    /// Adds the words of a text.
    pub(crate) fn add(&mut self, text: &str) {
        split(text, |word| {
            if word.chars().any(|c| matches!(c, 'ä' | 'ö' | 'ü')) {
                let spelled = word
                    .replace('ä', "ae")
                    .replace('ö', "oe")
                    .replace('ü', "ue");
                self.0.insert(clipped(&plain(&spelled)));
            }
            self.0.insert(clipped(&plain(word)));
        });
        for phone in phones(text) {
            self.0.insert(reversed(phone.national()));
            self.0.insert(phone.digits);
        }
    }

    /// Adds the words of all texts and numbers in a JSON document, or of whatever it is.
    pub(crate) fn add_json(&mut self, json: &[u8]) {
        match serde_json::from_slice::<Value>(json) {
            Ok(value) => self.add_value(&value),
            Err(_) => self.add(&String::from_utf8_lossy(json)),
        }
    }

    fn add_value(&mut self, value: &Value) {
        match value {
            // The bytes of a file, as base64: no word that anybody looks for.
            Value::String(text) if is_no_text(text) => {}
            Value::String(text) => self.add(text),
            Value::Number(number) => self.add(&number.to_string()),
            Value::Array(all) => all.iter().for_each(|one| self.add_value(one)),
            Value::Object(members) => members.values().for_each(|one| self.add_value(one)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Adds a fact.
    pub(crate) fn add_fact(&mut self, fact: String) {
        self.0.insert(fact);
    }

    /// Whether all of a question is here.
    pub(crate) fn answer(&self, question: &Question) -> bool {
        question.0.iter().all(|group| {
            group.iter().any(|way| {
                way.iter().all(|term| match term {
                    Term::Word(word) => self.0.contains(word),
                    Term::Beginning(start) => self.0.iter().any(|word| word.starts_with(start)),
                })
            })
        })
    }

    /// All words with spaces between.
    pub(crate) fn joined(&self) -> String {
        let mut text = String::with_capacity(self.0.len() * 9);
        for word in &self.0 {
            text.push_str(word);
            text.push(' ');
        }
        text
    }
}

/// True for a long stretch without a space, in the letters of base64.
fn is_no_text(text: &str) -> bool {
    text.len() > 1024
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

/// A word that no text contains: what kind of fact, and its value.
pub(crate) fn fact(workspace: WorkspaceId, kind: &str, value: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(workspace.to_string());
    hash.update(kind);
    hash.update([0]);
    hash.update(value);
    let mut text = String::with_capacity(17);
    text.push('=');
    for byte in hash.finalize().iter().take(8) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Word(String),
    Beginning(String),
}

/// What is asked: all of its groups, each in one of several ways, each of which is some terms.
#[derive(Debug, Clone, Default)]
pub(crate) struct Question(Vec<Vec<Vec<Term>>>);

impl Question {
    /// Reads what somebody typed: every word, the last one by its beginning. `None` where there is
    /// no word in it at all.
    pub(crate) fn read(typed: &str) -> Option<Self> {
        let mut question = Self::default();
        let mut rest = typed;
        for phone in phones(typed) {
            let Some((before, after)) = rest.split_once(phone.spelled) else {
                continue;
            };
            question.all_of(before);
            let mut as_words = Vec::new();
            split(phone.spelled, |word| {
                as_words.push(Term::Word(clipped(&plain(word))))
            });
            let mut ways = vec![
                as_words,
                vec![Term::Beginning(phone.digits.clone())],
                vec![Term::Beginning(reversed(phone.national()))],
            ];
            if phone.international {
                // How long the country's code is nobody knows; what is left may be stored alone.
                for code in 1..=3 {
                    let national = phone.national().get(code..).unwrap_or_default();
                    if national.len() >= 6 {
                        ways.push(vec![Term::Word(reversed(national))]);
                    }
                }
            }
            question.0.push(ways);
            rest = after;
        }
        question.all_of(rest);
        // The last word may still be growing.
        if let Some([way]) = question.0.last_mut().map(Vec::as_mut_slice)
            && let [Term::Word(word)] = way.as_mut_slice()
            && word.chars().count() >= SHORTEST_PREFIX
            && typed.ends_with(|c: char| !c.is_whitespace())
        {
            *way = vec![Term::Beginning(std::mem::take(word))];
        }
        (!question.0.is_empty()).then_some(question)
    }

    fn all_of(&mut self, text: &str) {
        split(text, |word| {
            self.0.push(vec![vec![Term::Word(clipped(&plain(word)))]]);
        });
    }

    /// Asks for one of some facts as well.
    pub(crate) fn and_one_of(&mut self, facts: impl IntoIterator<Item = String>) {
        self.0.push(
            facts
                .into_iter()
                .map(|fact| vec![Term::Word(fact)])
                .collect(),
        );
    }

    /// In the language of FTS5, made of quoted words only.
    pub(crate) fn expression(&self) -> String {
        let term = |term: &Term| match term {
            Term::Word(word) => format!("\"{word}\""),
            Term::Beginning(word) => format!("\"{word}\" *"),
        };
        let all: Vec<String> = self
            .0
            .iter()
            .map(|group| {
                let ways: Vec<String> = group
                    .iter()
                    .map(|way| {
                        let terms: Vec<String> = way.iter().map(term).collect();
                        format!("({})", terms.join(" AND "))
                    })
                    .collect();
                format!("({})", ways.join(" OR "))
            })
            .collect();
        all.join(" AND ")
    }
}

/// Calls for each word of a text, in lower case.
fn split(text: &str, mut each: impl FnMut(&str)) {
    let is_of_a_word = |c: char| {
        c.is_alphanumeric()
            || (!c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_mark(c))
    };
    for word in text
        .split(|c| !is_of_a_word(c))
        .filter(|word| !word.is_empty())
    {
        if word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        {
            each(word);
        } else {
            each(&word.to_lowercase());
        }
    }
}

/// Typographic marks, and letters that cannot be seen.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{a0}'..='\u{bf}' if !matches!(c, 'ª' | 'µ' | 'º'))
        || matches!(c, '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{3003}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}')
}

/// Without accents; ß is ss. What consists of accents alone stays.
fn plain(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let open = DecomposingNormalizerBorrowed::new_nfd().normalize(word);
    let bare: String = open
        .chars()
        .filter(|c| !matches!(c, '\u{300}'..='\u{36f}'))
        .collect::<String>()
        .replace('ß', "ss");
    if bare.is_empty() {
        open.into_owned()
    } else {
        bare
    }
}

fn clipped(word: &str) -> String {
    match word.char_indices().nth(LONGEST_WORD) {
        Some((at, _)) => word.get(..at).unwrap_or(word).to_owned(),
        None => word.to_owned(),
    }
}

fn reversed(digits: &str) -> String {
    std::iter::once(PHONE_MARK)
        .chain(digits.chars().rev())
        .collect()
}

/// A run of digits that may be a phone number.
struct Phone<'a> {
    spelled: &'a str,
    digits: String,
    international: bool,
}

impl Phone<'_> {
    /// Without the zeros before it.
    fn national(&self) -> &str {
        self.digits.trim_start_matches('0')
    }
}

/// The runs of digits in a text, with what people write between them.
fn phones(text: &str) -> impl Iterator<Item = Phone<'_>> {
    text.split(|c: char| {
        !(c.is_ascii_digit() || matches!(c, ' ' | '+' | '-' | '/' | '.' | '(' | ')' | '\u{a0}'))
    })
    .filter(|run| run.len() >= *PHONE.start())
    .filter_map(|run| {
        let spelled = run.trim_matches(|c: char| !c.is_ascii_digit() && c != '+');
        let digits: String = spelled.chars().filter(char::is_ascii_digit).collect();
        PHONE.contains(&digits.len()).then(|| Phone {
            international: spelled.starts_with('+') || spelled.starts_with("00"),
            spelled,
            digits,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, typed: &str) -> bool {
        let mut words = Words::default();
        words.add(text);
        Question::read(typed).is_some_and(|question| words.answer(&question))
    }

    #[test]
    fn every_word_is_asked_for_and_the_last_by_its_beginning() {
        assert!(found("Cut and colour, Maria Petersen", "maria peter"));
        assert!(found("Cut and colour, Maria Petersen", "PETERSEN cut"));
        assert!(!found("Cut and colour, Maria Petersen", "mar petersen"));
        assert!(!found("Cut and colour, Maria Petersen", "maria jones"));
        // Too short for a beginning, and a word that is finished.
        assert!(!found("Maria", "ma"));
        assert!(!found("Maria", "mari "));
    }

    #[test]
    fn case_umlauts_and_accents_do_not_matter() {
        for typed in ["müller", "MÜLLER", "muller", "mueller", "Mu\u{308}ller"] {
            assert!(found("Jörg Müller", typed), "{typed}");
        }
        assert!(found("Straße", "strasse") && found("STRASSE", "straße"));
        assert!(found("Zoë Łuczak, Ærø", "zoe"));
        assert!(found("小さな店", "小さな店") && found("👾 🙇", "👾"));
    }

    #[test]
    fn a_phone_number_is_found_in_any_spelling() {
        for stored in [
            "+49 170 1234567",
            "+491701234567",
            "0170/123 45-67",
            "0049 (170) 1234567",
        ] {
            for typed in [
                "+49 170 1234567",
                "+491701234567",
                "01701234567",
                "0170 1234567",
                "170 123 4567",
                "0049170-1234567",
            ] {
                assert!(found(stored, typed), "{stored} by {typed}");
            }
            assert!(!found(stored, "0170 1234568"), "{stored}");
        }
        assert!(found("2026-12-01", "2026-12-01") && found("call 12345 now", "12345"));
    }

    #[test]
    fn what_is_typed_never_becomes_a_command_of_the_search() {
        for typed in [
            "\"",
            "a\" OR \"b",
            "NEAR(a b)",
            "a*",
            "-a",
            "col:a",
            "(",
            "a AND NOT b",
            "'); DROP",
        ] {
            let Some(question) = Question::read(typed) else {
                continue;
            };
            let bare = question.expression();
            let outside: String = bare.split('"').step_by(2).collect();
            assert!(
                outside
                    .replace("AND", "")
                    .replace("OR", "")
                    .chars()
                    .all(|c| " ()*".contains(c)),
                "{typed}: {bare}"
            );
        }
        assert!(Question::read("!?\"").is_none());
    }

    #[test]
    fn words_of_a_document_are_those_of_its_values() {
        let mut words = Words::default();
        words.add_json(br#"{"customer":{"name":"M\u00fcller"},"price":89.50,"tags":["new"]}"#);
        let asks = |typed: &str| words.answer(&Question::read(typed).unwrap());
        assert!(asks("muller new 89"));
        assert!(!asks("customer"));
    }
}
