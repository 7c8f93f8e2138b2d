//! Conditions: which events somebody wants, said over the members of `data`. Pure.
//!
//! A condition is one test `{path, op, value}`, or `{all: […]}` or `{any: […]}` of such, which may
//! nest. It is read once and asked of the event's bytes as they were handed in, so that numbers of
//! any length compare exactly.
//!
//! A path is dotted; a number in it picks from a list (`items.0.sku`). Kinds never mix: numbers
//! compare with numbers (`1.0` is `1`), text with text by its characters, and what is of another
//! kind fits only `ne`. What is not there fits `ne` and `exists: false`, and nothing else. A member
//! that is null is not there for `exists`, but is `eq` null. `contains` looks for a piece of a
//! text, or for an entry of a list.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::FieldError;

/// How deep conditions may nest.
const DEEPEST: usize = 8;
/// How many tests a condition may hold, and values one `in`.
const MOST: usize = 100;
/// The longest condition, in bytes.
const LONGEST: usize = 16 * 1024;
/// Values in sentences are no longer than this.
const SHOWN: usize = 60;

/// A condition that was read and is sound.
#[derive(Debug, Clone)]
pub struct Condition(Node);

#[derive(Debug, Clone)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Test(Test),
}

#[derive(Debug, Clone)]
struct Test {
    path: String,
    op: Op,
    value: Value,
    /// As it was written, for sentences.
    written: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    Contains,
    Exists,
    In,
}

impl Op {
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            "contains" => Self::Contains,
            "exists" => Self::Exists,
            "in" => Self::In,
            _ => return None,
        })
    }
}

/// A value as far as conditions look into it.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    Number(Number),
    /// UTF-8, or what JSON can escape beyond it (half of a surrogate pair).
    Text(Vec<u8>),
    List(Vec<Value>),
    Object,
}

/// A decimal number of any length: 0.`digits` × 10^`point`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Number {
    negative: bool,
    /// Without zeros at either end; none is zero.
    digits: Vec<u8>,
    point: i64,
}

impl Number {
    fn read(text: &str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent = exponent
            .parse::<i64>()
            .unwrap_or(if exponent.starts_with('-') {
                i64::MIN / 2
            } else {
                i64::MAX / 2
            });
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(part.bytes()).collect();
        let zeros = all.iter().take_while(|d| **d == b'0').count();
        let mut digits = all.get(zeros..).unwrap_or_default().to_vec();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let place = |n: usize| i64::try_from(n).unwrap_or(i64::MAX / 4);
        if digits.is_empty() {
            return Self {
                negative: false,
                digits,
                point: 0,
            };
        }
        Self {
            negative,
            point: exponent
                .clamp(i64::MIN / 2, i64::MAX / 2)
                .saturating_add(place(whole.len()) - place(zeros)),
            digits,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let sign = |n: &Self| match (n.digits.is_empty(), n.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            let larger = self
                .point
                .cmp(&other.point)
                .then_with(|| self.digits.cmp(&other.digits));
            if self.negative {
                larger.reverse()
            } else {
                larger
            }
        })
    }
}

/// Text of JSON as bytes, so that what no `str` can hold is compared as well.
struct Text;

impl Visitor<'_> for Text {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_bytes<E>(self, text: &[u8]) -> Result<Vec<u8>, E> {
        Ok(text.to_vec())
    }

    fn visit_str<E>(self, text: &str) -> Result<Vec<u8>, E> {
        Ok(text.as_bytes().to_vec())
    }
}

/// A member's name; true when it is the one that is looked for.
struct IsName<'n>(&'n [u8]);

impl<'de> serde::de::DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_bytes(Text).map(|name| name == self.0)
    }
}

