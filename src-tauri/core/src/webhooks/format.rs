//! What the body of a call looks like: the data itself, an envelope, or a message as a chat takes it.
//! Pure. What a message says is [`words`]; here is how each receiver wants it written down.
//!
//! Nothing in an event may be read as markup or mention anybody. Each receiver is given the most
//! literal kind of text that it has, and what still means something in that is escaped:
//! - Slack: `plain_text`, in which only `&`, `<` and `>` have a meaning.
//! - Discord: Markdown, each sign of it behind a backslash, and nobody may be mentioned.
//! - Teams: `TextRun` of an adaptive card, which knows no Markdown.
//! - Google Chat: the text of a card, HTML with its three signs as entities. A message's own `text`
//!   is not used, for its markup and mentions cannot be escaped.

mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

pub use words::{ChatFact, ChatMessage};

use crate::clock::Time;

/// The type of every body.
pub(crate) const CONTENT_TYPE: &str = "application/json";

/// Slack: the longest header and section, in characters (UTF-16, whatever they count by).
const SLACK_HEADER: usize = 150;
const SLACK_SECTION: usize = 3_000;
/// Discord: the longest content and description.
const DISCORD_CONTENT: usize = 2_000;
const DISCORD_DESCRIPTION: usize = 4_096;
/// Teams takes less than 28 KB and does not say of which encoding; some of it is kept free.
const TEAMS_BYTES: usize = 26_000;
/// Google Chat takes 32,000 bytes.
const GOOGLE_CHAT_BYTES: usize = 30_000;
/// The longest fact, where it is not the receiver that sets a bound.
const FACT: usize = 2_000;
/// A value with more lines than this goes on in its last one.
const LINES: usize = 30;
/// What is kept free for the line that says how much is left out.
const LEFT_OUT: usize = 60;

/// What the body of a call looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Format {
    /// The event's `data`, byte for byte.
    #[default]
    Payload,
    /// `{"type","timestamp","data"}` around the same bytes.
    Envelope,
    /// A message for an incoming webhook of Slack.
    Slack,
    /// A message for a webhook of Discord.
    Discord,
    /// An adaptive card for a workflow of Microsoft Teams.
    Teams,
    /// A card for an incoming webhook of Google Chat.
    GoogleChat,
}

impl Format {
    /// True where the address is all that is needed to write there: it is a secret then.
    pub(crate) const fn is_chat(self) -> bool {
        matches!(
            self,
            Self::Slack | Self::Discord | Self::Teams | Self::GoogleChat
        )
    }

    /// Calls a second that the receiver takes.
    pub(crate) const fn usual_rate(self) -> Option<u32> {
        match self {
            Self::Payload | Self::Envelope => None,
            Self::Slack | Self::GoogleChat => Some(1),
            // Five in two seconds.
            Self::Discord => Some(2),
            Self::Teams => Some(4),
        }
    }

    /// The body of a call, unless it is `data` itself. Made once and stored.
    pub(crate) fn render(self, event_type: &str, occurred_at: Time, data: &str) -> Option<String> {
        let say = |write: fn(&ChatMessage) -> Value| {
            Some(write(&words::message(event_type, data)).to_string())
        };
        match self {
            Self::Payload => None,
            // Names of types need no escaping: `[a-z0-9_.]`.
            Self::Envelope => Some(format!(
                r#"{{"type":"{event_type}","timestamp":"{occurred_at}","data":{data}}}"#
            )),
            Self::Slack => say(slack),
            Self::Discord => say(discord),
            Self::Teams => say(teams),
            Self::GoogleChat => say(google_chat),
        }
    }

    /// What a message says of an event; nothing where the body is for programs.
    pub(crate) fn message(self, event_type: &str, data: &str) -> Option<ChatMessage> {
        self.is_chat().then(|| words::message(event_type, data))
    }

