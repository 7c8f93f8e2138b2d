//! signalbox: the desktop shell. It opens the hub, keeps worker and API running, and gives them a
//! window and a tray icon. What the product does lies in `signalbox-core`; how it is asked, in
//! `signalbox-api`.

mod desktop;
mod files;
mod notify;
mod request;
mod tray;
mod window;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use axum::{Json, Router, http::StatusCode};
use futures_util::StreamExt;
use signalbox_api::{ServeOptions, edge};
use signalbox_core::{Config, Error, Hub, Kind};
use signalbox_practice::Practice;
use tauri::{AppHandle, Emitter, Manager, RunEvent};
use tauri_plugin_window_state::StateFlags;
use tokio::sync::watch;

use request::Door;

/// How the app was started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// On a practice workspace whose services are stand-ins on this computer.
    pub practice: bool,
    /// Without a window.
    pub hidden: bool,
}

/// What is in flight when the owner quits gets this long to end. What has not ended goes on at the
/// next start.
const QUIT_WITHIN: Duration = Duration::from_secs(20);

/// Runs the app until the owner quits.
pub fn run(options: Options) -> ExitCode {
    edge::keep_files_private();
    edge::keep_memory_small();
    let config = match edge::config_from_env() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let home = config.home.clone();
    // The lock on the data folder decides who owns it, before anything else is started.
    let (engine, router) =
        match tauri::async_runtime::block_on(Engine::start(config, options.practice)) {
            Ok(engine) => {
                let router = signalbox_api::router(Arc::clone(&engine.hub));
                (Some(engine), router)
            }
            Err(error) => {
                eprintln!("{error}");
                (None, only_says(error))
            }
        };
    let shell = Shell {
        engine,
        home: home.clone(),
        quitting: watch::channel(false).0,
    };

    let built = tauri::Builder::default()
        // Registered first: a second start ends here and raises the window of the first.
        .plugin(
            tauri_plugin_single_instance::Builder::new()
                .callback(|app, _, _| window::open(app))
                .dbus_id(bus_name(&home))
                .build(),
        )
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_filename(home.join("window.json").to_string_lossy())
                .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
                .build(),
        )
        .plugin(
            tauri_plugin_opener::Builder::new()
                .open_js_links_on_click(false)
                .build(),
        )
        // Asked by our own commands only: the page has no permission of it.
        .plugin(tauri_plugin_dialog::init())
        .invoke_handler(tauri::generate_handler![
            request::request,
            desktop::open_link,
            desktop::window_ready,
            desktop::quit,
            files::save,
            files::upload_begin,
            files::upload_piece,
            files::upload_end
        ])
        .manage(Door(router))
        .manage(files::Uploads::default())
        .manage(shell)
        .setup(move |app| {
            begin(app.handle(), options);
            Ok(())
        })
        .build(tauri::generate_context!());
    match built {
        Ok(app) => ExitCode::from(u8::try_from(app.run_return(on_run_event)).unwrap_or(1)),
        Err(error) => {
            eprintln!(
                "Signalbox could not open a window here: {error}\nWithout a desktop, `signalctl serve` does the same work."
            );
            ExitCode::FAILURE
        }
    }
}

/// The core, running: its worker, its API, and in practice mode the stand-ins.
struct Engine {
    hub: Arc<Hub>,
    practice: Option<Practice>,
}

impl Engine {
    async fn start(config: Config, practice: bool) -> Result<Self, Error> {
        let home = config.home.clone();
        let hub = Hub::open(config).await?;
        edge::start_logging(&home)?;
        let practice = if practice {
            Some(open_practice(&hub).await?)
        } else {
            None
        };
        hub.start();
        Ok(Self { hub, practice })
    }
}

async fn open_practice(hub: &Hub) -> Result<Practice, Error> {
    let practice = Practice::start(&hub.practice_files())
        .await
        .map_err(|error| Error {
            source: Some(error.into()),
            ..Error::new(
                Kind::Internal,
                "The stand-ins of practice mode could not start. Start Signalbox again.",
            )
        })?;
    hub.open_practice(practice.setup()).await?;
    Ok(practice)
}

