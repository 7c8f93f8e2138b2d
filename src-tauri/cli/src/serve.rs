//! `signalctl serve`: the engine and its API, without a window.

use std::path::PathBuf;

use clap::Args;
use signalbox_api::{DEFAULT_PORT, ServeOptions, Server, edge};
use signalbox_core::Hub;
use signalbox_practice::{Receiver, Storage};

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
    /// Open a practice workspace whose receiver and storage are in this process
    #[arg(long)]
    practice: bool,
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
        if let Some((receiver, storage)) = served? {
            receiver.stop().await;
            storage.stop().await;
        }
        Ok(Ended::Done)
    }
}

async fn open_practice(hub: &Hub) -> Result<(Receiver, Storage), Failed> {
    let receiver = Receiver::start(([127, 0, 0, 1], 0))
        .await
        .map_err(|error| {
            Failed::said(format!("The practice receiver could not start: {error}."))
        })?;
    let storage = Storage::start(([127, 0, 0, 1], 0), &hub.practice_files())
        .await
        .map_err(|error| Failed::said(format!("The practice storage could not start: {error}.")))?;
    let workspace = hub.open_practice(&receiver.url()).await?;
    hub.practise_storage(workspace, &storage.url()).await?;
    Ok((receiver, storage))
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
