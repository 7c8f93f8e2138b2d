//! `signalctl listen`: a receiver on this computer that verifies and prints what comes.

use std::time::SystemTime;

use clap::Args;
use serde_json::{Value, json};
use signalbox_core::clock::{Clock, Time};
use signalbox_core::events::subject_of;
use signalbox_core::webhooks::receiver::verify::{self, Refused};
use signalbox_practice::{Call, Receiver};

use crate::given;
use crate::said::{Ended, Failed, Screen};
use crate::serve::told_to_end;

/// The port unless another is asked for: the one beside the API's.
const PORT: u16 = signalbox_api::DEFAULT_PORT + 1;

/// Receive webhooks on this computer, verify and print them
#[derive(Args)]
pub(crate) struct Listen {
    /// The port; 0 picks a free one
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// A file with the signing secret, or (-) standard input; without it nothing is verified
    #[arg(long, value_name = "FILE|-")]
    secret_file: Option<String>,
}

impl Listen {
    pub(crate) async fn run(self, screen: Screen) -> Result<Ended, Failed> {
        let told_to_end = told_to_end()?;
        let secret = self.secret()?;
        let receiver = Receiver::start(([127, 0, 0, 1], self.port))
            .await
            .map_err(|error| self.no_port(&error))?;
        let url = receiver.url();
        screen.done(
            &json!({ "url": url, "verifies": secret.is_some() }),
            &format!(
                "Listening at {url}. Every call is answered with 200{}. Ctrl+C ends it.\n\
                 A webhook to here needs --allow-private-network.",
                if secret.is_some() {
                    ""
                } else {
                    ", and none is verified without --secret-file"
                }
            ),
        );
        let print = async {
            let mut printed = 0;
            loop {
                receiver.wait_for(printed + 1).await;
                for call in receiver.calls() {
                    if call.number > printed {
                        printed = call.number;
                        show(screen, &call, secret.as_deref());
                    }
                }
            }
        };
        tokio::select! {
            () = told_to_end => {}
            () = print => {}
        }
        receiver.stop().await;
        Ok(Ended::Done)
    }

    fn secret(&self) -> Result<Option<String>, Failed> {
        let Some(source) = &self.secret_file else {
            return Ok(None);
        };
        let bytes = given::read(source)?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
        if verify::is_secret(text) {
            Ok(Some(text.to_owned()))
        } else {
            Err(Failed::said(
                "What --secret-file gives is no signing secret: it begins with whsec_ and was shown when the webhook was added.",
            ))
        }
    }

    fn no_port(&self, error: &std::io::Error) -> Failed {
        Failed::said(match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "Port {} is taken by another program. Choose another with --port, or 0 for a free one.",
                self.port
            ),
            _ => format!("Port {} cannot be opened: {error}.", self.port),
        })
    }
}

/// Whether each family of signatures fits.
struct Verdict {
    standard: Result<(), Refused>,
    hex: Result<(), Refused>,
}

impl Verdict {
    fn of(call: &Call, secret: &str, now: Time) -> Self {
        Self {
            standard: verify::standard(secret, &call.headers, &call.body, now),
            hex: verify::hex(secret, &call.headers, &call.body, now),
        }
    }

    /// Why the call is not genuine: what is wrong, both where both are.
    fn why(&self) -> Option<String> {
        let why: Vec<_> = [self.standard, self.hex]
            .into_iter()
            .filter_map(Result::err)
            .map(|refused| refused.to_string())
            .collect();
        (!why.is_empty()).then(|| why.join("; "))
    }
}

fn show(screen: Screen, call: &Call, secret: Option<&str>) {
    let arrived = call
        .at
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .map_or_else(|| Clock::system().now(), Time::from_ms);
    let verdict = secret.map(|secret| Verdict::of(call, secret, arrived));
    let body = String::from_utf8_lossy(&call.body);
    let (event, id) = (call.header("x-webhook-event"), call.header("webhook-id"));
    let subject = subject_of(&body);
    let took = call
        .header("x-webhook-timestamp")
        .parse()
        .ok()
        .map(|sent| arrived.ms_since(Time::from_ms(sent)));
    let why = verdict.as_ref().and_then(Verdict::why);
    if screen.json {
        let document = json!({
            "number": call.number,
            "event": event,
            "id": id,
            "subject": subject,
            "verified": verdict.as_ref().map(|_| why.is_none()),
            "why": why,
            "standardSignature": verdict.as_ref().map(|verdict| verdict.standard.is_ok()),
            "hexSignature": verdict.as_ref().map(|verdict| verdict.hex.is_ok()),
            "millisecondsSinceSent": took,
            // As text: the bytes are what is signed, and numbers keep their spelling.
            "body": body,
        });
        screen.done(&document, "");
        return;
    }
    let or_none = |text: &str| if text.is_empty() { "none" } else { text }.to_owned();
    let facts = [
        ("", format!("Call {}", call.number)),
        ("event", or_none(event)),
        ("id", or_none(id)),
        ("subject", subject.unwrap_or_default()),
        (
            "verified",
            match (&verdict, why) {
                (None, _) => String::new(),
                (Some(_), None) => "yes, both signatures".to_owned(),
                (Some(_), Some(why)) => format!("no: {why}"),
            },
        ),
        (
            "sent",
            took.map_or_else(String::new, |ms| format!("{ms} ms before it arrived")),
        ),
        ("body", or_none(&body)),
    ];
    screen.facts(&Value::Null, &facts);
}
