//! rust-cache: remembers the last 2,000 batches in an LRU, so that a repeated POST is not done twice.

use lru::LruCache;
use memory_services::{Failure, Item, threaded};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

const BATCHES: NonZeroUsize = NonZeroUsize::new(2000).unwrap();

fn main() -> Result<(), Failure> {
    let cache: Arc<Mutex<LruCache<Vec<u8>, Vec<Item>>>> =
        Arc::new(Mutex::new(LruCache::new(BATCHES)));
    threaded::serve(|| {
        let cache = Arc::clone(&cache);
        Ok(Box::new(move |body, items| {
            let mut cache = cache.lock().unwrap();
            if cache.get(body).is_none() {
                cache.put(body.to_vec(), items);
            }
            Ok(())
        }))
    })
}
