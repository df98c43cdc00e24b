//! The axum services: POST /ingest and GET /health on tokio.

use crate::{Failure, Item, leak};
use axum::extract::Json;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Router, response::IntoResponse};
use serde_json::json;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

pub fn router<W>(work: W) -> Router
where
    W: Fn(Vec<Item>) -> Result<(), Failure> + Send + Sync + 'static,
{
    let work = Arc::new(work);
    let ingest = move |Json(items): Json<Vec<Item>>| async move {
        let messages = items.len();
        match work(items) {
            Ok(()) => {
                leak::on_post();
                Json(json!({ "messages": messages })).into_response()
            }
            Err(error) => {
                eprintln!("{error}");
                (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
            }
        }
    };
    Router::new()
        .route("/ingest", post(ingest))
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
}

/// Returns once the process is asked to end.
pub async fn terminated() {
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    terminate.recv().await;
}
