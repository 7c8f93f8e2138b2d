//! `signalctl stats`

use clap::Args;
use serde_json::Value;

use crate::door::Door;
use crate::given::with_query;
use crate::said::{Column, Ended, Failed, Screen, moment, plain, text};

/// What went out, in figures
#[derive(Args)]
pub(crate) struct Stats {
    /// Queued at this time or later; without it, in the last seven days
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

impl Stats {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let found = door
            .get(&with_query("/api/stats", &[("since", self.since)]))
            .await?;
        screen.done(&found, text(&found, "sentence"));
        if screen.json {
            return Ok(Ended::Done);
        }
        let figures: [Column; 9] = [
            ("QUEUED", |row| plain(row, "total")),
            ("THROUGH", |row| counted(row, "success")),
            ("FAILED", |row| counted(row, "failed")),
            ("HELD", |row| counted(row, "held")),
            ("AT ONCE", |row| percent(row, "firstTryRate")),
            ("IN THE END", |row| percent(row, "successRate")),
            ("RESCUED", |row| plain(row, "rescued")),
            ("HALF / MOST (ms)", |row| {
                format!("{} / {}", plain(row, "p50Ms"), plain(row, "p95Ms"))
            }),
            ("OLDEST WAITING (UTC)", |row| moment(row, "oldestWaiting")),
        ];
        for (rows_at, name) in [
            (
                "channels",
                ("BY", (|row| plain(row, "channel")) as fn(&Value) -> String),
            ),
            ("webhooks", ("WEBHOOK", |row| plain(row, "name"))),
        ] {
            let mut columns = vec![name];
            columns.extend(figures);
            screen.list(found.clone(), rows_at, "", &columns);
        }
        Ok(Ended::Done)
    }
}

fn counted(row: &Value, status: &str) -> String {
    plain(row.get("counts").unwrap_or(&Value::Null), status)
}

/// Rounded down: nothing is 100 % while something failed.
fn percent(row: &Value, member: &str) -> String {
    row.get(member)
        .and_then(Value::as_f64)
        .map(|share| format!("{} %", (share * 1000.0).floor() / 10.0))
        .unwrap_or_default()
}
