//! `signalctl token`

use clap::{Subcommand, ValueEnum};
use http::Method;
use serde_json::json;

use crate::door::Door;
use crate::given::{From, id_of};
use crate::said::{Ended, Failed, Screen, moment, plain, text};

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Scope {
    /// Post events, read event types and health
    Events,
    /// Everything in its workspace
    Full,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token; it is shown once
    Create {
        /// The program it is for
        name: Option<String>,
        /// What it may do; without it, events
        #[arg(long)]
        scope: Option<Scope>,
        #[command(flatten)]
        from: From,
    },
    /// List the tokens of the workspace
    List,
    /// Revoke a token; it is refused from now on
    Revoke {
        /// Its name or id
        token: String,
    },
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        match self {
            Self::Create { name, scope, from } => {
                let mut request = from.read()?;
                request.set("name", name);
                request.set(
                    "scope",
                    scope.map(|scope| match scope {
                        Scope::Events => "events",
                        Scope::Full => "full",
                    }),
                );
                let made = door
                    .send(
                        Method::POST,
                        "/api/tokens",
                        &request.filled("Give a NAME, or --from.")?,
                    )
                    .await?;
                screen.facts(
                    &made,
                    &[
                        ("token", plain(&made, "token")),
                        ("id", plain(&made, "id")),
                        ("name", plain(&made, "name")),
                        ("scope", plain(&made, "scope")),
                        ("", "It is not shown again.".into()),
                    ],
                );
            }
            Self::List => screen.list(
                door.get("/api/tokens").await?,
                "tokens",
                "There is no token yet. Make one with `signalctl token create NAME`.",
                &[
                    ("ID", |row| plain(row, "id")),
                    ("NAME", |row| plain(row, "name")),
                    ("SCOPE", |row| plain(row, "scope")),
                    ("ENDS IN", |row| plain(row, "lastFour")),
                    ("LAST USED (UTC)", |row| moment(row, "lastUsedAt")),
                ],
            ),
            Self::Revoke { token } => {
                let id = id_of(door, "/api/tokens", "tokens", &token).await?;
                let gone = door
                    .ask(Method::DELETE, &format!("/api/tokens/{id}"), None)
                    .await?;
                screen.done(
                    &json!({ "success": true, "id": id, "message": text(&gone, "message") }),
                    text(&gone, "message"),
                );
            }
        }
        Ok(Ended::Done)
    }
}