/// What the shell holds while the app runs.
struct Shell {
    engine: Option<Engine>,
    home: PathBuf,
    quitting: watch::Sender<bool>,
}

impl Shell {
    /// Whether there is work to keep up without a window.
    fn keeps_working(&self) -> bool {
        self.engine.is_some()
    }

    /// Where the pages of practice mode are, while it runs.
    fn practice_pages(&self) -> Option<String> {
        self.engine.as_ref()?.practice.as_ref().map(Practice::pages)
    }

    /// Whether a hidden window could be brought back.
    fn has_way_back(app: &AppHandle) -> bool {
        tray::is_up(app) || second_start_is_heard()
    }
}

fn begin(app: &AppHandle, options: Options) {
    let shell = app.state::<Shell>();
    if let Some(engine) = &shell.engine {
        let told = shell.quitting.subscribe();
        tauri::async_runtime::spawn(serve(Arc::clone(&engine.hub), told));
        tauri::async_runtime::spawn(forward_changes(app.clone(), Arc::clone(&engine.hub)));
        tray::put_up(app);
    }
    tauri::async_runtime::spawn(quit_on_signal(app.clone()));
    if !(options.hidden && shell.keeps_working()) {
        window::open(app);
    }
}

/// Other software is answered for as long as the app runs. Without the port the window works all
/// the same; *Connect your software* says what is in the way.
async fn serve(hub: Arc<Hub>, told: watch::Receiver<bool>) {
    if let Err(error) = signalbox_api::serve(hub, ServeOptions::default(), quitting(told)).await {
        tracing::warn!(%error, "other software cannot reach Signalbox");
    }
}

/// Tells the page and the tray what to look at again.
async fn forward_changes(app: AppHandle, hub: Arc<Hub>) {
    tray::refresh(&app).await;
    let mut changes = std::pin::pin!(signalbox_api::merged(hub.changes(), None));
    while let Some(changed) = changes.next().await {
        if let Err(error) = app.emit_to(window::LABEL, "change", changed) {
            tracing::warn!(%error, "the window could not be told of a change");
        }
        tray::refresh(&app).await;
    }
}

/// Ends the app once what is in flight has ended, or when that takes too long.
fn quit(app: &AppHandle) {
    let shell = app.state::<Shell>();
    if shell.quitting.send_replace(true) {
        return;
    }
    if let Some(window) = app.get_webview_window(window::LABEL) {
        let _ = window.hide();
    }
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        if let Some(engine) = &app.state::<Shell>().engine
            && tokio::time::timeout(QUIT_WITHIN, engine.hub.stop())
                .await
                .is_err()
        {
            tracing::warn!("a delivery did not end in time; it goes on at the next start");
        }
        app.exit(0);
    });
}

async fn quitting(mut told: watch::Receiver<bool>) {
    // An error means that the shell itself is gone.
    let _ = told.wait_for(|quitting| *quitting).await;
}

async fn quit_on_signal(app: AppHandle) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut interrupt)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            quit(&app);
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_ok() {
        quit(&app);
    }
}

fn on_run_event(app: &AppHandle, event: RunEvent) {
    if let RunEvent::ExitRequested {
        code: None, api, ..
    } = event
    {
        // The desktop ends the session, or the last window is gone: the same careful way out.
        api.prevent_exit();
        quit(app);
    }
}

/// A router for data that could not be opened: whatever is asked, it says why.
fn only_says(error: Error) -> Router {
    let problem = serde_json::json!({
        "title": "Signalbox could not open its data",
        "status": StatusCode::SERVICE_UNAVAILABLE.as_u16(),
        "detail": error.detail,
    });
    Router::new().fallback(move || async move { (StatusCode::SERVICE_UNAVAILABLE, Json(problem)) })
}

/// One name on the session bus per data folder, so that practice runs beside real work.
fn bus_name(home: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    home.hash(&mut hasher);
    format!("dev.signalbox.app.h{:016x}", hasher.finish())
}

/// A second start reaches the first over the session bus on Linux, and always elsewhere.
fn second_start_is_heard() -> bool {
    #[cfg(target_os = "linux")]
    return zbus::blocking::Connection::session().is_ok();
    #[cfg(not(target_os = "linux"))]
    true
}