/// Finds one member, or one entry of a list. Of members of the same name the last one counts.
struct Pick<'n>(&'n str);

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(IsName(self.0.as_bytes()))? {
            if is_it {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let wanted = self.0.parse::<usize>().ok();
        let (mut at, mut found) = (0, None);
        while let Some(entry) = list.next_element::<&RawValue>()? {
            if Some(at) == wanted {
                found = Some(entry);
            }
            at += 1;
        }
        Ok(found)
    }
}

/// What stands at a path, as it is written there.
fn find<'d>(data: &'d str, path: &str) -> Option<&'d str> {
    path.split('.').try_fold(data, |inside, name| {
        let mut json = serde_json::Deserializer::from_str(inside);
        let found = match inside.trim_start().bytes().next()? {
            b'{' => json.deserialize_map(Pick(name)),
            b'[' => json.deserialize_seq(Pick(name)),
            _ => return None,
        };
        found.ok().flatten().map(RawValue::get)
    })
}

impl Value {
    fn read(json: &str) -> Self {
        match json.trim_start().bytes().next() {
            Some(b'"') => serde_json::Deserializer::from_str(json)
                .deserialize_bytes(Text)
                .map_or(Self::Null, Self::Text),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'-' | b'0'..=b'9') => Self::Number(Number::read(json.trim())),
            Some(b'[') => Self::List(
                serde_json::from_str::<Vec<&RawValue>>(json)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|entry| match entry.get().bytes().next() {
                        // What is inside of entries is not looked at.
                        Some(b'[' | b'{') => Self::Object,
                        _ => Self::read(entry.get()),
                    })
                    .collect(),
            ),
            Some(b'{') => Self::Object,
            _ => Self::Null,
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a.compare(b).is_eq(),
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }

    /// Only numbers with numbers, and text with text.
    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(a.compare(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    fn contains(&self, piece: &Self) -> bool {
        match (self, piece) {
            (Self::Text(all), Self::Text(piece)) => {
                piece.is_empty() || all.windows(piece.len()).any(|w| w == piece)
            }
            (Self::List(entries), piece) => entries.iter().any(|entry| entry.is(piece)),
            _ => false,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "yes or no",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object => "an object",
        }
    }
}

/// A value in a sentence.
fn shown(json: &str) -> String {
    let text = serde_json::from_str::<String>(json).map_or_else(
        |_| json.split_whitespace().collect::<Vec<_>>().join(" "),
        |text| format!("“{text}”"),
    );
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

impl Test {
    fn fits(&self, data: &str) -> bool {
        self.judge(find(data, &self.path).map(Value::read).as_ref())
    }

    fn judge(&self, found: Option<&Value>) -> bool {
        let ordered = |wanted: fn(Ordering) -> bool| {
            found
                .and_then(|found| found.order(&self.value))
                .is_some_and(wanted)
        };
        match self.op {
            Op::Eq => found.is_some_and(|found| found.is(&self.value)),
            Op::Ne => !found.is_some_and(|found| found.is(&self.value)),
            Op::Gt => ordered(Ordering::is_gt),
            Op::Gte => ordered(Ordering::is_ge),
            Op::Lt => ordered(Ordering::is_lt),
            Op::Lte => ordered(Ordering::is_le),
            Op::Contains => found.is_some_and(|found| found.contains(&self.value)),
            Op::Exists => {
                found.is_some_and(|found| *found != Value::Null)
                    == (self.value == Value::Bool(true))
            }
            Op::In => match &self.value {
                Value::List(all) => found.is_some_and(|found| all.iter().any(|one| found.is(one))),
                _ => false,
            },
        }
    }

    fn why(&self, data: &str) -> (bool, String) {
        let found = find(data, &self.path);
        let value = found.map(Value::read);
        let fits = self.judge(value.as_ref());
        let (path, wanted) = (&self.path, &self.written);
        let (Some(found), Some(value)) = (found, value) else {
            return (fits, format!("{path} is not there"));
        };
        let is = shown(found);
        let compared = |words: &str| match (fits, value.order(&self.value)) {
            (true, _) => format!("{path} is {is}, {words} {wanted}"),
            (false, Some(_)) => format!("{path} is {is}, not {words} {wanted}"),
            (false, None) => format!(
                "{path} is {}, and {wanted} is {}",
                value.kind(),
                self.value.kind()
            ),
        };
        let sentence = match (self.op, fits) {
            (Op::Eq, true) | (Op::Ne, false) => format!("{path} is {is}"),
            (Op::Eq | Op::Ne, _) => format!("{path} is {is}, not {wanted}"),
            (Op::Gt, _) => compared("more than"),
            (Op::Gte, _) => compared("at least"),
            (Op::Lt, _) => compared("less than"),
            (Op::Lte, _) => compared("at most"),
            (Op::Contains, true) => format!("{path} contains {wanted}"),
            (Op::Contains, false) => format!("{path} does not contain {wanted}"),
            (Op::Exists, _) if value == Value::Null => format!("{path} is empty"),
            (Op::Exists, _) => format!("{path} is there"),
            (Op::In, true) => format!("{path} is {is}, which is in the list"),
            (Op::In, false) => format!("{path} is {is}, which is not in the list"),
        };
        (fits, sentence)
    }
}

impl Node {
    fn fits(&self, data: &str) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.fits(data)),
            Self::Any(nodes) => nodes.iter().any(|node| node.fits(data)),
            Self::Test(test) => test.fits(data),
        }
    }

    fn why(&self, data: &str) -> (bool, String) {
        let (nodes, decisive) = match self {
            Self::Test(test) => return test.why(data),
            Self::All(nodes) => (nodes, false),
            Self::Any(nodes) => (nodes, true),
        };
        let mut reasons = Vec::new();
        for node in nodes {
            let (fits, reason) = node.why(data);
            if fits == decisive {
                return (fits, reason);
            }
            reasons.push(reason);
        }
        reasons.dedup();
        (!decisive, reasons.join("; "))
    }
}