    /// The address that is called. Discord's own addresses name no version, which leads to one that
    /// is documented no more and counts the time to wait in milliseconds.
    pub(crate) fn called_at(self, mut url: Url) -> Url {
        let is_discord = url.host_str().is_some_and(|host| {
            ["discord.com", "discordapp.com"].iter().any(|own| {
                host.strip_suffix(own)
                    .is_some_and(|b| b.is_empty() || b.ends_with('.'))
            })
        });
        if self == Self::Discord
            && is_discord
            && let Some(rest) = url.path().strip_prefix("/api/webhooks/")
        {
            let versioned = format!("/api/v10/webhooks/{rest}");
            url.set_path(&versioned);
        }
        url
    }

    /// How long a receiver asks to wait in the body of its answer (429), in whole seconds.
    pub(crate) fn asked_to_wait(self, body: &[u8]) -> Option<u64> {
        #[derive(Deserialize)]
        struct Said {
            retry_after: f64,
        }
        if self != Self::Discord {
            return None;
        }
        let said: Said = serde_json::from_slice(body).ok()?;
        let wait = Duration::try_from_secs_f64(said.retry_after).ok()?;
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }
}

/// How one character is written so that it means itself.
type Escape = fn(char, &mut String);

fn as_it_is(c: char, to: &mut String) {
    to.push(c);
}

fn entity(c: char, to: &mut String) {
    match c {
        '&' => to.push_str("&amp;"),
        '<' => to.push_str("&lt;"),
        '>' => to.push_str("&gt;"),
        c => to.push(c),
    }
}

fn html(c: char, to: &mut String) {
    match c {
        '\n' => to.push_str("<br>"),
        c => entity(c, to),
    }
}

/// `@` and `:` too: the names of people, emoji and addresses begin so.
fn backslash(c: char, to: &mut String) {
    if matches!(
        c,
        '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '@' | '#' | '-' | ':'
    ) {
        to.push('\\');
    }
    to.push(c);
}

/// Length as the strictest count it.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// As much of a text as there is room for once it is escaped; a sign says that there is more.
fn escaped(text: &str, room: usize, escape: Escape) -> String {
    let (mut all, mut used, mut one) = (String::new(), 0, String::new());
    // The longest that leaves room for the sign.
    let mut fits = 0;
    for c in text.chars() {
        one.clear();
        escape(c, &mut one);
        used += length(&one);
        if used > room {
            all.truncate(fits);
            all.push('…');
            return all;
        }
        all.push_str(&one);
        if used < room {
            fits = all.len();
        }
    }
    all
}

fn left_out(count: usize) -> String {
    match count {
        1 => "… and one more".into(),
        n => format!("… and {n} more"),
    }
}

/// The facts as lines of text, each no longer than `room`.
fn lines(message: &ChatMessage, room: usize, escape: Escape, mark: [&str; 2]) -> Vec<String> {
    let [before, after] = mark;
    let line = |fact: &words::ChatFact| {
        let label = escaped(&fact.label, room / 4, escape);
        let begins = format!("{before}{label}:{after} ");
        let rest = room.saturating_sub(length(&begins));
        format!("{begins}{}", escaped(&fact.value, rest, escape))
    };
    message.facts.iter().map(line).collect()
}

/// As many lines as there is room for in `measure`, and a last one that counts the rest.
fn within<T>(
    lines: Vec<T>,
    already_left_out: usize,
    room: usize,
    measure: impl Fn(&T) -> usize,
    rest: impl FnOnce(String) -> T,
) -> Vec<T> {
    let (mut used, total) = (LEFT_OUT, lines.len());
    let mut kept: Vec<T> = lines
        .into_iter()
        .take_while(|line| {
            used += measure(line) + 1;
            used <= room
        })
        .collect();
    match total - kept.len() + already_left_out {
        0 => {}
        n => kept.push(rest(left_out(n))),
    }
    kept
}

