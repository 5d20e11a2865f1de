//! Statements that are put together at run time, the same for both databases but for how a list is passed.

use diesel::pg::Pg;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_types::{Array, BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, QueryableByName, RunQueryDsl, sql_query};

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
}

impl Statement {
    /// An empty statement for this connection's database.
    #[must_use]
    pub fn on(connection: &AnyConnection) -> Self {
        let postgres = matches!(connection, AnyConnection::Postgresql(_));
        Self { text: String::new(), values: Vec::new(), postgres }
    }

    /// Whether the statement is for PostgreSQL.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.postgres
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

    /// Runs it and reads the rows.
    ///
    /// # Errors
    /// The database's.
    pub fn load<T>(self, connection: &mut AnyConnection) -> QueryResult<Vec<T>>
    where
        T: QueryableByName<Pg> + QueryableByName<Sqlite> + 'static,
    {
        match connection {
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
