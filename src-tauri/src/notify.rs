//! Words outside the window: notifications of the desktop.

use std::fs;

use tauri::{AppHandle, Manager};

use crate::Shell;

/// Lies in the data folder once the owner was told what closing the window does.
const EXPLAINED: &str = "closing-explained";

/// Says once that Signalbox works on with its window closed.
pub(crate) fn explain_closing(app: &AppHandle) {
    let shell = app.state::<Shell>();
    let told = shell.home.join(EXPLAINED);
    if told.exists() {
        return;
    }
    let way_back = if crate::tray::is_up(app) {
        "Its icon beside the clock brings it back."
    } else {
        "Start it again to bring it back."
    };
    let body = format!("Events are still taken and sent on. {way_back}");
    // A desktop without notifications may let the caller wait.
    std::thread::spawn(move || {
        let shown = notify_rust::Notification::new()
            .appname("Signalbox")
            .icon("signalbox")
            .summary("Signalbox keeps working")
            .body(&body)
            .show();
        match shown {
            Ok(_) => {
                if let Err(error) = fs::write(&told, "") {
                    tracing::warn!(%error, "the note that closing was explained could not be kept");
                }
            }
            Err(error) => tracing::info!(%error, "this desktop shows no notifications"),
        }
    });
}
