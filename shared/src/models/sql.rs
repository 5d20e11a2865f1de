//! Statements that are put together at run time, the same for both databases but for how a list is passed.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, BoxedSqlQuery, Query, QueryFragment, QueryId, SqlQuery};
use diesel::sql_types::{Array, BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel::{PgConnection, QueryResult, QueryableByName, RunQueryDsl, sql_query};

use crate::db::AnyConnection;

/// A value for a placeholder.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
    /// A list of ids, for [`Statement::list`].
    Ids(Vec<i64>),
    /// A list of texts: an array, PostgreSQL only.
    Texts(Vec<String>),
}

/// A statement's text and values.
#[derive(Debug)]
pub struct Statement {
    text: String,
    values: Vec<Value>,
    postgres: bool,
    kept: bool,
}

impl Statement {
    /// An empty statement for this connection's database.
    #[must_use]
    pub fn on(connection: &AnyConnection) -> Self {
        let postgres = matches!(connection, AnyConnection::Postgresql(_));
        Self { text: String::new(), values: Vec::new(), postgres, kept: false }
    }

    /// Whether the statement is for PostgreSQL.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.postgres
    }

    /// Has its plan kept on PostgreSQL, see [`Keep::kept`].
    pub fn keep(&mut self) -> &mut Self {
        self.kept = true;
        self
    }

    /// As [`Self::keep`], of a text that is complete, where it is one of those few.
    pub fn keep_among(&mut self, few: &Few) -> &mut Self {
        self.kept = few.admit(&self.text);
        self
    }

    /// Adds text.
    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Keeps a value, and answers the placeholder that stands for it: it may be used several times.
    pub fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("{}{}", if self.postgres { '$' } else { '?' }, self.values.len())
    }

    /// Keeps a list of ids, and answers what `id IN` or `id NOT IN` it is written as.
    pub fn list(&mut self, ids: Vec<i64>) -> String {
        let place = self.value(Value::Ids(ids));
        if self.postgres {
            format!("(SELECT unnest({place}))")
        } else {
            format!("(SELECT value FROM json_each({place}))")
        }
    }

    /// Keeps a list of ids, and answers what `id` is followed by to be one of them. Faster than `IN` [`Self::list`] where
    /// rows are read by these ids.
    pub fn one_of(&mut self, ids: Vec<i64>) -> String {
        if self.postgres {
            format!("= ANY({})", self.value(Value::Ids(ids)))
        } else {
            format!("IN {}", self.list(ids))
        }
    }

    /// Runs it and reads the rows.
    ///
    /// # Errors
    /// The database's.
    pub fn load<T>(self, connection: &mut AnyConnection) -> QueryResult<Vec<T>>
    where
        T: QueryableByName<Pg> + QueryableByName<Sqlite> + 'static,
    {
        match connection {
            AnyConnection::Postgresql(pg) if self.kept => self.on_pg().kept().load(pg),
            AnyConnection::Postgresql(pg) => self.on_pg().load(pg),
            AnyConnection::Sqlite(sqlite) => self.on_sqlite().load(sqlite),
        }
    }

    /// Runs it. Answers how many rows it changed.
    ///
    /// # Errors
    /// The database's.
    pub fn execute(self, connection: &mut AnyConnection) -> QueryResult<usize> {
        match connection {
            AnyConnection::Postgresql(pg) if self.kept => self.on_pg().kept().execute(pg),
            AnyConnection::Postgresql(pg) => self.on_pg().execute(pg),
            AnyConnection::Sqlite(sqlite) => self.on_sqlite().execute(sqlite),
        }
    }

    fn on_pg(self) -> BoxedSqlQuery<'static, Pg, SqlQuery> {
        let start = sql_query(self.text).into_boxed::<Pg>();
        self.values.into_iter().fold(start, |query, value| match value {
            Value::Int(number) => query.bind::<BigInt, _>(number),
            Value::Text(text) => query.bind::<Text, _>(text),
            Value::Ids(ids) => query.bind::<Array<BigInt>, _>(ids),
            Value::Texts(texts) => query.bind::<Array<Text>, _>(texts),
        })
    }

    fn on_sqlite(self) -> BoxedSqlQuery<'static, Sqlite, SqlQuery> {
        let start = sql_query(self.text).into_boxed::<Sqlite>();
        self.values.into_iter().fold(start, |query, value| match value {
            Value::Int(number) => query.bind::<BigInt, _>(number),
            Value::Text(text) => query.bind::<Text, _>(text),
            // Numbers only, so that no escaping is needed.
            Value::Ids(ids) => query.bind::<Text, _>(format!("{ids:?}")),
            Value::Texts(texts) => query.bind::<Text, _>(format!("{texts:?}")),
        })
    }
}

/// Texts whose plans are kept, of which there could be many: those that come first, up to a number. A connection forgets none.
#[derive(Debug)]
pub struct Few {
    most: usize,
    texts: Mutex<BTreeSet<String>>,
}

impl Few {
    /// So many at most.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { most, texts: Mutex::new(BTreeSet::new()) }
    }

    fn admit(&self, text: &str) -> bool {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.contains(text) || (texts.len() < self.most && texts.insert(text.to_owned()))
    }
}

/// A query whose plan a connection to PostgreSQL keeps, by its text.
#[derive(Clone, Copy, Debug)]
pub struct Kept<Q>(Q);

/// Queries that are written as text.
pub trait Keep: Query + Sized {
    /// Has the connection keep the plan: planning a page of many branches takes ten times as long as reading it. For texts of
    /// which there are few; and whose best plan does not depend on the values, since PostgreSQL comes to plan without them
    /// where that looks no worse.
    fn kept(self) -> Kept<Self> {
        Kept(self)
    }
}

impl<Q: Query> Keep for Q {}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Kept<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    // Diesel says no of any text, since it can't know how many there are.
    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

// By the text, not by the type.
impl<Q> QueryId for Kept<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Kept<Q> {
    type SqlType = Q::SqlType;
}

impl<Q> RunQueryDsl<PgConnection> for Kept<Q> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_those_that_come_first() {
        let few = Few::new(2);
        assert_eq!(
            ["a", "b", "c", "a", "b", "c"].map(|text| few.admit(text)),
            [true, true, false, true, true, false]
        );
    }
}
