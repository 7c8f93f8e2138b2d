//! The one window: how it opens, where it may go, and what closing it means.

use std::time::Duration;

use tauri::{
    AppHandle, Manager, Theme, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent,
    utils::config::Color,
    webview::{NewWindowResponse, PageLoadEvent},
};

use crate::{Shell, notify, quit};

/// Its name in the capability.
pub(crate) const LABEL: &str = "main";

/// A page that never says it is ready is shown all the same, so that its fault can be seen.
const READY_WITHIN: Duration = Duration::from_secs(3);

/// The grounds of the two themes (`--canvas`), so that nothing flashes before the page is drawn.
const PAPER: Color = Color(0xfb, 0xfa, 0xf7, 0xff);
const COAL: Color = Color(0x19, 0x17, 0x14, 0xff);

/// Brings the window to the front, making it at the first time. It stays hidden until its page is
/// drawn.
pub(crate) fn open(app: &AppHandle) {
    match app.get_webview_window(LABEL) {
        Some(window) => show(&window),
        None => {
            if let Err(error) = build(app) {
                tracing::error!(%error, "the window could not be made");
                quit(app);
            }
        }
    }
}

/// Shows a window that exists.
pub(crate) fn show(window: &WebviewWindow) {
    let shown = window
        .unminimize()
        .and_then(|()| window.show())
        .and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!(%error, "the window could not be shown");
    }
}

fn build(app: &AppHandle) -> tauri::Result<()> {
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Signalbox")
        .inner_size(1180.0, 760.0)
        .min_inner_size(560.0, 480.0)
        .visible(false)
        // The page takes what is dropped on it.
        .disable_drag_drop_handler()
        .on_navigation(is_own_page)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_download(|_, _| false)
        .on_page_load(|window, load| {
            if load.event() == PageLoadEvent::Finished {
                show_when_late(window);
            }
        })
        .build()?;
    let ground = if window.theme().is_ok_and(|theme| theme == Theme::Dark) {
        COAL
    } else {
        PAPER
    };
    window.set_background_color(Some(ground))?;
    let closing = window.clone();
    window.on_window_event(move |event| {
        if let WindowEvent::CloseRequested { api, .. } = event {
            api.prevent_close();
            close(&closing);
        }
    });
    Ok(())
}

fn show_when_late(window: WebviewWindow) {
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(READY_WITHIN).await;
        if !window.is_visible().unwrap_or(true) {
            tracing::warn!("the page did not say that it is ready");
            show(&window);
        }
    });
}

/// Closing keeps working. Where neither a tray nor a second start could bring the window back, it
/// only steps aside.
fn close(window: &WebviewWindow) {
    let app = window.app_handle();
    let shell = app.state::<Shell>();
    if !shell.keeps_working() {
        return quit(app);
    }
    let stepped_aside = if Shell::has_way_back(app) {
        window.hide()
    } else {
        window.minimize()
    };
    if let Err(error) = stepped_aside {
        tracing::warn!(%error, "the window could not be closed");
    }
    notify::explain_closing(app);
}

/// The app's own page: embedded in a build for people, served by Vite while developing. A frame that
/// the page filled itself (an email as it was seen) is part of it.
fn is_own_page(url: &Url) -> bool {
    if url.as_str() == "about:srcdoc" {
        return true;
    }
    let (scheme, host, port) = if !cfg!(feature = "custom-protocol") {
        ("http", "127.0.0.1", Some(5173))
    } else if cfg!(windows) {
        ("http", "tauri.localhost", None)
    } else {
        ("tauri", "localhost", None)
    };
    url.scheme() == scheme && url.host_str() == Some(host) && url.port() == port
}

#[cfg(all(test, feature = "custom-protocol", not(windows)))]
mod tests {
    use super::*;

    #[test]
    fn the_window_stays_on_its_own_page() -> Result<(), Box<dyn std::error::Error>> {
        assert!(is_own_page(&"tauri://localhost/#/activity".parse()?));
        assert!(is_own_page(&"about:srcdoc".parse()?));
        for other in [
            "https://example.com/",
            "about:blank",
            "http://127.0.0.1:7465/",
            "tauri://localhost.example/",
            "file:///etc/passwd",
            "data:text/html,hi",
            "about:blank",
        ] {
            assert!(!is_own_page(&other.parse()?), "{other}");
        }
        Ok(())
    }
}
