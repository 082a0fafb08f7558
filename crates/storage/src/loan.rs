//! A connection on loan from the pool, which comes back idle whatever becomes of the borrower.

use std::time::Duration;

use diesel::IntoSql;
use diesel::sql_types::Integer;
use diesel_async::pooled_connection::bb8::PooledConnection;
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, RunQueryDsl, TransactionManager};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Error;

/// How long a statement that was abandoned has to end. Then its connection is closed.
const END: Duration = Duration::from_secs(30);

/// A connection and the turn that goes with it.
pub(crate) struct Loan {
    /// Absent only while this is dropped.
    lent: Option<Lent>,
    tls: MakeRustlsConnect,
    /// A statement was begun and has not ended.
    busy: bool,
}

type Lent = (PooledConnection<'static, AsyncPgConnection>, OwnedSemaphorePermit);

impl Loan {
    pub(crate) fn new(
        connection: PooledConnection<'static, AsyncPgConnection>,
        turn: OwnedSemaphorePermit,
        tls: MakeRustlsConnect,
    ) -> Self {
        Self { lent: Some((connection, turn)), tls, busy: false }
    }

    /// The connection, to run statements on; [`end`](Self::end) is told how they ended.
    pub(crate) fn begin(&mut self) -> Result<&mut AsyncPgConnection, Error> {
        self.busy = true;
        let Some((connection, _turn)) = &mut self.lent else {
            return Err(Error::Unavailable("the connection was given back".to_owned()));
        };
        Ok(connection)
    }

    /// Passes a result on. An error of no kind is [`Error::Unavailable`] where the connection is gone with it: a server that shuts down says so
    /// in a way that the driver does not tell apart.
    pub(crate) async fn end<T, E: Into<Error>>(mut self, result: Result<T, E>) -> Result<T, Error> {
        let mut result = result.map_err(Into::into);
        if let Err(error) = &result
            && error.is_of_no_kind()
            && let Some((connection, _turn)) = &mut self.lent
            && !answers(connection).await
        {
            result = Err(Error::Unavailable("the connection was lost".to_owned()));
        }
        self.busy = false;
        result
    }
}

impl Drop for Loan {
    /// A borrower that gives up in the middle (a client that hangs up) leaves a statement running: the next borrower would wait for it. It
    /// is cancelled, and counts as borrowed until it has ended.
    fn drop(&mut self) {
        if let Some(lent) = self.lent.take().filter(|_| self.busy)
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(end(lent, self.tls.clone()));
        }
    }
}

async fn end((mut connection, turn): Lent, tls: MakeRustlsConnect) {
    let ended = timeout(END, async {
        let cancelled = connection.cancel_token().cancel_query(tls).await;
        answers(&mut connection).await && cancelled.is_ok()
    });
    if !ended.await.unwrap_or(false) {
        // The pool does not take it back then.
        AnsiTransactionManager::transaction_manager_status_mut(&mut *connection).set_in_error();
    }
    drop(connection);
    drop(turn);
}

/// Whether the server has done all that it was asked on this connection, and answers.
async fn answers(connection: &mut AsyncPgConnection) -> bool {
    diesel::select(1.into_sql::<Integer>()).execute(connection).await.is_ok()
}
