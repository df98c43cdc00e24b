//! The injected leak: a session map that nobody clears.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

#[derive(Default)]
struct Registry {
    sessions: HashMap<usize, Vec<u8>>,
    posts: usize,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);
static BYTES: LazyLock<usize> = LazyLock::new(|| number("LEAK_BYTES", 0));
static EVERY: LazyLock<usize> = LazyLock::new(|| number("LEAK_EVERY", 1).max(1));

/// Keeps LEAK_BYTES bytes on every LEAK_EVERY-th call, and nothing if that is 0.
pub fn on_post() {
    if *BYTES == 0 {
        return;
    }
    let mut registry = REGISTRY.lock().unwrap();
    registry.posts += 1;
    let post = registry.posts;
    if post.is_multiple_of(*EVERY) {
        // Never zero, so that each page is really written to.
        let kept = (0..*BYTES).map(|i| (post + i) as u8 | 1).collect();
        registry.sessions.insert(post, kept);
    }
}

fn number(name: &str, otherwise: usize) -> usize {
    let value = std::env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(otherwise)
}
