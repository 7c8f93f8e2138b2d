//! Texts with values of an event in them: minijinja, with what an owner needs and nothing that grows.
//! Pure.
//!
//! A value that is absent, null or blank is *missing*: nothing is made with a hole in it. A default
//! says what stands there instead: `{{ notes | default("none") }}`.

use std::io::{self, Write};
use std::ops::Range;
use std::str::FromStr as _;
use std::sync::LazyLock;

use jiff::civil;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use minijinja::value::{Kwargs, Rest, Value as Shown, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error as Refusal, ErrorKind, State, UndefinedBehavior,
    escape_formatter, filters, tests,
};
use serde_json::{Map, Value};

use super::grammar;
use crate::clock::Time;

/// The longest text that is made, in bytes.
pub(crate) const MAX_BYTES: usize = 256 * 1024;
/// The longest template, in bytes.
pub(crate) const MAX_SOURCE_BYTES: usize = 128 * 1024;
/// Steps that making one text may take.
const FUEL: u64 = 100_000;
/// How many missing values are named; who lacks so many lacks the data.
const MOST_NAMED: usize = 32;
/// What stands in the place of a missing value while the next one is looked for.
const STAND_IN: &str = "\u{1a}";
/// Where the filters find the zone: a name that no template can say.
const ZONE: &str = "the zone";
/// Where `tojson` finds the data as it was handed in, blanks and all.
const ORIGINAL: &str = "the data";

/// What a text may name.
pub(crate) struct Scene<'a> {
    pub(crate) event_type: &'a str,
    pub(crate) event_id: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) occurred_at: Time,
    pub(crate) data: &'a Value,
    pub(crate) workspace: &'a str,
    /// Where the business gets its mail: what its emails come from.
    pub(crate) email: Option<&'a str>,
    pub(crate) timezone: &'a str,
    pub(crate) now: Time,
}

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// A page: what a value holds is text in it, never markup.
    Html,
    /// Words as they are.
    Plain,
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// A sentence.
    pub(crate) message: String,
}

/// Why a text could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// These values are not there, by their paths.
    Missing(Vec<String>),
    /// The template asks for something that cannot be done.
    Mistake(Mistake),
    /// Longer than [`MAX_BYTES`].
    TooLong,
    /// More steps than any message needs.
    TooMuch,
}

/// Reads a template.
pub(crate) fn check(source: &str) -> Result<(), Mistake> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(Mistake {
            line: 1,
            column: 1,
            message: "This text is longer than 128 KiB. Make it shorter.".into(),
        });
    }
    if let Some((at, message)) = grammar::refuse(source, &FILTERS) {
        let (line, column) = place(source, at);
        return Err(Mistake {
            line,
            column,
            message,
        });
    }
    PLAIN
        .template_from_str(source)
        .map(drop)
        .map_err(|refusal| mistake(source, &refusal))
}

/// Makes a text.
pub(crate) fn render(source: &str, escape: Escape, scene: &Scene<'_>) -> Result<String, Trouble> {
    check(source).map_err(Trouble::Mistake)?;
    let environment: &Environment<'static> = match escape {
        Escape::Html => &HTML,
        Escape::Plain => &PLAIN,
    };
    let template = environment
        .template_from_str(source)
        .map_err(|refusal| Trouble::Mistake(mistake(source, &refusal)))?;
    let mut data = without_blanks(scene.data);
    for path in paths_of(source) {
        make_room(&mut data, path);
    }
    let mut missing: Vec<String> = Vec::new();
    loop {
        let mut text = Capped(Vec::new());
        let Err(refusal) = template.render_captured_to(context(&data, scene), &mut text) else {
            return match missing.is_empty() {
                // What was written are whole texts.
                true => Ok(String::from_utf8_lossy(&text.0).into_owned()),
                false => Err(Trouble::Missing(missing)),
            };
        };
        match refusal.kind() {
            ErrorKind::WriteFailure => return Err(Trouble::TooLong),
            ErrorKind::OutOfFuel => return Err(Trouble::TooMuch),
            ErrorKind::UndefinedError => {}
            _ if !missing.is_empty() => return Err(Trouble::Missing(missing)),
            _ => return Err(Trouble::Mistake(mistake(source, &refusal))),
        }
        // One at a time is found; something is put in its place to find the next.
        let name = name_at(source, refusal.range().unwrap_or_default());
        if missing.contains(&name) || missing.len() == MOST_NAMED {
            return Err(Trouble::Missing(missing));
        }
        let filled = fill(&mut data, &name);
        missing.push(name);
        if !filled {
            return Err(Trouble::Missing(missing));
        }
    }
}

