//! How many texts a message becomes: what the phone companies count, and charge. Pure.
//!
//! What fits the GSM alphabet goes out in 7 bits a letter, all else in UCS-2. A message that is too long for one
//! text is cut into shorter ones, for each then carries how it belongs to the others.

use serde::Serialize;

/// The alphabet of GSM 03.38, without its escape.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// What is written with an escape before it, and takes two places.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// How a text is written on the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Encoding {
    /// Seven bits a letter.
    #[serde(rename = "GSM-7")]
    Gsm7,
    /// Sixteen bits a letter, and twice as many for those beyond them, as most emoji are.
    #[serde(rename = "UCS-2")]
    Ucs2,
}

impl Encoding {
    /// Places in a single text, and in each of several.
    const fn room(self) -> (u32, u32) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// What a message takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Size {
    /// How it is written on the air.
    pub encoding: Encoding,
    /// How many texts it becomes.
    pub segments: u32,
    /// The places it takes: one a letter, two for those that need them.
    pub units: u32,
    /// The places that are left in the last text.
    pub left: u32,
}

/// Counts a message.
#[must_use]
pub fn count(message: &str) -> Size {
    match places(message, gsm7) {
        Some(places) => cut(Encoding::Gsm7, &places),
        None => cut(
            Encoding::Ucs2,
            &places(message, |letter| Some(width(letter))).unwrap_or_default(),
        ),
    }
}

/// The first letter that makes a message go out in UCS-2, so that the writer can choose another.
#[must_use]
pub fn first_beyond_gsm7(message: &str) -> Option<char> {
    message.chars().find(|letter| gsm7(*letter).is_none())
}

fn places(message: &str, of: impl Fn(char) -> Option<u32>) -> Option<Vec<u32>> {
    message.chars().map(of).collect()
}

fn gsm7(letter: char) -> Option<u32> {
    if BASIC.contains(letter) {
        Some(1)
    } else if EXTENDED.contains(letter) {
        Some(2)
    } else {
        None
    }
}

const fn width(letter: char) -> u32 {
    if letter.len_utf16() == 1 { 1 } else { 2 }
}

/// A letter of two places is never cut in two: the text before it stays one place short.
fn cut(encoding: Encoding, places: &[u32]) -> Size {
    let (single, each) = encoding.room();
    let units = places.iter().sum();
    if units <= single {
        return Size {
            encoding,
            segments: 1,
            units,
            left: single - units,
        };
    }
    let (mut segments, mut filled) = (1, 0);
    for place in places {
        if filled + place > each {
            segments += 1;
            filled = 0;
        }
        filled += place;
    }
    Size {
        encoding,
        segments,
        units,
        left: each - filled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(message: &str) -> (Encoding, u32, u32) {
        let size = count(message);
        (size.encoding, size.segments, size.units)
    }

    #[test]
    fn what_fits_the_gsm_alphabet_is_counted_in_places_of_seven_bits() {
        use Encoding::Gsm7;
        for (message, segments, units) in [
            (String::new(), 1, 0),
            ("Your table is booked.".into(), 1, 21),
            ("a".repeat(160), 1, 160),
            ("a".repeat(161), 2, 161),
            ("a".repeat(306), 2, 306),
            ("a".repeat(307), 3, 307),
            ("Grüße aus Åre: 5 £, ¿qué?".into(), 1, 25),
            ("€".repeat(80), 1, 160),
            ("€".repeat(81), 2, 162),
            ("5 € for [two] ~".into(), 1, 19),
            // 152 places and a sign of two: it goes whole into the second text.
            (format!("{}€{}", "a".repeat(152), "b".repeat(152)), 3, 306),
            (format!("{}€{}", "a".repeat(151), "b".repeat(153)), 2, 306),
        ] {
            assert_eq!(counted(&message), (Gsm7, segments, units), "{message}");
        }
    }

    #[test]
    fn one_letter_beyond_it_makes_all_of_them_wide_and_emoji_take_two_places() {
        use Encoding::Ucs2;
        for (message, segments, units) in [
            ("Ваш столик заказан".to_owned(), 1, 18),
            ("ж".repeat(70), 1, 70),
            ("ж".repeat(71), 2, 71),
            ("ж".repeat(134), 2, 134),
            ("ж".repeat(135), 3, 135),
            ("👍".repeat(35), 1, 70),
            ("👍".repeat(36), 2, 72),
            // 67 is odd: 33 emoji a text and one place empty.
            ("👍".repeat(66), 2, 132),
            ("👍".repeat(67), 3, 134),
            ("It’s ready".into(), 1, 10),
            (format!("{}’", "a".repeat(70)), 2, 71),
            // The small ç is not in the alphabet, the large one is.
            ("façade".into(), 1, 6),
            ("👩‍👩‍👧".into(), 1, 8),
        ] {
            assert_eq!(counted(&message), (Ucs2, segments, units), "{message}");
        }
        assert_eq!(counted("FAÇADE").0, Encoding::Gsm7);
    }

    #[test]
    fn what_is_left_is_said_and_so_is_the_letter_that_costs() {
        assert_eq!(count("abc").left, 157);
        assert_eq!(count(&"a".repeat(161)).left, 145);
        assert_eq!(count("ж").left, 69);
        assert_eq!(first_beyond_gsm7("It’s ready"), Some('’'));
        assert_eq!(first_beyond_gsm7("It's ready"), None);
    }

    #[test]
    fn the_alphabet_has_all_its_letters_once() {
        let all: std::collections::BTreeSet<char> = BASIC.chars().chain(EXTENDED.chars()).collect();
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(all.len(), 137);
    }
}
