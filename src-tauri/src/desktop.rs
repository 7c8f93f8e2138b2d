//! The acts of a desktop that no route can do: open a link, show the window, quit.

use axum::http::Uri;
use tauri::{AppHandle, WebviewWindow};
use tauri_plugin_opener::OpenerExt;

use crate::{quit as quit_app, window};

/// Opens a web page in the owner's browser; `https` only.
#[tauri::command]
pub(crate) fn open_link(app: AppHandle, url: String) -> Result<(), String> {
    if !is_web_page(&url) {
        return Err("Only https addresses are opened in the browser.".to_owned());
    }
    app.opener().open_url(url, None::<&str>).map_err(|error| {
        tracing::warn!(%error, "the browser could not be opened");
        "The browser could not be opened. Copy the address instead.".to_owned()
    })
}

/// The page has drawn its first screen.
#[tauri::command]
pub(crate) fn window_ready(window: WebviewWindow) {
    window::show(&window);
}

/// Ends the app once what is in flight has ended.
#[tauri::command]
pub(crate) fn quit(app: AppHandle) {
    quit_app(&app);
}

fn is_web_page(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("https")
            && uri
                .authority()
                .is_some_and(|authority| !authority.as_str().contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_pages_without_a_login_are_opened() {
        assert!(is_web_page("https://example.com/a?b=c"));
        for other in [
            "http://example.com",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://a@b.example",
            "/etc/passwd",
            "mailto:a@b.example",
            "",
        ] {
            assert!(!is_web_page(other), "{other}");
        }
    }
}