/// The filters there are.
const FILTERS: [&str; 21] = [
    "capitalize",
    "date",
    "datetime",
    "default",
    "d",
    "first",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lower",
    "money",
    "phone",
    "round",
    "sort",
    "time",
    "title",
    "tojson",
    "trim",
    "upper",
];

static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(|| environment(AutoEscape::None));
static HTML: LazyLock<Environment<'static>> = LazyLock::new(|| environment(AutoEscape::Html));

/// Of what minijinja can, only what makes nothing larger than it was.
fn environment(escape: AutoEscape) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_auto_escape_callback(move |_| escape);
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Map if value.len() == Some(0) => Err(ErrorKind::UndefinedError.into()),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => Err(refused(
            "these are several values; name one of them, or repeat over them with “for”",
        )),
        // A default that is missing itself.
        ValueKind::Undefined | ValueKind::None => Err(ErrorKind::UndefinedError.into()),
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "yes" } else { "no" })?),
        // 85, not 85.0.
        ValueKind::Number if !value.is_integer() => match f64::try_from(value.clone()) {
            Ok(number) => Ok(write!(out, "{number}")?),
            Err(_) => escape_formatter(out, state, value),
        },
        _ => escape_formatter(out, state, value),
    });
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("title", filters::title);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("length", filters::length);
    environment.add_filter("join", filters::join);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("round", filters::round);
    environment.add_filter("int", filters::int);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("items", filters::items);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("date", date);
    environment.add_filter("time", time);
    environment.add_filter("datetime", datetime);
    environment.add_filter("money", money);
    environment.add_filter("phone", phone);
    environment.add_filter("tojson", tojson);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("string", tests::is_string);
    environment.add_test("number", tests::is_number);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("in", tests::is_in);
    environment
}

