//! The `hexswarm` command.

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use hexswarm::cli::Cli;
use tracing_subscriber::EnvFilter;

/// Threads that carry the network, HTTP and planning; devices have threads of their own.
const RUNTIME_THREADS: usize = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    let system = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("hexswarm")
            .enable_all()
            .build()
            .expect("an async runtime: is the system out of threads?")
    });
    match system.block_on(cli.run()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, each said once: many errors say their cause themselves.
fn told(error: &color_eyre::Report) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told {
        told if told.is_empty() => cause,
        told if told.contains(&cause) => told,
        told => format!("{told}: {cause}"),
    })
}

/// Logs go to stderr, never to stdout. `RUST_LOG` wins over `-v`.
fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info,libp2p=warn",
        _ => "debug,libp2p=info,libp2p_gossipsub=warn,hyper=info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
