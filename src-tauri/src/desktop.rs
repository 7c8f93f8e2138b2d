//! The acts of a desktop that no route can do: open a link, show the window, quit.

use axum::http::Uri;
use tauri::{AppHandle, State, WebviewWindow};
use tauri_plugin_opener::OpenerExt;

use crate::{Shell, quit as quit_app, window};

/// Opens a web page in the owner's browser: `https` only, or a page of practice mode's own.
#[tauri::command]
pub(crate) fn open_link(
    app: AppHandle,
    shell: State<'_, Shell>,
    url: String,
) -> Result<(), String> {
    let practice = shell.practice_pages();
    if !is_web_page(&url) && !practice.is_some_and(|pages| is_at(&url, &pages)) {
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

/// True when the page is at exactly this origin.
fn is_at(url: &str, origin: &str) -> bool {
    let (Ok(url), Ok(origin)) = (url.parse::<Uri>(), origin.parse::<Uri>()) else {
        return false;
    };
    url.scheme() == origin.scheme()
        && url.authority().is_some()
        && url.authority().map(|a| a.as_str()) == origin.authority().map(|a| a.as_str())
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

    #[test]
    fn in_practice_the_pages_of_exactly_its_own_place_are_opened_too() {
        let pages = "http://127.0.0.1:40123";
        assert!(is_at("http://127.0.0.1:40123/o/oauth2/v2/auth?a=b", pages));
        for other in [
            "http://127.0.0.1:40124/o/oauth2/v2/auth",
            "http://127.0.0.1:401230/",
            "http://127.0.0.1:40123@evil.example/",
            "http://evil@127.0.0.1:40123/",
            "http://localhost:40123/",
            "https://127.0.0.1:40123/",
            "http://127.0.0.1/",
            "/o/oauth2/v2/auth",
            "",
        ] {
            assert!(!is_at(other, pages), "{other}");
        }
    }
}