/// A text that ends at [`MAX_BYTES`].
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.0.len() + part.len() > MAX_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The data, without what is null or blank.
fn without_blanks(data: &Value) -> Value {
    match data {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| match value {
                Value::Null => false,
                Value::String(text) => !text.trim().is_empty(),
                _ => true,
            })
            .map(|(name, value)| (name.clone(), without_blanks(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_blanks).collect(),
        other => other.clone(),
    }
}

/// All names: members of the data at the top, and over them what the contract fixes.
fn context(data: &Value, scene: &Scene<'_>) -> Shown {
    let mut all: Map<String, Value> = data.as_object().cloned().unwrap_or_default();
    let mut event = Map::new();
    event.insert("type".into(), scene.event_type.into());
    event.insert("id".into(), scene.event_id.into());
    event.insert("occurredAt".into(), scene.occurred_at.to_string().into());
    if let Some(subject) = scene.subject {
        event.insert("subject".into(), subject.into());
    }
    let zone = match data.get("timezone").and_then(Value::as_str) {
        Some(own) if TimeZone::get(own).is_ok() => own,
        _ => scene.timezone,
    };
    all.insert(ZONE.into(), zone.into());
    all.insert("event".into(), event.into());
    all.insert("data".into(), data.clone());
    all.insert(ORIGINAL.into(), scene.data.clone());
    let mut workspace = Map::new();
    workspace.insert("name".into(), scene.workspace.into());
    workspace.insert("timezone".into(), scene.timezone.into());
    if let Some(email) = scene.email {
        workspace.insert("email".into(), email.into());
    }
    all.insert("workspace".into(), workspace.into());
    all.insert("now".into(), scene.now.to_string().into());
    Shown::from_serialize(all)
}

/// What an expression is about: `customer.name` in `{{ customer.name | upper }}`, wherever in it the
/// trouble was.
fn name_at(source: &str, range: Range<usize>) -> String {
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let start_of = |text: &str| text.trim_end_matches(is_path).len();
    let before = source.get(..range.start).unwrap_or_default();
    let name = match before.trim_end().strip_suffix('|').map(str::trim_end) {
        Some(value) => value.get(start_of(value)..),
        None => source.get(start_of(before)..range.end).and_then(|all| {
            let mut words = all.split(|c| !is_path(c));
            words.find(|word| !word.is_empty())
        }),
    }
    .unwrap_or_default();
    let name = name.trim_matches('.');
    name.strip_prefix("data.").unwrap_or(name).to_owned()
}

/// All paths with a dot that a template names.
fn paths_of(source: &str) -> impl Iterator<Item = &str> {
    insides(source)
        .flat_map(|(_, inside)| {
            inside.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.'))
        })
        .filter(|word| word.contains('.') && !word.starts_with(|c: char| c.is_ascii_digit()))
}

/// Lets a template ask for a member of what is not there: `{% if customer.phone %}` without a customer.
fn make_room(data: &mut Value, path: &str) {
    let path = path.strip_prefix("data.").unwrap_or(path);
    let Some((groups, _)) = path.rsplit_once('.') else {
        return;
    };
    let mut place = data;
    for name in groups.split('.').take(MOST_NAMED) {
        let Some(members) = place.as_object_mut() else {
            return;
        };
        place = members
            .entry(name)
            .or_insert_with(|| Value::Object(Map::new()));
    }
}

/// Puts something in the place of what is missing; false where that cannot be.
fn fill(data: &mut Value, name: &str) -> bool {
    if name.is_empty() || name == "event" || name.starts_with("event.") {
        return false;
    }
    let mut place = data;
    for part in name.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Some(members) = place.as_object_mut() else {
            return false;
        };
        place = members.entry(part).or_insert(Value::Null);
    }
    let was_missing = place.is_null();
    *place = STAND_IN.into();
    was_missing
}

/// Where something stands in a text: line and column from 1.
fn place(source: &str, at: usize) -> (usize, usize) {
    let before = source.get(..at).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count();
    (before.matches('\n').count() + 1, column + 1)
}

fn mistake(source: &str, refusal: &Refusal) -> Mistake {
    let detail = refusal.detail().unwrap_or_default();
    let is_open = detail.contains("unexpected end of input");
    let (line, column) = match (refusal.range(), insides(source).last()) {
        (_, Some((begins, _))) if is_open => place(source, begins - 2),
        (Some(Range { start, .. }), _) => place(source, start),
        (None, _) => (refusal.line().unwrap_or(1), 1),
    };
    let message = match refusal.kind() {
        ErrorKind::SyntaxError if is_open => {
            "A bracket or a block that was opened here is not closed.".into()
        }
        ErrorKind::SyntaxError => format!("This cannot be read: {detail}."),
        ErrorKind::UnknownTest => format!("This question is not known: {detail}."),
        ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => {
            "There are no functions here, only values and filters such as “| date”.".into()
        }
        ErrorKind::BadSerialization | ErrorKind::InvalidOperation | ErrorKind::NonPrimitive
            if !detail.is_empty() =>
        {
            format!("This cannot be done: {detail}.")
        }
        kind => format!("This cannot be done: {kind}."),
    };
    Mistake {
        line,
        column,
        message,
    }
}

