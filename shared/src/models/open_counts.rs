//! How many intervals are open, by platform: kept in the transactions that open and end them, since statistics start from
//! there. And the deletion of a user's past, which is one of them.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::sql::{Statement, Value};
use crate::db::schema::{presence_history, stats_forgotten_users};
use crate::db::{AnyConnection, DbError, on_either};
use crate::ids::UserId;

/// The part of `presence_open_counts` that those add to who follow no shard.
const NO_SHARD: i32 = -1;

/// How many intervals became open, less those that ended, by platform.
pub(super) type Opened = BTreeMap<String, i64>;

#[derive(QueryableByName)]
pub(super) struct Platforms {
    #[diesel(sql_type = Text)]
    platform: String,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Counts rows: with `sign` 1 as opened, with -1 as ended.
pub(super) fn add(opened: &mut Opened, rows: Vec<Platforms>, sign: i64) {
    for row in rows {
        *opened.entry(row.platform).or_default() += sign * row.n;
    }
}

/// Adds to the number of open intervals. Each shard's writer has its part, so that none waits for another; the sum counts.
pub(super) fn count(connection: &mut AnyConnection, part: i32, opened: &Opened) -> QueryResult<()> {
    for (platform, n) in opened.iter().filter(|(_, n)| **n != 0) {
        let mut statement = Statement::on(connection);
        let (platform, n) = (statement.value(Value::Text(platform.clone())), statement.value(Value::Int(*n)));
        statement.keep().push(&format!(
            "INSERT INTO presence_open_counts (part, platform, open) VALUES ({part}, {platform}, {n}) \
             ON CONFLICT (part, platform) DO UPDATE SET open = presence_open_counts.open + excluded.open"
        ));
        statement.execute(connection)?;
    }
    Ok(())
}

/// How many users are online as the database holds it.
///
/// # Errors
/// [`DbError`].
pub fn online(connection: &mut AnyConnection) -> Result<i64, DbError> {
    let mut statement = Statement::on(connection);
    statement.push("SELECT '' AS platform, CAST(COALESCE(SUM(open), 0) AS BIGINT) AS n FROM presence_open_counts");
    Ok(statement.load::<Platforms>(connection)?.iter().map(|row| row.n).sum())
}

/// Deletes what is held of a user's past, within the caller's transaction. Finished statistics stay, as numbers.
///
/// # Errors
/// [`DbError`].
pub fn delete_of(connection: &mut AnyConnection, user: UserId) -> Result<(), DbError> {
    let mut statement = Statement::on(connection);
    let id = statement.value(Value::Int(user.0));
    statement
        .push(&format!("DELETE FROM presence_open WHERE user_id = {id} RETURNING platform, CAST(1 AS BIGINT) AS n"));
    let mut opened = Opened::new();
    add(&mut opened, statement.load(connection)?, -1);
    diesel::delete(presence_history::table.filter(presence_history::user_id.eq(user.0))).execute(connection)?;
    on_either!(connection, c => diesel::insert_into(stats_forgotten_users::table)
        .values(stats_forgotten_users::user_id.eq(user.0))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(count(connection, NO_SHARD, &opened)?)
}
