//! `signalctl sms`: sending a text, looking at one before, asking how far one has come.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use crate::door::Door;
use crate::given::{From, Request};
use crate::said::{Ended, Failed, Screen, plain, text};

/// Texts
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Send a text
    Send(Send),
    /// Look at a text without sending it: its number, and how many texts it takes
    Preview(Preview),
    /// How far a text has come
    Status {
        /// What Twilio calls it: SM…
        sid: String,
    },
}

#[derive(Args)]
pub(crate) struct Send {
    /// The phone number, best with a plus and the country
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// What it says
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Sent once under this key, however often it is asked for
    #[arg(long, value_name = "IDEMPOTENCY_KEY")]
    key: Option<String>,
    #[command(flatten)]
    from: From,
}

#[derive(Args)]
pub(crate) struct Preview {
    /// The phone number as it was written
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// What it says
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Where the number belongs if it does not say so, in two letters
    #[arg(long, value_name = "COUNTRY")]
    country: Option<String>,
    #[command(flatten)]
    from: From,
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        match self {
            Self::Send(send) => send.run(door, screen).await,
            Self::Preview(preview) => preview.run(door, screen).await,
            Self::Status { sid } => {
                let answer = door.get(&format!("/api/sms/{sid}")).await?;
                let sentence = match answer.get("error").and_then(Value::as_str) {
                    Some(error) => error.to_owned(),
                    None => format!("{sid} is {}.", text(&answer, "status")),
                };
                screen.done(&answer, &sentence);
                Ok(ended(&answer))
            }
        }
    }
}

impl Send {
    async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let mut request = self.from.read()?;
        request.set("to", self.to);
        request.set("message", self.message);
        request.set("idempotencyKey", self.key);
        let body = request.filled("Give --to and --message, or --from.")?;
        let answer = door.send(Method::POST, "/api/sms/send", &body).await?;
        let sentence = match answer.get("error").and_then(Value::as_str) {
            Some(error) => error.to_owned(),
            None => format!(
                "Taken by Twilio as {}: {}.",
                text(&answer, "sid"),
                text(&answer, "status")
            ),
        };
        screen.done(&answer, &sentence);
        Ok(ended(&answer))
    }
}

impl Preview {
    async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let mut request: Request = self.from.read()?;
        request.set("to", self.to);
        request.set("message", self.message);
        request.set("country", self.country);
        let body = request.filled("Give --message, or --from.")?;
        let preview = door.send(Method::POST, "/api/sms/preview", &body).await?;
        let mut facts = vec![
            ("To", plain(&preview, "to")),
            ("Size", plain(&preview, "sentence")),
            ("Written as", plain(&preview, "encoding")),
        ];
        for wrong in ["toError", "messageError"] {
            if preview.get(wrong).is_some() {
                facts.push(("Wrong", plain(&preview, wrong)));
            }
        }
        screen.facts(&preview, &facts);
        let fine = ["toError", "messageError"]
            .iter()
            .all(|wrong| preview.get(wrong).is_none());
        Ok(if fine { Ended::Done } else { Ended::Badly })
    }
}

fn ended(answer: &Value) -> Ended {
    if answer.get("gracefulFail").and_then(Value::as_bool) == Some(true) {
        Ended::Gracefully
    } else {
        Ended::Done
    }
}
