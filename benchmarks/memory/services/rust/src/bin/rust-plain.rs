//! rust-plain: axum and serde alone; validates and sums each batch.

use memory_services::{Failure, Item, address, asynchronous};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

static TAGGED: AtomicUsize = AtomicUsize::new(0);

fn summarise(items: Vec<Item>) -> Result<(), Failure> {
    let mut tags: HashMap<String, f64> = HashMap::new();
    for item in &items {
        if item.id < 0 || !item.value.is_finite() {
            return Err(format!("item {} ({}) is not valid", item.id, item.name).into());
        }
        for tag in &item.tags {
            *tags.entry(tag.to_lowercase()).or_default() += item.value;
        }
    }
    TAGGED.fetch_add(tags.len(), Ordering::Relaxed);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(address()).await?;
    tokio::select! {
        served = axum::serve(listener, asynchronous::router(summarise)) => served?,
        () = asynchronous::terminated() => (),
    }
    Ok(())
}
