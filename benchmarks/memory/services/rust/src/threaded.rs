//! The tiny_http services: POST /ingest and GET /health on a few threads.

use crate::{Failure, Item, address, leak};
use signal_hook::{consts::SIGTERM, iterator::Signals};
use std::io::{Cursor, Read};
use std::sync::Arc;
use tiny_http::{Header, Method, Request, Response, Server};

const WORKERS: usize = 4;
const MAX_BODY: u64 = 1 << 20; // bytes

/// What a worker does with a batch and the JSON that it was read from. Each worker has its own.
pub type Work = Box<dyn FnMut(&[u8], Vec<Item>) -> Result<(), Failure> + Send>;

/// Serves until SIGTERM, with one `Work` for each worker.
pub fn serve(make: impl Fn() -> Result<Work, Failure>) -> Result<(), Failure> {
    let server = Arc::new(Server::http(address())?);
    for _ in 0..WORKERS {
        let mut work = make()?;
        let server = Arc::clone(&server);
        std::thread::spawn(move || {
            for request in server.incoming_requests() {
                answer(request, &mut work);
            }
        });
    }
    // A worker may wait for a slow client; the process ends without it.
    Signals::new([SIGTERM])?.forever().next();
    Ok(())
}

fn answer(mut request: Request, work: &mut Work) {
    let response = match (request.method(), request.url()) {
        (Method::Get, "/health") => json(200, r#"{"status":"ok"}"#.into()),
        (Method::Post, "/ingest") => ingest(&mut request, work),
        _ => json(404, r#"{"error":"not found"}"#.into()),
    };
    if let Err(error) = request.respond(response) {
        eprintln!("{error}"); // the client has gone
    }
}

fn ingest(request: &mut Request, work: &mut Work) -> Response<Cursor<Vec<u8>>> {
    let mut body = Vec::with_capacity(request.body_length().unwrap_or(0).min(MAX_BODY as usize));
    let read = request.as_reader().take(MAX_BODY).read_to_end(&mut body);
    if let Err(error) = read {
        return failed(400, &error);
    }
    let items: Vec<Item> = match serde_json::from_slice(&body) {
        Ok(items) => items,
        Err(error) => return failed(400, &error),
    };
    let messages = items.len();
    if let Err(error) = work(&body, items) {
        eprintln!("{error}");
        return failed(500, &*error);
    }
    leak::on_post();
    json(200, serde_json::json!({ "messages": messages }).to_string())
}

fn failed(status: u16, error: &dyn std::error::Error) -> Response<Cursor<Vec<u8>>> {
    let text = serde_json::json!({ "error": error.to_string() });
    json(status, text.to_string())
}

fn json(status: u16, text: String) -> Response<Cursor<Vec<u8>>> {
    let kind = Header::from_bytes("Content-Type", "application/json").expect("a valid header");
    Response::from_string(text)
        .with_status_code(status)
        .with_header(kind)
}
