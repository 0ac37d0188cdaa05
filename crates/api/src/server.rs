//! The port: connections, their limits, the end.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use cloudtarn_query::Limits;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower_service::Service as _;

use crate::error::{Error, Result};
use crate::principal::Principals;
use crate::service::{Sample, Service};
use crate::wire;

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// Time for a request's head to arrive, and for a connection to be idle.
const HEAD_TIME: Duration = Duration::from_secs(20);
/// Time that calls have to end when the server ends.
const GRACE: Duration = Duration::from_secs(5);

/// What to serve, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the store; made if there is none.
    pub store: PathBuf,
    /// Address to listen on; port 0 for any.
    pub listen: SocketAddr,
    /// File with the principals; without it everyone on this machine is the one local principal.
    pub config: Option<PathBuf>,
    /// Queries of one account at once, queued ones counted; Lake has 10.
    pub concurrent_queries: usize,
    /// What one query may use.
    pub limits: Limits,
    /// What SearchSampleQueries searches, and StartQuery takes as aliases.
    pub samples: Vec<Sample>,
}

/// A server that is bound and not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
}

impl Server {
    /// Opens the store and the port. What a server before this one left undone is marked so.
    ///
    /// # Errors
    /// [`Error::NotLoopback`] for an address that others can reach without a configuration; the store's, the port's.
    pub async fn bind(options: Options) -> Result<Self> {
        let principals = match &options.config {
            None => Principals::local(),
            Some(path) => {
                Principals::read(path).map_err(|reason| Error::Configuration { path: path.clone(), reason })?
            }
        };
        let asked = options.listen;
        if !asked.ip().is_loopback() {
            if principals.is_local() {
                return Err(Error::NotLoopback(asked));
            }
            tracing::warn!(%asked, "other machines can reach this address, and HTTP is not encrypted: what is asked and answered can be read on the way");
        }
        let failed = |source| Error::Listen { address: asked, source };
        let listener = TcpListener::bind(asked).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let service = Service::open(options, principals).await?;
        Ok(Self { listener, address, service })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then takes no more calls, ends those under way and writes down what it knows.
    ///
    /// # Errors
    /// The store's, at the end.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        let router = wire::router(Arc::clone(&self.service));
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        let keeping = tokio::spawn(Arc::clone(&self.service).keep_house());
        tokio::pin!(stop);
        loop {
            let accepted = async {
                let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
                Some((self.listener.accept().await, permit))
            };
            let (accepted, permit) = tokio::select! {
                () = &mut stop => break,
                Some(accepted) = accepted => accepted,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = connection(stream, peer, router.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: connections that end free some.
                    tracing::warn!(%error, "accepting a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        keeping.abort();
        let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
        connections.shutdown().await;
        self.service.close().await;
        Ok(())
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: axum::Router) {
    let _ = stream.set_nodelay(true);
    let answering = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), answering)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a connection ended");
    }
}
