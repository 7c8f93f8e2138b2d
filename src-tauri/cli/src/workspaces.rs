//! `signalctl workspace`

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use crate::door::Door;
use crate::given::{From, id_of};
use crate::said::{Ended, Failed, Screen, plain, text};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a workspace
    Add {
        /// What the business is called
        name: Option<String>,
        /// Its time zone, such as Europe/Berlin; else this computer's
        #[arg(long)]
        timezone: Option<String>,
        #[command(flatten)]
        from: From,
    },
    /// List all workspaces
    List,
    /// Rename a workspace
    Rename {
        /// Its name or id
        workspace: String,
        /// The new name
        name: Option<String>,
        /// A new time zone
        #[arg(long)]
        timezone: Option<String>,
        #[command(flatten)]
        from: From,
    },
    /// Remove a workspace with its webhooks, its log and its secrets
    Remove {
        /// Its name or id
        workspace: String,
    },
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        match self {
            Self::Add {
                name,
                timezone,
                from,
            } => {
                let mut request = from.read()?;
                request.set("name", name);
                request.set("timezone", timezone);
                let made = door
                    .send(
                        Method::POST,
                        "/api/workspaces",
                        &request.filled("Give a NAME, or --from.")?,
                    )
                    .await?;
                screen.done(
                    &made,
                    &format!(
                        "Added the workspace “{}” ({}).",
                        text(&made, "name"),
                        text(&made, "id")
                    ),
                );
            }
            Self::List => screen.list(
                door.get("/api/workspaces").await?,
                "workspaces",
                "There is no workspace.",
                &[
                    ("ID", |row| plain(row, "id")),
                    ("NAME", |row| plain(row, "name")),
                    ("TIME ZONE", |row| plain(row, "timezone")),
                ],
            ),
            Self::Rename {
                workspace,
                name,
                timezone,
                from,
            } => {
                let mut request = from.read()?;
                request.set("name", name);
                request.set("timezone", timezone);
                let request = request.filled("Give the new NAME, --timezone, or --from.")?;
                let id = id_of(door, "/api/workspaces", "workspaces", &workspace).await?;
                let changed = door
                    .send(Method::PATCH, &format!("/api/workspaces/{id}"), &request)
                    .await?;
                let changed = changed.get("workspace").unwrap_or(&Value::Null);
                let done = json!({ "success": true, "id": id, "name": text(changed, "name"), "timezone": text(changed, "timezone") });
                screen.done(
                    &done,
                    &format!(
                        "The workspace is called “{}” now, time zone {}.",
                        text(changed, "name"),
                        text(changed, "timezone")
                    ),
                );
            }
            Self::Remove { workspace } => {
                let id = id_of(door, "/api/workspaces", "workspaces", &workspace).await?;
                screen.confirm(&format!("This removes the workspace “{workspace}” with its webhooks, its log and its secrets, for good."))?;
                let gone = door
                    .ask(Method::DELETE, &format!("/api/workspaces/{id}"), None)
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