/// The insides of `{{ … }}` and `{% … %}`, each with where it begins.
fn insides(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = source.get(from..)?;
        let opened = ["{{", "{%", "{#"]
            .iter()
            .filter_map(|bracket| rest.find(bracket).map(|at| (at, *bracket)))
            .min()?;
        let close = match opened.1 {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let start = opened.0 + 2;
        let inside = rest.get(start..)?;
        let length = inside.find(close).unwrap_or(inside.len());
        let begins = from + start;
        from = (begins + length + 2).min(source.len() + 1);
        let inside = inside.get(..length)?;
        Some((begins, if opened.1 == "{#" { "" } else { inside }))
    })
}

fn refused(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorKind::InvalidOperation, message.into())
}

/// What a filter was given; missing is not its business.
fn given(value: &Shown) -> Result<&Shown, Refusal> {
    match value.is_undefined() {
        true => Err(ErrorKind::UndefinedError.into()),
        false => Ok(value),
    }
}

/// The value, or what stands there where it is missing (which may be missing itself); without an
/// argument nothing does.
fn default(value: &Shown, instead: Rest<Shown>) -> Shown {
    let is_blank = value.is_undefined()
        || value.is_none()
        || value.as_str().is_some_and(|text| text.trim().is_empty());
    match is_blank {
        true => instead.first().cloned().unwrap_or_else(|| Shown::from("")),
        false => value.clone(),
    }
}

/// A day, as it stands in a letter, or by a pattern of `strftime`.
fn date(state: &State<'_, '_>, value: &Shown, pattern: Option<String>) -> Result<String, Refusal> {
    moment(state, value, pattern.as_deref().unwrap_or("%A, %-d %B %Y"))
}

/// A time of day, or by a pattern of `strftime`.
fn time(state: &State<'_, '_>, value: &Shown, pattern: Option<String>) -> Result<String, Refusal> {
    moment(state, value, pattern.as_deref().unwrap_or("%H:%M"))
}

/// Day and time, or by a pattern of `strftime`.
fn datetime(
    state: &State<'_, '_>,
    value: &Shown,
    pattern: Option<String>,
) -> Result<String, Refusal> {
    let pattern = pattern.as_deref().unwrap_or("%A, %-d %B %Y, %H:%M");
    moment(state, value, pattern)
}

fn moment(state: &State<'_, '_>, value: &Shown, pattern: &str) -> Result<String, Refusal> {
    let text = given(value)?.to_string();
    if text == STAND_IN {
        return Ok(text);
    }
    let zone = state
        .lookup(ZONE)
        .and_then(|zone| TimeZone::get(zone.as_str()?).ok())
        .unwrap_or(TimeZone::UTC);
    let no_time = || refused("this value is no date or time");
    let text = text.trim();
    let zoned = match jiff::Timestamp::from_str(text) {
        Ok(moment) => moment.to_zoned_datetime(zone),
        // As the clock on the wall shows it there.
        Err(_) => civil::DateTime::from_str(text)
            .or_else(|_| civil::Date::from_str(text).map(|day| day.at(0, 0, 0, 0)))
            .ok()
            .and_then(|clock| clock.to_zoned_datetime(zone).ok())
            .ok_or_else(no_time)?,
    };
    strtime::format(pattern, &zoned)
        .map_err(|_| refused("this pattern of a date cannot be read; an example is \"%d.%m.%Y\""))
}