fn slack(message: &ChatMessage) -> Value {
    let plain = |text: String| json!({"type": "plain_text", "text": text, "emoji": false});
    let section = |text: String| json!({"type": "section", "text": plain(text)});
    let headline = escaped(&message.headline, SLACK_SECTION, entity);
    let mut blocks = vec![if length(&headline) <= SLACK_HEADER {
        json!({"type": "header", "text": plain(headline.clone())})
    } else {
        section(headline.clone())
    }];
    let mut lines = lines(message, SLACK_SECTION - 1, entity, ["", ""]);
    if message.left_out > 0 {
        lines.push(left_out(message.left_out));
    }
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() && length(&text) + 1 + length(&line) > SLACK_SECTION {
            blocks.push(section(std::mem::take(&mut text)));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
    }
    if !text.is_empty() {
        blocks.push(section(text));
    }
    // Nothing on the pages that somebody else's text links to is to appear in the channel.
    json!({"text": headline, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

fn discord(message: &ChatMessage) -> Value {
    let lines = within(
        lines(message, FACT, backslash, ["**", "**"]),
        message.left_out,
        DISCORD_DESCRIPTION,
        |line| length(line),
        |rest| rest,
    );
    let mut body = json!({
        "content": escaped(&message.headline, DISCORD_CONTENT, backslash),
        "allowed_mentions": {"parse": []},
    });
    if let (false, Some(body)) = (lines.is_empty(), body.as_object_mut()) {
        let embed = json!({"description": lines.join("\n")});
        body.insert("embeds".into(), json!([embed]));
    }
    body
}

fn teams(message: &ChatMessage) -> Value {
    // What looks like a date of a template would be read as one.
    let run = |text: &str| {
        let text = text
            .replace("{{DATE(", "{\u{2060}{DATE(")
            .replace("{{TIME(", "{\u{2060}{TIME(");
        json!({"type": "TextRun", "text": text})
    };
    let bold = |text: &str| {
        let mut run = run(text);
        run["weight"] = "Bolder".into();
        run
    };
    let block = |inlines: Vec<Value>| json!({"type": "RichTextBlock", "inlines": inlines});
    let mut headline = bold(&escaped(&message.headline, FACT, as_it_is));
    headline["size"] = "Medium".into();
    let mut facts = Vec::new();
    for fact in &message.facts {
        // A run has no lines: each is a block, close to the one before.
        let value = escaped(&fact.value, FACT, as_it_is);
        let mut value = value
            .splitn(LINES, '\n')
            .filter(|line| !line.trim().is_empty());
        let label = bold(&format!("{}: ", fact.label));
        let mut of_it = vec![block(vec![label, run(value.next().unwrap_or_default())])];
        for line in value {
            let mut block = block(vec![run(&line.replace('\n', " "))]);
            block["spacing"] = "None".into();
            of_it.push(block);
        }
        facts.push(of_it);
    }
    let size = |blocks: &Vec<Value>| {
        let text = Value::from(blocks.as_slice()).to_string();
        text.len().max(2 * length(&text))
    };
    let head = block(vec![headline]);
    let frame = 1_000 + size(&vec![head.clone()]);
    let facts = within(facts, message.left_out, TEAMS_BYTES - frame, size, |rest| {
        vec![block(vec![run(&rest)])]
    });
    let body: Vec<_> = std::iter::once(head)
        .chain(facts.into_iter().flatten())
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
            },
        }],
    })
}

fn google_chat(message: &ChatMessage) -> Value {
    let paragraph = |text: String| json!({"textParagraph": {"text": text}});
    let headline = escaped(&message.headline, FACT, html);
    // Shown where a card cannot be, as in a notification. `<` begins a mention.
    let fallback = message.headline.replace('<', "<\u{200b}");
    let facts: Vec<_> = lines(message, FACT, html, ["<b>", "</b>"])
        .into_iter()
        .map(paragraph)
        .collect();
    let head = paragraph(format!("<b>{headline}</b>"));
    let frame = 1_000 + head.to_string().len() + fallback.len() * 2;
    let facts = within(
        facts,
        message.left_out,
        GOOGLE_CHAT_BYTES - frame,
        |widget| widget.to_string().len(),
        paragraph,
    );
    let widgets: Vec<_> = std::iter::once(head).chain(facts).collect();
    json!({
        "fallbackText": fallback,
        "cardsV2": [{"cardId": "event", "card": {"sections": [{"widgets": widgets}]}}],
    })
}
