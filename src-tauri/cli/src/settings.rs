//! `signalctl settings` and `signalctl clean-up`

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use crate::door::Door;
use crate::given::From;
use crate::said::{Ended, Failed, Screen, plain, text};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show how long things are kept, and how much room they take
    Show,
    /// Set how long things are kept
    Set {
        /// Days until texts and bodies go; 0 keeps them for ever
        #[arg(long, value_name = "DAYS")]
        texts_days: Option<u32>,
        /// Days until the rows go too; 0 keeps them for ever
        #[arg(long, value_name = "DAYS")]
        facts_days: Option<u32>,
        #[command(flatten)]
        from: From,
    },
}

#[derive(Args)]
pub(crate) struct CleanUp {
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let found = match self {
            Self::Show => door.get("/api/settings").await?,
            Self::Set {
                texts_days,
                facts_days,
                from,
            } => {
                let mut request = from.read()?;
                let mut retention = Map::new();
                if let Some(days) = texts_days {
                    retention.insert("textsDays".into(), json!(days));
                }
                if let Some(days) = facts_days {
                    let days = (days > 0).then_some(days);
                    retention.insert("factsDays".into(), json!(days));
                }
                request.set("retention", (!retention.is_empty()).then_some(retention));
                let request = request.filled("Give --texts-days, --facts-days, or --from.")?;
                door.send(Method::PATCH, "/api/settings", &request).await?
            }
        };
        let part = |name: &str| found.get(name).cloned().unwrap_or(Value::Null);
        let (retention, sizes) = (part("retention"), part("sizes"));
        screen.facts(
            &found,
            &[
                ("", plain(&found, "sentence")),
                ("port", plain(&found, "port")),
                ("days of texts", plain(&retention, "textsDays")),
                ("days of facts", plain(&retention, "factsDays")),
                ("database", plain(&sizes, "database")),
                ("search index", plain(&sizes, "searchIndex")),
                ("texts, about", plain(&sizes, "texts")),
                ("free on the disk", plain(&sizes, "freeDisk")),
            ],
        );
        Ok(Ended::Done)
    }
}

impl CleanUp {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let asked = json!({ "dryRun": self.dry_run });
        let done = door
            .send(Method::POST, "/api/settings/clean-up", &asked)
            .await?;
        screen.done(&done, text(&done, "sentence"));
        Ok(Ended::Done)
    }
}