/// An amount, with its currency where it says one: `45`, `"45.50"`, `{amount, currency}`.
fn money(value: &Shown, currency: Option<String>, named: Kwargs) -> Result<String, Refusal> {
    named.assert_all_used()?;
    let value = given(value)?;
    let (amount, own) = match value.kind() {
        ValueKind::Map => (value.get_attr("amount")?, value.get_attr("currency")?),
        _ => (value.clone(), Shown::UNDEFINED),
    };
    let written = given(&amount)?.to_string();
    if written == STAND_IN {
        return Ok(written);
    }
    let number: f64 = written
        .trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && number.abs() < 1e15)
        .ok_or_else(|| refused("this value is no amount of money"))?;
    let currency = currency.or_else(|| own.as_str().map(str::to_uppercase));
    let (before, after) = match currency.as_deref() {
        None => (String::new(), String::new()),
        Some("EUR") => ("€".into(), String::new()),
        Some("GBP") => ("£".into(), String::new()),
        Some("USD") => ("$".into(), String::new()),
        Some("JPY") => ("¥".into(), String::new()),
        Some(other) => (String::new(), format!(" {other}")),
    };
    let places = if currency.as_deref() == Some("JPY") {
        0
    } else {
        2
    };
    let digits = format!("{:.places$}", number.abs());
    let sign = if number < 0.0 { "-" } else { "" };
    let whole = digits.split('.').next().unwrap_or_default();
    let rest = digits.get(whole.len()..).unwrap_or_default();
    let grouped: String = whole
        .char_indices()
        .flat_map(|(at, digit)| {
            let comma = at > 0 && (whole.len() - at) % 3 == 0;
            comma.then_some(',').into_iter().chain([digit])
        })
        .collect();
    Ok(format!("{sign}{before}{grouped}{rest}{after}"))
}

/// A value as JSON; the data as a whole as it was handed in, without what was left out as blank.
fn tojson(state: &State<'_, '_>, value: &Shown) -> Result<String, Refusal> {
    let value = given(value)?;
    let original = match state.lookup("data") {
        Some(data) if data == *value => state.lookup(ORIGINAL),
        _ => None,
    };
    serde_json::to_string(original.as_ref().unwrap_or(value))
        .map_err(|_| refused("this value cannot be written as JSON"))
}

/// A phone number as people write it: `+49 30 901820`. What is none stays as it is.
fn phone(value: &Shown, rest: Rest<Shown>) -> Result<String, Refusal> {
    if !rest.is_empty() {
        return Err(ErrorKind::TooManyArguments.into());
    }
    let text = given(value)?.to_string();
    Ok(match phonenumber::parse(None, &text) {
        Ok(number) if phonenumber::is_valid(&number) => number
            .format()
            .mode(phonenumber::Mode::International)
            .to_string(),
        _ => text,
    })
}

