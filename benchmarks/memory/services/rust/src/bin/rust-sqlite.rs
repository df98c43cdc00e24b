//! rust-sqlite: keeps the last 5,000 elements in SQLite, through the one connection that writes.

use memory_services::{Failure, Item, scratch, threaded};
use rusqlite::{Connection, TransactionBehavior, params};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEEP: i64 = 5000; // rows

fn connect() -> rusqlite::Result<Connection> {
    let connection = Connection::open(scratch("rows.db"))?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS rows
         (seq INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER, name TEXT, value REAL, tags TEXT)",
    )?;
    Ok(connection)
}

fn store(connection: &mut Connection, items: &[Item]) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction
            .prepare_cached("INSERT INTO rows (id, name, value, tags) VALUES (?, ?, ?, ?)")?;
        for item in items {
            let tags = serde_json::to_string(&item.tags)?;
            insert.execute(params![item.id, item.name, item.value, tags])?;
        }
        transaction
            .prepare_cached("DELETE FROM rows WHERE seq <= (SELECT max(seq) FROM rows) - ?")?
            .execute([KEEP])?;
    }
    Ok(transaction.commit()?)
}

fn main() -> Result<(), Failure> {
    // One for all workers: several that write in turn keep the WAL from ever being reset.
    let connection = Arc::new(Mutex::new(connect()?));
    threaded::serve(|| {
        let connection = Arc::clone(&connection);
        Ok(Box::new(move |_body, items| {
            store(&mut connection.lock().unwrap(), &items)
        }))
    })
}
