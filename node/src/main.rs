//! The `hexswarm` command.

use std::io::{IsTerminal, Write};

use clap::Parser;
use hexswarm::cli::Cli;
use tracing_subscriber::EnvFilter;

/// Threads that carry the network, HTTP and planning; devices have threads of their own.
const RUNTIME_THREADS: usize = 2;

fn main() {
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
    let code = match system.block_on(cli.run()) {
        Ok(()) => 0,
        Err(error) => {
            // A terminal that is closed takes no last words, which is no reason to panic.
            let _ = writeln!(std::io::stderr(), "error: {}", told(&error));
            1
        }
    };
    // Not a return: a thread that reads standard input may do so for ever, and is not waited for.
    std::process::exit(code);
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
        0 => "warn,libp2p_kad=error", // kad warns of what a founder is: alone
        1 => "info,libp2p=warn,libp2p_kad=error",
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
