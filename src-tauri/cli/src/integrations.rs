//! `signalctl integrations`, and what is sent through them: `signalctl email send`

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use crate::door::Door;
use crate::given::{self, From, Request};
use crate::said::{Ended, Failed, Screen, moment, plain, text};

const LIST: &str = "/api/integrations";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// SendGrid
    Email,
    /// Twilio
    Sms,
    /// Google Calendar
    Calendar,
    /// S3 or compatible
    Storage,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Email, Self::Sms, Self::Calendar, Self::Storage];

    const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Calendar => "calendar",
            Self::Storage => "storage",
        }
    }

    fn path(self) -> String {
        format!("{LIST}/{}", self.name())
    }
}

#[derive(Args)]
pub(crate) struct Settings {
    /// The sender's address (email)
    #[arg(long, value_name = "ADDRESS")]
    from_email: Option<String>,
    /// The sender's name (email)
    #[arg(long, value_name = "NAME")]
    from_name: Option<String>,
    /// Where the provider is, instead of its usual address
    #[arg(long, value_name = "URL")]
    api_base_url: Option<String>,
    /// The id of the access key (storage)
    #[arg(long, value_name = "ID")]
    access_key_id: Option<String>,
    /// The bucket (storage)
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
    /// Where the bucket lies (storage)
    #[arg(long)]
    region: Option<String>,
    /// Where the storage is, if not at Amazon (storage)
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The bucket stands in the path, not before the host's name (storage)
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    path_style: Option<bool>,
    /// The endpoint may be on your own network or computer (storage)
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    allow_private_network: Option<bool>,
    /// Send a test there before it is saved
    #[arg(long, value_name = "ADDRESS")]
    test_to: Option<String>,
    /// The secret, from a file or (-) standard input; without it you are asked
    #[arg(long, value_name = "FILE|-")]
    secret: Option<String>,
    #[command(flatten)]
    from: From,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the integrations and how they stand
    List,
    /// Set one up, change it, or replace its key: tested first, then saved
    Set {
        kind: Kind,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Look whether one works, without sending anything unless you say whom to
    Test {
        kind: Kind,
        /// Send a test there
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
    },
    /// Resume one; what waited goes out
    Enable { kind: Kind },
    /// Pause one; what comes in waits
    Disable {
        kind: Kind,
        /// What comes in meanwhile is not sent at all
        #[arg(long)]
        skip: bool,
    },
    /// Forget one's settings and secrets; its log stays
    Disconnect { kind: Kind },
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        match self {
            Self::List => {
                let mut all = door.get(LIST).await?;
                let rows: Vec<Value> = Kind::ALL
                    .into_iter()
                    .filter_map(|kind| {
                        let mut row = all.get_mut(kind.name())?.take();
                        row.as_object_mut()?
                            .insert("kind".into(), kind.name().into());
                        Some(row)
                    })
                    .collect();
                screen.list(
                    json!({ "integrations": rows }),
                    "integrations",
                    "",
                    &[
                        ("KIND", |row| plain(row, "kind")),
                        ("PROVIDER", |row| plain(row, "providerName")),
                        ("STATE", |row| {
                            text(row.get("state").unwrap_or(&Value::Null), "word").to_owned()
                        }),
                        ("WAITING", |row| plain(row, "waiting")),
                        ("HELD", |row| plain(row, "held")),
                        ("TESTED", |row| moment(row, "lastTested")),
                        ("", |row| plain(row, "sentence")),
                    ],
                );
                Ok(Ended::Done)
            }
            Self::Set { kind, settings } => set(door, screen, kind, *settings).await,
            Self::Test { kind, to } => {
                let request = to.map_or(json!({}), |to| json!({ "testTo": to }));
                let path = format!("{}/test", kind.path());
                said(screen, &door.send(Method::POST, &path, &request).await?)
            }
            Self::Enable { kind } => {
                let request = json!({ "isActive": true });
                said(
                    screen,
                    &door.send(Method::PATCH, &kind.path(), &request).await?,
                )
            }
            Self::Disable { kind, skip } => {
                let meanwhile = if skip { "skip" } else { "hold" };
                let request = json!({ "isActive": false, "whenPaused": meanwhile });
                said(
                    screen,
                    &door.send(Method::PATCH, &kind.path(), &request).await?,
                )
            }
            Self::Disconnect { kind } => {
                screen.confirm(&format!(
                    "This forgets the settings and the key of {}.",
                    kind.name()
                ))?;
                said(screen, &door.ask(Method::DELETE, &kind.path(), None).await?)
            }
        }
    }
}