impl Condition {
    /// Reads a condition. `at` is where it stands in the request: `filter`, `condition`.
    ///
    /// # Errors
    /// All that is wrong, each with its path.
    pub fn read(json: &RawValue, at: &str) -> Result<Self, Vec<FieldError>> {
        let mut reading = Reading::default();
        if json.get().len() > LONGEST {
            reading.say(at, "too_long", "A condition may be 16 KiB long at most.");
            return Err(reading.wrong);
        }
        match reading.node(json.get(), at, 1) {
            Some(node) if reading.wrong.is_empty() => Ok(Self(node)),
            _ => Err(reading.wrong),
        }
    }

    /// Whether an event's `data` fits.
    #[must_use]
    pub fn fits(&self, data: &str) -> bool {
        self.0.fits(data)
    }

    /// Whether an event's `data` fits, and why, as a sentence.
    #[must_use]
    pub fn why(&self, data: &str) -> (bool, String) {
        let (fits, reason) = self.0.why(data);
        (fits, format!("{reason}."))
    }
}

/// What was found while a condition is read.
#[derive(Default)]
struct Reading {
    tests: usize,
    wrong: Vec<FieldError>,
}

impl Reading {
    fn say(&mut self, at: &str, code: &str, message: &str) {
        self.wrong.push(FieldError::new(at, code, message));
    }

