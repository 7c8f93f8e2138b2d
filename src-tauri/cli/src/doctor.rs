//! `signalctl doctor`

use serde_json::{Value, json};

use crate::door::Door;
use crate::said::{Ended, Failed, Screen, text};

/// Looks Signalbox over; anything that is not in order ends with 1.
pub(crate) async fn run(door: &Door, screen: Screen) -> Result<Ended, Failed> {
    let found = door.get("/api/doctor").await?;
    let is_ok = |finding: &Value| finding.get("ok") == Some(&Value::Bool(true));
    let all_well = found
        .get("findings")
        .and_then(Value::as_array)
        .is_none_or(|all| all.iter().all(is_ok));
    screen.list(
        json!({ "success": all_well, "findings": found.get("findings") }),
        "findings",
        "There was nothing to look at.",
        &[
            ("", |row| {
                if row.get("ok") == Some(&Value::Bool(true)) {
                    "ok".into()
                } else {
                    "trouble".into()
                }
            }),
            ("WHAT", |row| text(row, "name").to_owned()),
            ("", |row| text(row, "sentence").to_owned()),
        ],
    );
    Ok(if all_well { Ended::Done } else { Ended::Badly })
}