/// The sentence of a result, and how the command ends with it.
fn said(screen: Screen, result: &Value) -> Result<Ended, Failed> {
    if result.get("success") == Some(&Value::Bool(false)) {
        screen.done(result, text(result, "error"));
        return Ok(Ended::Gracefully);
    }
    screen.done(result, text(result, "message"));
    Ok(Ended::Done)
}

async fn set(door: &Door, screen: Screen, kind: Kind, settings: Settings) -> Result<Ended, Failed> {
    let mut request = settings.from.read()?;
    let test = settings.test_to.is_some() || request.has("testTo");
    request.set("fromEmail", settings.from_email);
    request.set("fromName", settings.from_name);
    request.set("apiBaseUrl", settings.api_base_url);
    request.set("accessKeyId", settings.access_key_id);
    request.set("bucketName", settings.bucket);
    request.set("region", settings.region);
    request.set("endpoint", settings.endpoint);
    request.set("pathStyle", settings.path_style);
    request.set("allowPrivateNetwork", settings.allow_private_network);
    request.set("testTo", settings.test_to);
    let all = door.get(LIST).await?;
    let standing = all.get(kind.name()).cloned().unwrap_or_default();
    let is_there = plain(&standing, "isConfigured") == "yes";
    let fields = standing.get("fields").and_then(Value::as_array);
    let secrets = fields
        .into_iter()
        .flatten()
        .filter(|field| text(field, "input") == "secret" && plain(field, "required") == "yes");
    let mut given = settings.secret.as_deref();
    for field in secrets {
        let name = text(field, "name");
        let wanted = given.is_some() || !request.has(name) && (!is_there || test);
        if wanted {
            let secret = given::secret(
                given.take(),
                text(field, "label"),
                "give --secret FILE, or - for standard input",
            )?;
            request.set(name, Some(secret));
        }
    }
    let request = request.filled("Say what is to be set: a flag, or --from.")?;
    // What is there already is changed member by member; a test of it needs all of them.
    let method = if is_there && !test {
        Method::PATCH
    } else {
        Method::POST
    };
    said(screen, &door.send(method, &kind.path(), &request).await?)
}

#[derive(Subcommand)]
pub(crate) enum Email {
    /// Send an email and say how it went
    Send {
        /// Whom it goes to; may be given several times
        #[arg(long, value_name = "ADDRESS")]
        to: Vec<String>,
        /// Who gets a copy that all see
        #[arg(long, value_name = "ADDRESS")]
        cc: Vec<String>,
        /// Who gets a copy that nobody sees
        #[arg(long, value_name = "ADDRESS")]
        bcc: Vec<String>,
        /// Where answers go
        #[arg(long, value_name = "ADDRESS")]
        reply_to: Option<String>,
        /// What it is about
        #[arg(long)]
        subject: Option<String>,
        /// The text, from a file or (-) standard input
        #[arg(long, value_name = "FILE|-")]
        text: Option<String>,
        /// The text with its looks, from a file or (-) standard input
        #[arg(long, value_name = "FILE|-")]
        html: Option<String>,
        /// The same key again sends nothing new
        #[arg(long, value_name = "IDEMPOTENCY_KEY")]
        key: Option<String>,
        #[command(flatten)]
        from: From,
    },
}

impl Email {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let Self::Send {
            to,
            cc,
            bcc,
            reply_to,
            subject,
            text: plain_text,
            html,
            key,
            from,
        } = self;
        let mut request: Request = from.read()?;
        for (member, addresses) in [("to", to), ("cc", cc), ("bcc", bcc)] {
            request.set(member, (!addresses.is_empty()).then_some(addresses));
        }
        request.set("replyTo", reply_to);
        request.set("subject", subject);
        for (member, source) in [("text", plain_text), ("html", html)] {
            let content = source.as_deref().map(given::read).transpose()?;
            let content = content.map(String::from_utf8).transpose();
            let content = content.map_err(|_| Failed::said("A text has to be UTF-8."))?;
            request.set(member, content);
        }
        request.set("idempotencyKey", key);
        let request = request.filled("Give --to, --subject and --text or --html, or --from.")?;
        let sent = door.send(Method::POST, "/api/email/send", &request).await?;
        if sent.get("success") == Some(&Value::Bool(false)) {
            screen.done(&sent, text(&sent, "error"));
            return Ok(Ended::Gracefully);
        }
        let message = match text(&sent, "messageId") {
            "" => "Accepted.".to_owned(),
            id => format!("Accepted as {id}."),
        };
        screen.done(&sent, &message);
        Ok(Ended::Done)
    }
}
