//! `signalctl story`

use clap::Args;
use serde_json::Value;

use crate::door::Door;
use crate::given::with_query;
use crate::said::{Ended, Failed, Screen, moment, plain, text};

/// Everything about one booking or one customer
#[derive(Args)]
pub(crate) struct Story {
    /// An email address, a phone number in any spelling, or a name
    #[arg(required_unless_present_any = ["subject", "recipient"], conflicts_with_all = ["subject", "recipient"])]
    customer: Option<String>,
    /// One booking, contact, article …
    #[arg(long, conflicts_with = "recipient")]
    subject: Option<String>,
    /// Whom or where something went to
    #[arg(long)]
    recipient: Option<String>,
    /// Events, 1 to 200; without it, 50
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Where the page before ended
    #[arg(long)]
    cursor: Option<String>,
}

impl Story {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let path = with_query(
            "/api/story",
            &[
                ("customer", self.customer),
                ("subject", self.subject),
                ("recipient", self.recipient),
                ("limit", self.limit.map(|limit| limit.to_string())),
                ("cursor", self.cursor),
            ],
        );
        let found = door.get(&path).await?;
        let (title, sentence) = (text(&found, "title"), text(&found, "sentence"));
        screen.done(&found, &format!("{title}: {sentence}"));
        if screen.json {
            return Ok(Ended::Done);
        }
        for step in list(&found, "steps") {
            let (label, what) = (plain(step, "label"), plain(step, "what"));
            screen.done(step, &format!("{}  {label}  {what}", moment(step, "at")));
            for row in list(step, "deliveries") {
                let word = text(row.get("state").unwrap_or(&Value::Null), "word");
                screen.done(row, &format!("    {}: {word}", plain(row, "who")));
            }
        }
        if let Some(cursor) = found.get("nextCursor").and_then(Value::as_str) {
            screen.done(&found, &format!("There is more before: --cursor {cursor}"));
        }
        Ok(Ended::Done)
    }
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value
        .get(member)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}
