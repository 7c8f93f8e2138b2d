//! Embeds the window's page and allows, by name, what it may ask of the desktop.

use tauri_build::{AppManifest, Attributes};

fn main() {
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    let attributes = Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*")
        .app_manifest(AppManifest::new().commands(&[
            "request",
            "open_link",
            "quit",
            "window_ready",
            "save",
            "upload_begin",
            "upload_piece",
            "upload_end",
        ]));
    if let Err(error) = tauri_build::try_build(attributes) {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
}
