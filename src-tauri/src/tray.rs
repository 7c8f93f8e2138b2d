//! The icon beside the clock: the arm tells how things stand, the menu opens and quits. Where the
//! desktop has no place for it, the app works without.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Deserialize;
use tauri::{
    AppHandle, Manager,
    image::Image,
    include_image,
    menu::{Menu, MenuItem, PredefinedMenuItem},
    tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent},
};

use crate::{quit, request::Door, window};

const ID: &str = "main";
const SENTENCE: &str = "sentence";
const OPEN: &str = "open";
const QUIT: &str = "quit";

/// How the whole stands, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Arm {
    Clear,
    Paused,
    Offline,
    NeedsYou,
}

/// What Today says, as far as the tray shows it.
#[derive(Debug, Deserialize)]
struct Today {
    arm: Arm,
    sentence: String,
}

#[derive(Debug, Deserialize)]
struct Workspaces {
    workspaces: Vec<Workspace>,
}

#[derive(Debug, Deserialize)]
struct Workspace {
    id: String,
}

/// The line of the menu that says how things stand.
struct SentenceItem(MenuItem<tauri::Wry>);

/// Puts the icon up where the desktop has a place for it.
pub(crate) fn put_up(app: &AppHandle) {
    if !desktop_shows_trays() {
        tracing::info!("this desktop has no place for a tray icon");
        return;
    }
    // The library behind it is loaded when first used, and panics where it is not installed.
    match catch_unwind(AssertUnwindSafe(|| build(app))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the tray icon could not be put up"),
        Err(_) => tracing::warn!(
            "the tray icon could not be put up: libayatana-appindicator3 is not installed"
        ),
    }
}

/// Whether the icon is there.
pub(crate) fn is_up(app: &AppHandle) -> bool {
    app.tray_by_id(ID).is_some()
}

/// Looks how things stand in all workspaces and shows the worst.
pub(crate) async fn refresh(app: &AppHandle) {
    let Some(tray) = app.tray_by_id(ID) else {
        return;
    };
    let Some(today) = worst(&app.state::<Door>()).await else {
        return;
    };
    let shown = show(app, &tray, &today);
    if let Err(error) = shown {
        tracing::warn!(%error, "the tray icon could not be changed");
    }
}

async fn worst(door: &Door) -> Option<Today> {
    let listed = door.ask("GET", "/api/workspaces", None, None).await;
    let listed: Workspaces = serde_json::from_str(&listed.body).ok()?;
    let mut worst: Option<Today> = None;
    for workspace in listed.workspaces {
        let answer = door
            .ask("GET", "/api/today", None, Some(&workspace.id))
            .await;
        let Ok(today) = serde_json::from_str::<Today>(&answer.body) else {
            continue;
        };
        if worst.as_ref().is_none_or(|worst| worst.arm < today.arm) {
            worst = Some(today);
        }
    }
    worst
}

fn show(app: &AppHandle, tray: &TrayIcon, today: &Today) -> tauri::Result<()> {
    tray.set_icon_with_as_template(Some(icon(today.arm)), true)?;
    tray.set_tooltip(Some(format!("Signalbox: {}", today.sentence)))?;
    app.state::<SentenceItem>().0.set_text(&today.sentence)
}

fn build(app: &AppHandle) -> tauri::Result<()> {
    let sentence = MenuItem::with_id(app, SENTENCE, "Signalbox is working", false, None::<&str>)?;
    let menu = Menu::with_items(
        app,
        &[
            &sentence,
            &PredefinedMenuItem::separator(app)?,
            &MenuItem::with_id(app, OPEN, "Open Signalbox", true, None::<&str>)?,
            &MenuItem::with_id(app, QUIT, "Quit", true, None::<&str>)?,
        ],
    )?;
    app.manage(SentenceItem(sentence));
    TrayIconBuilder::with_id(ID)
        .icon(icon(Arm::Clear))
        .icon_as_template(true)
        .tooltip("Signalbox")
        .menu(&menu)
        .show_menu_on_left_click(cfg!(target_os = "macos"))
        .on_menu_event(|app, event| match event.id().as_ref() {
            OPEN => window::open(app),
            QUIT => quit(app),
            _ => {}
        })
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click {
                button: MouseButton::Left,
                button_state: MouseButtonState::Up,
                ..
            } = event
            {
                window::open(tray.app_handle());
            }
        })
        .build(app)?;
    Ok(())
}

/// The shape of a state. Drawn in black: macOS colours it itself, panels elsewhere are dark.
fn icon(arm: Arm) -> Image<'static> {
    let drawn = match arm {
        Arm::Clear => include_image!("./icons/tray/clear.png"),
        Arm::NeedsYou => include_image!("./icons/tray/needs-you.png"),
        Arm::Paused => include_image!("./icons/tray/paused.png"),
        Arm::Offline => include_image!("./icons/tray/offline.png"),
    };
    if cfg!(target_os = "macos") {
        return drawn;
    }
    let white = drawn
        .rgba()
        .chunks_exact(4)
        .flat_map(|pixel| [0xff, 0xff, 0xff, pixel.last().copied().unwrap_or(0)])
        .collect();
    Image::new_owned(white, drawn.width(), drawn.height())
}

/// On Linux an icon is drawn by whoever owns this name on the session bus; GNOME without its
/// extension has nobody.
#[cfg(target_os = "linux")]
fn desktop_shows_trays() -> bool {
    let asked = zbus::blocking::Connection::session().and_then(|bus| {
        let names = zbus::blocking::fdo::DBusProxy::new(&bus)?;
        Ok(names.name_has_owner("org.kde.StatusNotifierWatcher".try_into()?)?)
    });
    asked.unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
fn desktop_shows_trays() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_workspace_is_what_the_tray_shows() {
        assert!(
            Arm::Clear < Arm::Paused && Arm::Paused < Arm::Offline && Arm::Offline < Arm::NeedsYou
        );
    }

    #[test]
    fn every_state_has_its_own_shape() {
        let shapes: Vec<_> = [Arm::Clear, Arm::Paused, Arm::Offline, Arm::NeedsYou]
            .map(|arm| icon(arm).rgba().to_vec())
            .into();
        for (at, shape) in shapes.iter().enumerate() {
            assert!(shapes.iter().skip(at + 1).all(|other| other != shape));
        }
    }
}
