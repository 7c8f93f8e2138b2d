//! The program `signalctl`: the same engine on the command line.
//!
//! Each command asks a route of the API, over the socket of the running owner or, without one, in
//! this process ([`door`]). This file alone reads arguments and sets exit codes: 0 done, 1 failed,
//! 2 wrong usage, 75 a graceful failure.

mod automations;
mod calendar;
mod deliveries;
mod doctor;
mod door;
mod events;
mod files;
mod given;
mod integrations;
mod listen;
mod said;
mod serve;
mod settings;
mod sms;
mod stats;
mod story;
mod tokens;
mod webhooks;
mod workspaces;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::door::Door;
use crate::said::{Ended, Failed, Screen};

/// A graceful failure: it goes on by itself, or needs the owner later.
const GRACEFUL: u8 = 75;

/// Signalbox on the command line: post events, look after webhooks, read the log.
#[derive(Parser)]
#[command(
    name = "signalctl",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Everywhere {
    /// The workspace, by name or id; without it, the first
    #[arg(long, global = true, value_name = "NAME")]
    workspace: Option<String>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
    /// The data folder, instead of SIGNALBOX_HOME or the platform's
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the engine and its API without a window
    Serve(serve::Serve),
    /// Run the engine on a practice workspace, whose services are stand-ins on this computer
    Practice(serve::Practise),
    /// Workspaces: one business each
    #[command(subcommand)]
    Workspace(workspaces::Command),
    /// Tokens that let other programs in
    #[command(subcommand)]
    Token(tokens::Command),
    /// Webhooks: other software that is told about events
    #[command(subcommand)]
    Webhook(webhooks::Command),
    /// Automations: what is done when something happens
    #[command(subcommand)]
    Automation(automations::Command),
    /// Integrations: email, texts, calendar, storage
    #[command(subcommand)]
    Integrations(integrations::Command),
    /// Email
    #[command(subcommand)]
    Email(integrations::Email),
    /// Calendar entries
    #[command(subcommand)]
    Calendar(calendar::Command),
    /// Sign in at a service by the browser
    #[command(subcommand)]
    Connect(calendar::Connect),
    /// Record an event
    Event(events::Record),
    /// The log of what went out, and what to do about it
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// Files in the workspace's storage
    #[command(subcommand)]
    Files(files::Command),
    /// What went out, in figures
    Stats(stats::Stats),
    /// Everything about one booking or one customer
    Story(story::Story),
    /// How long things are kept, and how much room they take
    #[command(subcommand)]
    Settings(settings::Command),
    /// Remove now what is old enough to go
    CleanUp(settings::CleanUp),
    /// Texts
    #[command(subcommand)]
    Sms(sms::Command),
    /// Receive webhooks on this computer, verify and print them
    Listen(listen::Listen),
    /// Look Signalbox over: folder, database, key store
    Doctor,
    /// Print the description of the API (OpenAPI)
    Openapi,
}

fn main() -> ExitCode {
    signalbox_api::edge::keep_files_private();
    signalbox_api::edge::keep_memory_small();
    let arguments = Arguments::parse();
    let screen = Screen {
        json: arguments.everywhere.json,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        // Longer than from one look around to the next: a thread that ends wakes up for that.
        .thread_keep_alive(std::time::Duration::from_secs(60))
        .thread_name("signalctl")
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments, screen)),
        Err(error) => Err(Failed::said(format!(
            "The system gives no threads: {error}."
        ))),
    };
    match ended {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Gracefully) => ExitCode::from(GRACEFUL),
        Ok(Ended::Badly) => ExitCode::FAILURE,
        Err(Failed::Usage(message)) => {
            // Prints the message the way clap prints its own, and exits with 2.
            Arguments::command()
                .error(clap::error::ErrorKind::MissingRequiredArgument, message)
                .exit()
        }
        Err(failed) => {
            screen.failed(&failed);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments, screen: Screen) -> Result<Ended, Failed> {
    let Everywhere {
        workspace, home, ..
    } = arguments.everywhere;
    match arguments.command {
        Command::Openapi => {
            screen.raw(signalbox_api::openapi());
            return Ok(Ended::Done);
        }
        Command::Serve(serve) => return serve.run(home).await,
        Command::Practice(practise) => return practise.run(home).await,
        Command::Listen(listen) => return listen.run(screen).await,
        _ => {}
    }
    let door = Door::open(home, workspace).await?;
    let ended = match arguments.command {
        Command::Workspace(command) => command.run(&door, screen).await,
        Command::Token(command) => command.run(&door, screen).await,
        Command::Webhook(command) => command.run(&door, screen).await,
        Command::Automation(command) => command.run(&door, screen).await,
        Command::Integrations(command) => command.run(&door, screen).await,
        Command::Email(command) => command.run(&door, screen).await,
        Command::Calendar(command) => command.run(&door, screen).await,
        Command::Connect(connect) => connect.run(&door, screen).await,
        Command::Event(record) => record.run(&door, screen).await,
        Command::Deliveries(command) => command.run(&door, screen).await,
        Command::Files(command) => command.run(&door, screen).await,
        Command::Stats(stats) => stats.run(&door, screen).await,
        Command::Story(story) => story.run(&door, screen).await,
        Command::Settings(command) => command.run(&door, screen).await,
        Command::CleanUp(clean_up) => clean_up.run(&door, screen).await,
        Command::Sms(command) => command.run(&door, screen).await,
        Command::Doctor => doctor::run(&door, screen).await,
        Command::Openapi | Command::Serve(_) | Command::Practice(_) | Command::Listen(_) => {
            Ok(Ended::Done)
        }
    };
    door.close().await;
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_holds_everywhere_may_stand_at_the_end() {
        let arguments = Arguments::try_parse_from([
            "signalctl",
            "deliveries",
            "list",
            "--json",
            "--workspace",
            "Café",
        ])
        .unwrap();
        assert!(arguments.everywhere.json);
        assert_eq!(arguments.everywhere.workspace.as_deref(), Some("Café"));
    }
}
