//! Phone numbers as people write them, and as they are sent: E.164. Pure.

use phonenumber::{Mode, PhoneNumber, country};

/// Longer is no phone number, however it is written.
const LONGEST: usize = 40;

/// Why something is no number that a text can be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It begins without a country, and none is known.
    NoCountry,
    /// No number is like this.
    NoNumber,
}

impl Wrong {
    /// The word for programs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::NoCountry => "country_missing",
            Self::NoNumber => "invalid_number",
        }
    }

    /// What to do about it.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::NoCountry => {
                "This number does not say its country. Write it with a plus and the country's code, such as +43 664 1234567."
            }
            Self::NoNumber => {
                "This is no phone number. One looks like +43 664 1234567: a plus, the country's code, the number."
            }
        }
    }
}

/// The number in E.164. `country` (two letters) is where a number belongs that does not say so itself.
pub(crate) fn e164(text: &str, country: Option<&str>) -> Result<String, Wrong> {
    let number = read(text, country)?;
    Ok(number.format().mode(Mode::E164).to_string())
}

/// The country of a number in E.164, in two letters.
pub(crate) fn country_of(e164: &str) -> Option<&'static str> {
    let id = read(e164, None).ok()?.country().id()?;
    known(id.as_ref())
}

/// The two letters of a country that has phone numbers, as they are usually written.
pub(crate) fn known(country: &str) -> Option<&'static str> {
    let upper = country.trim().to_ascii_uppercase();
    phonenumber::metadata::DATABASE
        .by_id(upper.as_str())
        .map(phonenumber::Metadata::id)
        .filter(|id| id.len() == 2)
}

fn read(text: &str, country: Option<&str>) -> Result<PhoneNumber, Wrong> {
    let text = text.trim();
    let usual = |c: char| c.is_ascii_digit() || " +-()./\u{a0}\u{2011}\u{202f}".contains(c);
    if text.len() > LONGEST || !text.chars().all(usual) {
        return Err(Wrong::NoNumber);
    }
    let country: Option<country::Id> = country.and_then(|c| c.to_ascii_uppercase().parse().ok());
    if country.is_none() && !text.starts_with('+') && text.chars().any(|c| c.is_ascii_digit()) {
        return Err(Wrong::NoCountry);
    }
    let number = phonenumber::parse(country, text).map_err(|_| Wrong::NoNumber)?;
    if phonenumber::is_valid(&number) && number.extension().is_none() {
        Ok(number)
    } else {
        Err(Wrong::NoNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for (text, country, number) in [
            ("+43 664 1234567", None, "+436641234567"),
            ("+43 (0)664 1234567", None, "+436641234567"),
            (" 0664/123 45 67 ", Some("AT"), "+436641234567"),
            ("0043 664 1234567", Some("AT"), "+436641234567"),
            ("(415) 555-2671", Some("US"), "+14155552671"),
            ("+1 415 555 2671", Some("AT"), "+14155552671"),
            ("07400 123456", Some("GB"), "+447400123456"),
        ] {
            assert_eq!(e164(text, country).as_deref(), Ok(number), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_says_so_and_a_missing_country_too() {
        for text in [
            "",
            "++",
            "+",
            "+1",
            "112",
            "maria@shop.example",
            "+43664123456;ext=5",
            "1-800-FLOWERS",
            "+43 664 1234567 8901234567",
            "+4366412345\r\nTo: x",
        ] {
            assert_eq!(e164(text, Some("AT")), Err(Wrong::NoNumber), "{text:?}");
        }
        assert_eq!(e164("0664 1234567", None), Err(Wrong::NoCountry));
        assert_eq!(e164("0664 1234567", Some("XX")), Err(Wrong::NoCountry));
    }

    #[test]
    fn a_number_tells_its_country() {
        assert_eq!(country_of("+436641234567"), Some("AT"));
        assert_eq!(country_of("+447400123456"), Some("GB"));
        assert_eq!(country_of("+15005550006"), Some("US"));
        assert_eq!(country_of("nonsense"), None);
        assert_eq!(known("at"), Some("AT"));
        assert_eq!(known("XX"), None);
    }
}
