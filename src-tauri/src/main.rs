//! The program `signalbox`: reads its arguments, makes the ground even for the webview, and hands over.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::process::ExitCode;

use signalbox_desktop::Options;

const USAGE: &str = "\
Signalbox connects a small business to the software around it.

Usage: signalbox [--practice] [--hidden]

  --practice   open a practice workspace whose services are stand-ins on this computer
  --hidden     start without a window and keep working in the background
  --version    print the version
  --help       print this

Its companion for the command line is signalctl.";

fn main() -> ExitCode {
    let mut options = Options::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--practice" => options.practice = true,
            "--hidden" => options.hidden = true,
            "--version" | "-V" => {
                println!("signalbox {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("Signalbox does not know `{other}`.\n\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    #[cfg(target_os = "linux")]
    prepare_webkit();
    signalbox_desktop::run(options)
}

/// WebKitGTK draws at 1.5 frames a second through its DMA-BUF renderer on a computer without a GPU,
/// and slower without that renderer on a computer with one. Whoever set a `WEBKIT_` variable has
/// decided already.
#[cfg(target_os = "linux")]
fn prepare_webkit() {
    let chosen = std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("WEBKIT_"));
    if !chosen && !has_gpu() {
        // SAFETY: the first thing the program does; there is no other thread that could read the
        // environment meanwhile.
        #[expect(unsafe_code, reason = "the only way to tell WebKit before GTK starts")]
        unsafe {
            std::env::set_var("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
        }
    }
}

/// Whether there is a render node that this user may open.
#[cfg(target_os = "linux")]
fn has_gpu() -> bool {
    let Ok(nodes) = std::fs::read_dir("/dev/dri") else {
        return false;
    };
    nodes
        .flatten()
        .filter(|node| node.file_name().to_string_lossy().starts_with("renderD"))
        .any(|node| {
            std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(node.path())
                .is_ok()
        })
}
