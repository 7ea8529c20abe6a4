//! The time limit of statements: every one, whoever asks it, is answered within it or fails.
//!
//! A server that has stopped answering (its disk is full, its machine is gone, somebody holds a lock) must hold up nobody
//! for good: neither a request nor the schedule of the pull. PostgreSQL is asked to end a statement itself a little
//! earlier (`open`), which costs no connection; what does not even end then is given up here, with its connection. What
//! a caller is told of it is the business of `refusal`.

use std::{future::Future, io, time::Duration};

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use sqlx::{
    Any, AnyConnection, AnyPool, Connection as _, Either, Execute, Executor, SqlStr, Transaction,
    any::{AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo},
    pool::PoolConnection,
};

/// What a statement yields: rows, and how many it has changed.
type Yield = Either<AnyQueryResult, AnyRow>;

/// The connections to the database.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    inner: AnyPool,
    limit: Duration,
}

/// One connection, for statements that belong together: alone, in a transaction, or in a savepoint of one.
///
/// A transaction or savepoint that is dropped without `commit` is taken back.
#[derive(Debug)]
pub(crate) struct Connection<'c> {
    inner: Inner<'c>,
    limit: Duration,
}

#[derive(Debug)]
enum Inner<'c> {
    Alone(PoolConnection<Any>),
    Begun(Transaction<'c, Any>),
}

impl Pool {
    /// The connections of `inner`, with this limit for each statement.
    pub(super) fn new(inner: AnyPool, limit: Duration) -> Self {
        Self { inner, limit }
    }

    /// A connection without a transaction: each of its statements counts by itself.
    pub(crate) async fn acquire(&self) -> Result<Connection<'static>, sqlx::Error> {
        let inner = within(self.limit, self.inner.acquire()).await?;
        Ok(Connection {
            inner: Inner::Alone(inner),
            limit: self.limit,
        })
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Connection<'static>, sqlx::Error> {
        let inner = within(self.limit, self.inner.begin()).await?;
        Ok(Connection {
            inner: Inner::Begun(inner),
            limit: self.limit,
        })
    }

    /// Closes all connections.
    #[cfg(test)]
    pub(crate) async fn close(&self) {
        self.inner.close().await;
    }
}

impl Connection<'_> {
    /// Begins a savepoint in a transaction, or a transaction where there is none.
    pub(crate) async fn begin(&mut self) -> Result<Connection<'_>, sqlx::Error> {
        let limit = self.limit;
        let inner = within(limit, self.raw().begin()).await?;
        Ok(Connection {
            inner: Inner::Begun(inner),
            limit,
        })
    }

    /// Makes what was done since `begin` count.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self.inner {
            Inner::Alone(_) => Ok(()),
            Inner::Begun(transaction) => within(self.limit, transaction.commit()).await,
        }
    }

    /// Takes back what was done since `begin`, and waits until it is.
    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        match self.inner {
            Inner::Alone(_) => Ok(()),
            Inner::Begun(transaction) => within(self.limit, transaction.rollback()).await,
        }
    }

    fn raw(&mut self) -> &mut AnyConnection {
        match &mut self.inner {
            Inner::Alone(connection) => connection,
            Inner::Begun(transaction) => transaction,
        }
    }
}

impl<'c> Executor<'c> for &'c Pool {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Yield, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        each_within(self.limit, self.inner.fetch_many(query))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        Box::pin(within(self.limit, self.inner.fetch_optional(query)))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        Box::pin(within(self.limit, self.inner.prepare_with(sql, parameters)))
    }
}

impl<'c> Executor<'c> for &'c mut Connection<'_> {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Yield, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        each_within(self.limit, self.raw().fetch_many(query))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        Box::pin(within(self.limit, self.raw().fetch_optional(query)))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        Box::pin(within(self.limit, self.raw().prepare_with(sql, parameters)))
    }
}

/// The first row, and each further one, within the limit.
fn each_within<'e>(
    limit: Duration,
    rows: BoxStream<'e, Result<Yield, sqlx::Error>>,
) -> BoxStream<'e, Result<Yield, sqlx::Error>> {
    stream::try_unfold(rows, move |mut rows| async move {
        let next = within(limit, rows.try_next()).await?;
        Ok(next.map(|next| (next, rows)))
    })
    .boxed()
}

pub(super) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer for {limit:?}"),
        ))),
    }
}
