//! `signalctl event`: recording one.

use std::collections::BTreeMap;

use clap::Args;
use http::Method;
use serde_json::value::{RawValue, to_raw_value};

use crate::door::Door;
use crate::given::{From, read};
use crate::said::{Ended, Failed, Screen, plain, text};

/// Record an event
#[derive(Args)]
pub(crate) struct Record {
    /// Its type, such as booking.created
    #[arg(value_name = "TYPE")]
    event_type: Option<String>,
    /// Its data: a JSON object from a file or (-) standard input, passed on byte for byte
    #[arg(long, value_name = "FILE|-")]
    data: Option<String>,
    /// Recorded once under this key, however often it is sent
    #[arg(long, value_name = "IDEMPOTENCY_KEY")]
    key: Option<String>,
    /// What it is about; else taken from the data
    #[arg(long)]
    subject: Option<String>,
    /// When it happened; else now
    #[arg(long, value_name = "TIME")]
    occurred_at: Option<String>,
    #[command(flatten)]
    from: From,
}

impl Record {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let body = self.body()?;
        let recorded = door
            .ask(Method::POST, "/api/events", Some(body.into()))
            .await?;
        let count = plain(&recorded, "deliveries");
        let sentence = if recorded
            .get("duplicate")
            .and_then(serde_json::Value::as_bool)
            == Some(true)
        {
            format!(
                "Recorded before as {}; nothing new was queued.",
                text(&recorded, "eventId")
            )
        } else {
            format!(
                "Recorded {}. Deliveries: {count}.",
                text(&recorded, "eventId")
            )
        };
        screen.done(&recorded, &sentence);
        if !screen.json {
            for warning in recorded
                .get("warnings")
                .and_then(serde_json::Value::as_array)
                .into_iter()
                .flatten()
            {
                screen.done(
                    warning,
                    &format!("  {}: {}", text(warning, "path"), text(warning, "message")),
                );
            }
        }
        Ok(Ended::Done)
    }

    /// Every member keeps its own bytes.
    fn body(self) -> Result<Vec<u8>, Failed> {
        let mut members: BTreeMap<String, Box<RawValue>> = match self.from.bytes()? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failed::said(format!("What --from gives is no JSON object: {error}."))
            })?,
            None => BTreeMap::new(),
        };
        let flags = [
            ("type", self.event_type),
            ("idempotencyKey", self.key),
            ("subject", self.subject),
            ("occurredAt", self.occurred_at),
        ];
        for (member, value) in flags {
            if let Some(value) = value {
                members.insert(
                    member.to_owned(),
                    to_raw_value(&value).map_err(|error| Failed::said(error.to_string()))?,
                );
            }
        }
        if let Some(source) = &self.data {
            let data = serde_json::from_slice(&read(source)?).map_err(|error| {
                Failed::said(format!("What --data gives is not valid JSON: {error}."))
            })?;
            members.insert("data".to_owned(), data);
        }
        if !members.contains_key("type") || !members.contains_key("data") {
            return Err(Failed::Usage(
                "Give a TYPE and --data, or --from.".to_owned(),
            ));
        }
        serde_json::to_vec(&members).map_err(|error| Failed::said(error.to_string()))
    }
}
