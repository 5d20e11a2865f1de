use diesel::prelude::*;
use lastseen_shared::db::{AnyConnection, DbError, schema};

use crate::world::{World, on_both};

on_both!(the_tables_are_what_the_queries_take_them_for, counts_follow_the_accounts);

async fn the_tables_are_what_the_queries_take_them_for(world: World) {
    macro_rules! reads {
        ($connection:ident: $($table:ident),+) => {
            $(schema::$table::table.select(schema::$table::all_columns).limit(1)
                .execute($connection).map_err(DbError::from)?;)+
        };
    }
    let read = |connection: &mut AnyConnection| {
        reads!(connection: accounts, presence, sessions, presence_history, presence_open, presence_open_counts, projector_offsets, audit_log, account_counts, contacts,
            stats_minutes, stats_quarters, stats_active_users, stats_active_days, stats_forgotten_users,
            stats_progress, stats_samples, notifications, webhooks, webhook_deliveries);
        // The view for people and other programs.
        diesel::sql_query("SELECT id, username, email, role, status, is_active, online_status, last_seen FROM users")
            .execute(connection)?;
        Ok::<_, DbError>(())
    };
    world.context.db.run(read).await.unwrap();
    assert_eq!(world.context.db.pending_migrations().await.unwrap(), 0);
}

async fn counts_follow_the_accounts(world: World) {
    use lastseen_shared::account::{Standing, Status};
    use lastseen_shared::models::{Account, AccountChanges};
    let (ann, _) = world.user("ann").await;
    let (bob, _) = world.user("bob").await;
    world.user("cid").await;
    let change = move |c: &mut AnyConnection| {
        let standing = Some(Standing { status: Status::Banned, is_active: true });
        lastseen_shared::db::write_transaction(c, |c| {
            Account::change(c, ann, &AccountChanges { standing, ..AccountChanges::default() })?;
            Account::delete(c, bob)?;
            Ok::<_, lastseen_shared::models::account::WriteError>(())
        })
        .map_err(|error| DbError::Content(error.to_string()))
    };
    world.context.db.run(change).await.unwrap();
    let counts = |c: &mut AnyConnection| {
        use schema::account_counts as n;
        let rows = n::table.filter(n::n.gt(0)).order(n::status).select((n::status, n::n));
        rows.load::<(String, i64)>(c).map_err(DbError::from)
    };
    let counts = world.context.db.run(counts).await.unwrap();
    assert_eq!(counts, [("active".to_owned(), 1), ("banned".to_owned(), 1)]);
}
