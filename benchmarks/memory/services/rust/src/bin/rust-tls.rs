//! rust-tls: HTTPS by rustls, and the sums of the last 512 batches.

use axum_server::tls_rustls::RustlsConfig;
use memory_services::{Failure, Item, address, asynchronous};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

const WINDOW: usize = 512; // batches

static SUMS: Mutex<VecDeque<(f64, Vec<String>)>> = Mutex::new(VecDeque::new());

fn summarise(items: Vec<Item>) -> Result<(), Failure> {
    let sum = items.iter().map(|item| item.value).sum();
    let names = items.into_iter().map(|item| item.name).collect();
    let mut sums = SUMS.lock().unwrap();
    if sums.len() == WINDOW {
        sums.pop_front();
    }
    sums.push_back((sum, names));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let names = ["localhost".to_string(), "127.0.0.1".to_string()];
    let own = rcgen::generate_simple_self_signed(names)?;
    let certificate = vec![own.cert.der().to_vec()];
    let tls = RustlsConfig::from_der(certificate, own.signing_key.serialize_der()).await?;

    let handle = axum_server::Handle::new();
    let ending = handle.clone();
    tokio::spawn(async move {
        asynchronous::terminated().await;
        ending.graceful_shutdown(Some(Duration::from_secs(3)));
    });
    let service = asynchronous::router(summarise).into_make_service();
    axum_server::bind_rustls(address(), tls)
        .handle(handle)
        .serve(service)
        .await?;
    Ok(())
}
