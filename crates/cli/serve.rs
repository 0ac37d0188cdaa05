//! `cloudtarn serve`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use cloudtarn_api::{Options, Sample, Server};
use cloudtarn_query::Limits;
use cloudtarn_report::{Library, Question};

use crate::location::Location;
use crate::output;

/// The command line of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn serve
  aws cloudtrail list-event-data-stores --endpoint-url http://127.0.0.1:8473
  cloudtarn serve --config principals.json --listen 10.0.0.5:8473

Without --config everyone on this machine may do everything, and only loopback is served. The configuration file and what
the API can do are described in docs/api.md.")]
pub(crate) struct Args {
    #[command(flatten)]
    location: Location,
    /// Address to listen on; port 0 for any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8473")]
    listen: SocketAddr,
    /// JSON file that says who may call: access keys, secrets, accounts, ARNs, policies.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Queries of one account at once, queued ones counted.
    #[arg(long, value_name = "N", default_value_t = 10)]
    concurrent_queries: usize,
    /// Stop a query after this many seconds; 0 for never.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    timeout: u64,
    /// Memory for sorting, grouping and joining of all queries, in MiB; beyond it they spill to disk; half of what
    /// the machine has by default.
    #[arg(long, value_name = "MIB")]
    memory: Option<usize>,
}

/// Serves until it is told to stop.
pub(crate) fn run(args: Args) -> Result<()> {
    // Warnings of the server are for who started it; RUST_LOG asks for more.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let options = Options {
        store: args.location.folder()?,
        listen: args.listen,
        config: args.config,
        concurrent_queries: args.concurrent_queries.max(1),
        limits: Limits {
            memory: crate::query::memory(args.memory),
            time: (args.timeout > 0).then(|| std::time::Duration::from_secs(args.timeout)),
            ..Limits::default()
        },
        samples: Library::built_in()?.questions().iter().map(sample).collect(),
    };
    runtime.block_on(async {
        let server = Server::bind(options).await?;
        let address = format!("http://{}", server.address());
        // Who waits for the server, reads this line.
        writeln!(std::io::stdout(), "{address}")?;
        output::complain(&format!(
            "serving the CloudTrail API: aws cloudtrail … --endpoint-url {address}; Ctrl-C ends it"
        ));
        server.run(stopped()).await?;
        Ok(())
    })
}

/// A question of the packs as the API knows it; its alias is the file's name, which Lake's form for aliases allows.
fn sample(question: &Question) -> Sample {
    Sample {
        alias: question.name.rsplit('/').next().unwrap_or_default().to_owned(),
        name: question.title.clone(),
        description: question.answers.clone(),
        sql: question.sql.clone(),
    }
}

/// Ends with Ctrl-C, or when the system asks.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
