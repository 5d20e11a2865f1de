//! Reads sessions' rows for heartbeats that the engine did not know: all that wait at a moment in one query, so that
//! a Redis that lost its data does not bring a query a heartbeat upon the database.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Outcome;
use crate::db::Db;
use crate::ids::SessionId;
use crate::models::{Account, Session};
use crate::refusal::Code;

/// Rows of one query.
const BATCH: usize = 500;
/// Heartbeats that may wait for their rows; past that they are told to come back.
const MOST_WAITING: usize = 20_000;

/// How long one waits for its row.
const READ_WITHIN: Duration = Duration::from_secs(5);

type Row = Option<(Session, Account)>;
type Waiting = (SessionId, oneshot::Sender<Outcome<Row>>);

/// Reads rows in batches.
pub(super) struct RowReader {
    ask: mpsc::Sender<Waiting>,
}

impl RowReader {
    pub(super) fn start(db: Db) -> Self {
        let (ask, mut asked) = mpsc::channel::<Waiting>(MOST_WAITING);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            while asked.recv_many(&mut batch, BATCH).await > 0 {
                answer(&db, &mut batch).await;
            }
        });
        Self { ask }
    }

    /// A session's row with its account, as of now.
    pub(super) async fn read(&self, session: SessionId) -> Outcome<Row> {
        let (tell, told) = oneshot::channel();
        self.ask.try_send((session, tell)).map_err(|_| Code::Overloaded)?;
        match tokio::time::timeout(READ_WITHIN, told).await {
            Ok(answer) => answer.map_err(|_| Code::Overloaded)?,
            Err(_) => Err(Code::DatabaseUnavailable.into()),
        }
    }
}

async fn answer(db: &Db, batch: &mut Vec<Waiting>) {
    let ids: Vec<SessionId> = batch.iter().map(|(id, _)| *id).collect();
    let rows = db.run(move |connection| Session::find_many(connection, &ids)).await;
    let mut rows: Result<HashMap<_, _>, _> = rows.map(|rows| rows.into_iter().map(|row| (row.0.id(), row)).collect());
    for (id, tell) in batch.drain(..) {
        let answer = match &mut rows {
            Ok(rows) => Ok(rows.get(&id).cloned()),
            Err(error) if error.is_passing() => Err(Code::DatabaseUnavailable.into()),
            Err(error) => Err(crate::refusal::Failure::Internal(error.to_string())),
        };
        // Whoever hung up is not told.
        let _ = tell.send(answer);
    }
    if let Err(error) = rows {
        log::warn!("sessions could not be read: {error}");
    }
}