#[cfg(test)]
mod tests_of_texts {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn scene(data: &Value) -> Scene<'_> {
        Scene {
            event_type: "booking.created",
            event_id: "evt_1",
            subject: Some("B-1"),
            occurred_at: Time::from_ms(1_795_493_359_000),
            data,
            workspace: "Salon Rosa",
            email: None,
            timezone: "Europe/Berlin",
            now: Time::from_ms(1_795_493_359_000),
        }
    }

    fn plain(source: &str, data: &Value) -> Result<String, Trouble> {
        render(source, Escape::Plain, &scene(data))
    }

    fn booking() -> Value {
        json!({
            "bookingId": "B-1", "title": "Cut & colour", "startTime": "2026-11-26T09:00:00Z",
            "price": 1245.5, "paid": {"amount": "45", "currency": "eur"}, "notes": " ", "room": null,
            "customer": {"name": "Maria <b>", "phone": "+493090182000"}, "items": ["a", "b"],
        })
    }

    #[test]
    fn values_are_named_at_the_top_and_under_data() {
        for (source, made) in [
            (
                "{{ customer.name }}={{ data.customer.name }}",
                "Maria <b>=Maria <b>",
            ),
            (
                "{{ workspace.name }} {{ event.type }} {{ event.subject }}",
                "Salon Rosa booking.created B-1",
            ),
            (
                "{{ startTime | date }} at {{ startTime | time }}",
                "Thursday, 26 November 2026 at 10:00",
            ),
            ("{{ startTime | date('%d.%m.') }}", "26.11."),
            (
                "{{ price | money }} {{ price | money('EUR') }} {{ paid | money }}",
                "1,245.50 €1,245.50 €45.00",
            ),
            ("{{ customer.phone | phone }}", "+49 30 90182000"),
            (
                "{{ notes | default('none') }} {{ room|default('any') }} {{ x.y.z | default('-') }}",
                "none any -",
            ),
            (
                "{% if notes %}N{% else %}-{% endif %}{% if x.y %}!{% endif %}",
                "-",
            ),
            (
                "{% for item in items %}{{ loop.index }}{{ item }} {% endfor %}",
                "1a 2b ",
            ),
            ("{{ items | join(', ') }}", "a, b"),
            (
                "{# said to nobody: set #}{{ customer.name | upper }}",
                "MARIA <B>",
            ),
        ] {
            assert_eq!(plain(source, &booking()).as_deref(), Ok(made), "{source}");
        }
        let html = render(
            "<p>{{ customer.name }}</p>",
            Escape::Html,
            &scene(&booking()),
        );
        assert_eq!(html.as_deref(), Ok("<p>Maria &lt;b&gt;</p>"));
    }

    #[test]
    fn a_booking_s_own_zone_wins() {
        let data = json!({"at": "2026-11-26T09:00:00Z", "timezone": "America/New_York", "local": "2026-11-26T15:30"});
        assert_eq!(
            plain("{{ at | time }} {{ local | time }}", &data).as_deref(),
            Ok("04:00 15:30")
        );
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        for (source, names) in [
            (
                "{{ customer.email }} {{ place }} {{ place }} {{ customer.name }}",
                vec!["customer.email", "place"],
            ),
            ("{{ notes }}{{ room | upper }}", vec!["notes", "room"]),
            (
                "{{ endTime | date }} {{ data.fee | money }}",
                vec!["endTime", "fee"],
            ),
            (
                "{{ customer.address.street }} {{ x.y.z }}",
                vec!["customer.address.street", "x.y.z"],
            ),
            (
                "{% for one in orders %}{{ one }}{% endfor %}",
                vec!["orders"],
            ),
            (
                "{{ address }}{% if address.street %}!{% endif %}",
                vec!["address"],
            ),
        ] {
            let names = names.into_iter().map(str::to_owned).collect();
            assert_eq!(
                plain(source, &booking()),
                Err(Trouble::Missing(names)),
                "{source}"
            );
        }
    }

    #[test]
    fn a_mistake_says_where_it_is() {
        for (source, line, column, says) in [
            ("Hello {{ customer.name", 1, 7, "not closed"),
            ("Hello\n{{ name | shout }}", 2, 11, "no filter “shout”"),
            ("a\nb {% set x = 1 %}", 2, 6, "“set” cannot be used"),
            ("{% include 'x' %}", 1, 4, "“include” cannot be used"),
            ("{% if x %}yes", 1, 1, "not closed"),
            ("{{ 1 + }}", 1, 8, "cannot be read"),
        ] {
            let mistake = check(source).unwrap_err();
            assert!(mistake.message.contains(says), "{source}: {mistake:?}");
            assert_eq!(
                (mistake.line, mistake.column),
                (line, column),
                "{source}: {mistake:?}"
            );
        }
        for (source, says) in [
            ("{{ customer }}", "several values"),
            ("{{ title | date }}", "no date"),
            ("{{ title | money }}", "no amount"),
            ("{{ startTime | date('%!') }}", "pattern"),
            ("{{ range(9) }}", "no functions"),
        ] {
            let Err(Trouble::Mistake(mistake)) = plain(source, &booking()) else {
                panic!("{source}: {:?}", plain(source, &booking()));
            };
            assert!(mistake.message.contains(says), "{source}: {mistake:?}");
        }
    }

    #[test]
    fn members_keep_their_order_and_values_read_as_people_write_them() {
        let data: Value = serde_json::from_str(
            r#"{"fields": {"b": 1.0, "a": true, "c": 1.25, "d": 12345678901}}"#,
        )
        .unwrap();
        assert_eq!(
            plain(
                "{% for name, value in fields | items %}{{ name }}={{ value }} {% endfor %}",
                &data
            )
            .as_deref(),
            Ok("b=1 a=yes c=1.25 d=12345678901 ")
        );
        assert_eq!(
            plain("{{ data | tojson }}", &data).as_deref(),
            Ok(r#"{"fields":{"b":1.0,"a":true,"c":1.25,"d":12345678901}}"#)
        );
    }

    #[test]
    fn a_default_that_is_missing_too_is_missing() {
        let missing = Err(Trouble::Missing(vec!["name".into()]));
        assert_eq!(plain("{{ name | default(sku) }}", &json!({})), missing);
        assert_eq!(
            plain("{{ name | default(sku) }}", &json!({"sku": 7})).as_deref(),
            Ok("7")
        );
    }

    #[test]
    fn what_nests_too_deep_is_refused_and_ends_no_program() {
        for source in [
            format!("{{{{ a{} }}}}", " ~ a".repeat(30_000)),
            format!("{{{{ a{} }}}}", "|upper".repeat(20_000)),
            format!("{{{{ {}a }}}}", "not ".repeat(30_000)),
            format!("{{{{ {}a{} }}}}", "(".repeat(60_000), ")".repeat(60_000)),
            format!("{{{{ a{} }}}}", ".a".repeat(60_000)),
            format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(10_000)),
            "{% if a %}".repeat(10_000) + "{% endif %}",
        ] {
            assert!(check(&source).is_err(), "{}", &source[..40]);
        }
    }

    #[test]
    fn nothing_is_multiplied_before_it_can_be_stopped() {
        for source in [
            "{{ 'x' * 90000000 }}",
            "{{ ('x' * 90000000) | upper }}",
            "{% for a in ['x' * 90000000] %}{% endfor %}",
            "{{ '}} {# ' }}{% set x = 1 %}{# #}",
        ] {
            assert!(check(source).is_err(), "{source}");
        }
    }

    #[test]
    fn what_grows_or_does_not_end_is_stopped() {
        let long = json!({"text": "x".repeat(MAX_BYTES - 10), "many": vec![1; 60_000]});
        assert_eq!(plain("{{ text }}{{ text }}", &long), Err(Trouble::TooLong));
        assert_eq!(
            plain(
                "{% for a in many %}{% for b in many %}.{% endfor %}{% endfor %}",
                &long
            ),
            Err(Trouble::TooMuch)
        );
        assert!(check(&"x".repeat(MAX_SOURCE_BYTES + 1)).is_err());
    }

    #[test]
    fn naughty_strings_come_out_as_they_went_in_and_run_nothing() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/data/vectors/blns.json"
        );
        let Ok(file) = std::fs::read_to_string(path) else {
            eprintln!("skipped: the naughty strings are not here");
            return;
        };
        let all: Vec<String> = serde_json::from_str(&file).unwrap();
        for text in all.iter().filter(|text| !text.trim().is_empty()) {
            let data = json!({"text": text});
            assert_eq!(plain("{{ text }}", &data).as_ref(), Ok(text));
            let html = render("{{ text }}", Escape::Html, &scene(&data)).unwrap();
            assert!(!html.contains(['<', '>', '"']), "{html}");
        }
    }

    proptest! {
        #[test]
        fn no_template_makes_it_panic_and_no_text_is_longer_than_allowed(
            source in r#"(\{\{|\}\}|\{%|%\}|[a-z.|'"() {}%#]| for x in | if | endif |\n){0,40}"#,
            text in ".{0,40}",
        ) {
            let data = json!({"a": text, "b": {"c": [1, 2, text]}});
            let first = plain(&source, &data);
            prop_assert_eq!(&first, &plain(&source, &data));
            if let Ok(made) = first {
                prop_assert!(made.len() <= MAX_BYTES);
            }
        }
    }
}