    fn node(&mut self, json: &str, at: &str, depth: usize) -> Option<Node> {
        let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json) else {
            self.say(
                at,
                "invalid",
                "A condition is {\"all\": […]}, {\"any\": […]} or {\"path\", \"op\", \"value\"}.",
            );
            return None;
        };
        if depth > DEEPEST {
            self.say(at, "too_deep", "Conditions may nest 8 deep at most.");
            return None;
        }
        let known: &[&str] = if members.contains_key("all") {
            &["all"]
        } else if members.contains_key("any") {
            &["any"]
        } else {
            &["path", "op", "value"]
        };
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            self.say(
                &format!("{at}.{name}"),
                "unknown",
                "This has no place in a condition.",
            );
        }
        match (members.get("all"), members.get("any")) {
            (Some(all), _) => self.nodes(all, &format!("{at}.all"), depth).map(Node::All),
            (None, Some(any)) => self.nodes(any, &format!("{at}.any"), depth).map(Node::Any),
            (None, None) => self.test(&members, at).map(Node::Test),
        }
    }

    fn nodes(&mut self, json: &RawValue, at: &str, depth: usize) -> Option<Vec<Node>> {
        let parts: Vec<&RawValue> = serde_json::from_str(json.get()).unwrap_or_default();
        if parts.is_empty() || parts.len() > MOST {
            self.say(at, "invalid", "This must be a list of 1 to 100 conditions.");
            return None;
        }
        let nodes: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(i, part)| self.node(part.get(), &format!("{at}.{i}"), depth + 1))
            .collect();
        nodes.into_iter().collect()
    }

    fn test(&mut self, members: &BTreeMap<String, &RawValue>, at: &str) -> Option<Test> {
        self.tests += 1;
        if self.tests > MOST {
            if self.tests == MOST + 1 {
                self.say(at, "too_many", "A condition may hold 100 tests at most.");
            }
            return None;
        }
        let text = |name: &str| {
            members
                .get(name)
                .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
        };
        let path = text("path")
            .filter(|path| path.len() <= 200 && path.split('.').all(|name| !name.is_empty()));
        if path.is_none() {
            self.say(
                &format!("{at}.path"),
                if members.contains_key("path") {
                    "invalid"
                } else {
                    "required"
                },
                "Name a member of data, such as customer.email.",
            );
        }
        let op = text("op").as_deref().and_then(Op::read);
        let Some(op) = op else {
            self.say(
                &format!("{at}.op"),
                if members.contains_key("op") {
                    "unknown"
                } else {
                    "required"
                },
                "This is one of eq, ne, gt, gte, lt, lte, contains, exists, in.",
            );
            return None;
        };
        let written = members.get("value").map(|raw| raw.get());
        let value = written.map(Value::read);
        let flat = |value: &Value| !matches!(value, Value::List(_) | Value::Object);
        let wanted = match (op, &value) {
            (Op::Exists, None | Some(Value::Bool(_))) => None,
            (Op::Exists, _) => Some("This must be true or false."),
            (Op::Eq | Op::Ne, Some(value)) if flat(value) => None,
            (Op::Eq | Op::Ne, _) => Some("Compare with text, a number, true, false or null."),
            (Op::Gt | Op::Gte | Op::Lt | Op::Lte, Some(Value::Number(_) | Value::Text(_))) => None,
            (Op::Gt | Op::Gte | Op::Lt | Op::Lte, _) => Some("Compare with a number or text."),
            (Op::Contains, Some(Value::Number(_) | Value::Text(_) | Value::Bool(_))) => None,
            (Op::Contains, _) => Some("Look for text, a number, true or false."),
            (Op::In, Some(Value::List(all)))
                if (1..=MOST).contains(&all.len()) && all.iter().all(flat) =>
            {
                None
            }
            (Op::In, _) => {
                Some("Give a list of 1 to 100 values: text, numbers, true, false or null.")
            }
        };
        if let Some(message) = wanted {
            let code = if value.is_none() {
                "required"
            } else {
                "invalid"
            };
            self.say(&format!("{at}.value"), code, message);
            return None;
        }
        Some(Test {
            path: path?,
            op,
            written: written.map(shown).unwrap_or_default(),
            value: value.unwrap_or(Value::Bool(true)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Condition, Vec<FieldError>> {
        Condition::read(serde_json::from_str::<&RawValue>(json).unwrap(), "filter")
    }

    fn fits(condition: &str, data: &str) -> bool {
        read(condition).unwrap().fits(data)
    }

    fn test(path: &str, op: &str, value: &str, data: &str) -> bool {
        let condition = format!(r#"{{"all":[{{"path":"{path}","op":"{op}","value":{value}}}]}}"#);
        fits(&condition, data)
    }

    #[test]
    fn each_test_fits_what_it_says_and_kinds_never_mix() {
        let data = r#"{"price": 30, "name":"Maria", "none":null, "yes":true, "tags":["cut",7,"colour"],
                       "customer":{"email":"m@x.example"}, "items":[{"sku":"a"},{"sku":"b"}]}"#;
        for (path, op, value, expected) in [
            ("price", "eq", "30", true),
            ("price", "eq", "30.00", true),
            ("price", "eq", "3e1", true),
            ("price", "eq", r#""30""#, false),
            ("price", "ne", r#""30""#, true),
            ("price", "gt", "29.999", true),
            ("price", "gt", "30", false),
            ("price", "gte", "30", true),
            ("price", "lt", r#""9""#, false),
            ("price", "gte", r#""9""#, false),
            ("price", "lte", "-30", false),
            ("name", "gt", r#""Ma""#, true),
            ("name", "contains", r#""ari""#, true),
            ("name", "contains", r#""ARI""#, false),
            ("name", "in", r#"["Anna","Maria"]"#, true),
            ("name", "in", r#"["Anna",5]"#, false),
            ("tags", "contains", r#""cut""#, true),
            ("tags", "contains", r#""cu""#, false),
            ("tags", "contains", "7.0", true),
            ("tags.1", "eq", "7", true),
            ("items.1.sku", "eq", r#""b""#, true),
            ("items.2.sku", "eq", r#""b""#, false),
            ("customer.email", "exists", "true", true),
            ("customer.phone", "exists", "true", false),
            ("customer.phone", "exists", "false", true),
            ("customer.phone", "eq", "null", false),
            ("customer.phone", "ne", r#""x""#, true),
            ("customer.phone", "lt", "5", false),
            ("customer", "exists", "true", true),
            ("customer", "eq", r#""x""#, false),
            ("none", "exists", "true", false),
            ("none", "eq", "null", true),
            ("yes", "eq", "true", true),
            ("yes", "eq", "1", false),
            ("name.first", "exists", "true", false),
        ] {
            assert_eq!(test(path, op, value, data), expected, "{path} {op} {value}");
        }
    }

    #[test]
    fn numbers_of_any_length_compare_exactly() {
        let data = r#"{"n":12345678901234567890123, "small":1e-999999999999999999999, "huge":-1E+400, "zero":-0.0}"#;
        for (path, op, value, expected) in [
            ("n", "eq", "12345678901234567890123", true),
            ("n", "eq", "12345678901234567890124", false),
            ("n", "lt", "12345678901234567890124", true),
            ("n", "eq", "1.2345678901234567890123e22", true),
            ("small", "gt", "0", true),
            ("small", "lt", "1e-400", true),
            ("huge", "lt", "-9e399", true),
            ("zero", "eq", "0", true),
        ] {
            assert_eq!(test(path, op, value, data), expected, "{path} {op} {value}");
        }
    }

    #[test]
    fn what_no_program_can_read_as_text_is_still_compared() {
        let data = r#"{"\ud800":1, "odd":"a\udfff", "id":"x", "id":"y"}"#;
        assert!(test("id", "eq", r#""y""#, data), "the last one counts");
        assert!(test("odd", "eq", r#""a\udfff""#, data));
        assert!(test("odd", "contains", r#""a""#, data));
    }

    #[test]
    fn all_and_any_nest() {
        let condition = r#"{"any":[{"all":[{"path":"a","op":"eq","value":1},{"path":"b","op":"exists"}]},
                                   {"path":"c","op":"eq","value":"x"}]}"#;
        assert!(fits(condition, r#"{"a":1,"b":2}"#));
        assert!(fits(condition, r#"{"c":"x"}"#));
        assert!(!fits(condition, r#"{"a":1}"#));
    }

    #[test]
    fn each_mistake_is_named_by_its_path() {
        for (condition, path) in [
            ("5", "filter"),
            ("[]", "filter"),
            ("{}", "filter.op"),
            (r#"{"all":[]}"#, "filter.all"),
            (r#"{"all":{}}"#, "filter.all"),
            (r#"{"all":[5]}"#, "filter.all.0"),
            (
                r#"{"any":[{"path":"a","op":"eq","value":1},{"path":"a","op":"is","value":1}]}"#,
                "filter.any.1.op",
            ),
            (r#"{"path":"","op":"eq","value":1}"#, "filter.path"),
            (r#"{"path":"a..b","op":"eq","value":1}"#, "filter.path"),
            (r#"{"op":"eq","value":1}"#, "filter.path"),
            (r#"{"path":"a","op":"eq"}"#, "filter.value"),
            (r#"{"path":"a","op":"eq","value":{}}"#, "filter.value"),
            (r#"{"path":"a","op":"gt","value":true}"#, "filter.value"),
            (r#"{"path":"a","op":"in","value":"x"}"#, "filter.value"),
            (r#"{"path":"a","op":"in","value":[[1]]}"#, "filter.value"),
            (
                r#"{"path":"a","op":"exists","value":"yes"}"#,
                "filter.value",
            ),
            (
                r#"{"path":"a","op":"eq","value":1,"not":true}"#,
                "filter.not",
            ),
            (
                r#"{"all":[{"path":"a","op":"exists"}],"any":[]}"#,
                "filter.any",
            ),
        ] {
            let wrong = read(condition).unwrap_err();
            assert!(
                wrong.iter().any(|e| e.path == path),
                "{condition}: {wrong:?}"
            );
        }
    }

    #[test]
    fn what_nests_too_deep_or_holds_too_much_is_refused() {
        let mut deep = r#"{"path":"a","op":"exists"}"#.to_owned();
        for _ in 0..DEEPEST {
            deep = format!(r#"{{"all":[{deep}]}}"#);
        }
        assert_eq!(read(&deep).unwrap_err()[0].code, "too_deep");
        let one = r#"{"path":"a","op":"exists"}"#;
        let half = format!(r#"{{"all":[{}]}}"#, vec![one; 60].join(","));
        let many = format!(r#"{{"all":[{half},{half}]}}"#);
        assert_eq!(read(&many).unwrap_err()[0].code, "too_many");
        let long = format!(
            r#"{{"path":"a","op":"eq","value":"{}"}}"#,
            "x".repeat(LONGEST)
        );
        assert_eq!(read(&long).unwrap_err()[0].code, "too_long");
    }

    #[test]
    fn why_is_a_sentence() {
        let why = |condition: &str, data: &str| read(condition).unwrap().why(data).1;
        let price = r#"{"all":[{"path":"price","op":"gt","value":50},{"path":"location","op":"eq","value":"Salon"}]}"#;
        assert_eq!(
            why(price, r#"{"price":30}"#),
            "price is 30, not more than 50."
        );
        assert_eq!(
            why(price, r#"{"price":60,"location":"Salon"}"#),
            "price is 60, more than 50; location is “Salon”."
        );
        assert_eq!(
            why(price, r#"{"price":"60"}"#),
            "price is text, and 50 is a number."
        );
        assert_eq!(why(price, "{}"), "price is not there.");
        let any = r#"{"any":[{"path":"tags","op":"contains","value":"cut"},{"path":"vip","op":"eq","value":true}]}"#;
        assert_eq!(
            why(any, r#"{"tags":[],"vip":false}"#),
            "tags does not contain “cut”; vip is false, not true."
        );
        assert_eq!(why(any, r#"{"vip":true}"#), "vip is true.");
    }
}
