//! `signalctl serve`: the engine and its API, without a window.

use std::path::PathBuf;

use clap::Args;
use signalbox_api::{DEFAULT_PORT, ServeOptions, Server, edge};
use signalbox_core::Hub;
use signalbox_practice::Practice;

use crate::said::{Ended, Failed, Screen};

/// Run the engine and its API without a window
#[derive(Args)]
pub(crate) struct Serve {
    /// The port; 0 picks a free one
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Serve the window for a browser, from the folder of its build
    #[arg(long, value_name = "DIR")]
    ui: Option<PathBuf>,
    /// Open a practice workspace whose services are stand-ins in this process
    #[arg(long)]
    practice: bool,
}

/// Run the engine on a practice workspace, whose services are stand-ins on this computer
#[derive(Args)]
pub(crate) struct Practise {
    /// The port; 0 picks a free one
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Serve the window for a browser, from the folder of its build
    #[arg(long, value_name = "DIR")]
    ui: Option<PathBuf>,
}

impl Practise {
    /// As `serve --practice` does.
    pub(crate) async fn run(self, home: Option<PathBuf>) -> Result<Ended, Failed> {
        let Self { port, ui } = self;
        let practice = true;
        Serve { port, ui, practice }.run(home).await
    }
}

impl Serve {
    pub(crate) async fn run(self, home: Option<PathBuf>) -> Result<Ended, Failed> {
        // Heard from the start, so that an early signal still ends cleanly.
        let told_to_end = told_to_end()?;
        let config = edge::config(home)?;
        let home = config.home.clone();
        let hub = Hub::open(config).await?;
        edge::start_logging(&home)?;
        let served = async {
            let practice = if self.practice {
                Some(open_practice(&hub).await?)
            } else {
                None
            };
            let server = Server::bind(
                &hub,
                ServeOptions {
                    port: self.port,
                    ui: self.ui,
                },
            )
            .await?;
            hub.start();
            let ready = serde_json::to_string(server.ready()).unwrap_or_default();
            Screen { json: true }.raw(&(ready + "\n"));
            server.run(told_to_end).await;
            Ok::<_, Failed>(practice)
        }
        .await;
        hub.stop().await;
        if let Some(practice) = served? {
            practice.stop().await;
        }
        Ok(Ended::Done)
    }
}

async fn open_practice(hub: &Hub) -> Result<Practice, Failed> {
    let practice = Practice::start(&hub.practice_files())
        .await
        .map_err(|error| Failed::said(format!("The stand-ins could not start: {error}.")))?;
    hub.open_practice(practice.setup()).await?;
    Ok(practice)
}

/// Ends when the process is told to: SIGTERM, SIGINT.
#[cfg(unix)]
pub(crate) fn told_to_end() -> Result<impl Future<Output = ()>, Failed> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind).map_err(|error| Failed::said(format!("Signals cannot be heard: {error}.")))
    };
    let (mut terminate, mut interrupt) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    })
}

/// Ends when the process is told to.
#[cfg(not(unix))]
pub(crate) fn told_to_end() -> Result<impl Future<Output = ()>, Failed> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
