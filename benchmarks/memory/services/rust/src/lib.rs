//! What the Rust services of the memory corpus share: the batch, the injected leak, the servers.

pub mod asynchronous;
pub mod leak;
pub mod threaded;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a service answers if its work fails; it becomes a 500.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One element of a posted batch.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Item {
    pub id: i64,
    pub name: String,
    pub value: f64,
    pub tags: Vec<String>,
}

/// 127.0.0.1:PORT.
pub fn address() -> std::net::SocketAddr {
    let port = std::env::var("PORT")
        .ok()
        .and_then(|port| port.parse().ok());
    ([127, 0, 0, 1], port.expect("PORT is a port number")).into()
}

/// A file of that name in the service's own folder.
pub fn scratch(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("SCRATCH").unwrap_or_default()).join(name)
}
