//! Searches against what Rust finds in the same names, whichever way the sample has them found.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryableByName};

use super::*;
use crate::account::Status;
use crate::db::{Address, AnyConnection, Db};
use crate::ids::UserId;
use crate::models::directory::{Corrections, CountedOnline, PageQuery, Sort};
use crate::presence::availability::Privacy;
use crate::presence::rule::OnlineStatus;
use crate::privacy::{AdminSight, Viewer};

#[test]
fn a_part_is_looked_up_by_what_the_indexes_have_of_it() {
    assert_eq!(pieces("ü"), ["ü"]);
    assert_eq!(pieces("üb"), ["üb"]);
    assert_eq!(pieces("a.b"), ["a.", ".b"]);
    let with = ["abc", "-abc", "a1b", "üabc"];
    assert!(with.iter().all(|part| has_trigram(part)));
    let without = ["", "a", "ab", "a.b", "---", "übe", "ab-cd"];
    assert!(!without.iter().any(|part| has_trigram(part)));
}

/// Found by the index, by the index and a walk, by reading and a walk.
const WAYS: [Sampling; 4] = [
    Sampling::USUAL,
    Sampling { percent: "100", at_most: 5_000, many: i64::MAX, most: i64::MAX },
    Sampling { percent: "100", at_most: 5_000, many: 0, most: i64::MAX },
    Sampling { percent: "100", at_most: 5_000, many: 0, most: 0 },
];
const NAMES: i64 = 400;
const PARTS: [&str; 14] =
    ["u", "us", "user", "7", "39", "399", "zq", "q", "-.-", ".", "ü", "_3", "user10", "example"];

fn name(n: i64) -> String {
    format!("user{n}{}", ["", ".x", "-.-", "_3", "übe"][usize::try_from(n % 5).unwrap()])
}

fn write_names(c: &mut AnyConnection) {
    let rows: Vec<String> = (1..=NAMES)
        .map(|n| {
            let (name, status) = (name(n), if n % 7 == 0 { "suspended" } else { "active" });
            format!("({n}, '{name}', '{name}', '{n}@example.org', '{n}@example.org', 'none', 'user', '{status}', TRUE, 1, 1)")
        })
        .collect();
    let online: Vec<String> = (1..=NAMES).map(|n| format!("({n}, {})", n % 3 == 0)).collect();
    let text = format!(
        "INSERT INTO accounts (id, username, username_key, email, email_key, password_hash, role, status, is_active, \
         created_at_ms, updated_at_ms) VALUES {}; INSERT INTO presence (user_id, online) VALUES {}",
        rows.join(","),
        online.join(",")
    );
    crate::db::on_either!(c, c => c.batch_execute(&text)).unwrap();
}

fn searches_find_what_is_there(c: &mut AnyConnection) {
    write_names(c);
    let policy = AdminSight { online: false, last_seen: false, invisible: false };
    let (contacts, blocked) = Default::default();
    let viewer = Viewer { id: UserId(1), admin: true, privacy: Privacy::default(), contacts, blocked, policy };
    let corrections = Corrections { online: vec![1], offline: vec![3, 6] };
    let is_online = |n: i64| n == 1 || (n % 3 == 0 && n % 7 != 0 && n != 3 && n != 6);
    for (part, in_email, status, wanted) in PARTS.into_iter().flat_map(|part| {
        [false, true].into_iter().flat_map(move |in_email| {
            [None, Some(Status::Suspended)].into_iter().flat_map(move |status| {
                [None, Some(OnlineStatus::Online), Some(OnlineStatus::Offline)]
                    .map(|wanted| (part, in_email, status, wanted))
            })
        })
    }) {
        let of_kind: Vec<i64> = (1..=NAMES)
            .filter(|n| name(*n).contains(part) || (in_email && format!("{n}@example.org").contains(part)))
            .filter(|n| status.is_none() || n % 7 == 0)
            .collect();
        let expected = of_kind.iter().copied().filter(|n| match wanted {
            None => true,
            Some(OnlineStatus::Online) => is_online(*n),
            Some(OnlineStatus::Offline) => !is_online(*n),
        });
        let expected: Vec<i64> = expected.collect();
        let online = of_kind.iter().filter(|n| is_online(**n)).count();
        let filter = Filter { search: Some((part.to_owned(), in_email)), online_status: wanted, status, role: None };
        for sampling in WAYS {
            for (sort, descending) in [(Sort::Id, false), (Sort::Username, true), (Sort::LastSeen, false)] {
                let query = PageQuery { filter: filter.clone(), sort, descending, after: None, limit: 1_000 };
                let page = query.load_sampled(c, &viewer, &corrections, sampling).unwrap();
                let mut ids: Vec<i64> = page.users.iter().map(|user| user.id.0).collect();
                if sort == Sort::Username {
                    assert!(page.users.is_sorted_by(|a, b| a.username_key > b.username_key));
                    ids.sort_unstable();
                }
                assert_eq!(ids, expected, "{filter:?}");
                assert_eq!(page.kind_total, of_kind.len() as u64, "{filter:?}");
                assert_eq!(page.online, CountedOnline::Found(online as u64), "{filter:?}");
                assert!(!page.at_least);
            }
        }
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

/// Accounts that come, change and go many at a time are counted like any others.
fn counts_are_right(c: &mut AnyConnection) {
    for change in [
        "SELECT 1",
        "UPDATE accounts SET status = 'banned' WHERE id % 2 = 0",
        "UPDATE accounts SET email = email WHERE id = 5",
        "UPDATE accounts SET role = 'admin', is_active = FALSE WHERE id < 10",
        "DELETE FROM accounts WHERE id > 390 AND id % 3 = 0",
        "DELETE FROM accounts WHERE id < 0",
    ] {
        crate::db::on_either!(c, c => c.batch_execute(change)).unwrap();
        let mut statement = Statement::on(c);
        let columns = "role, status, is_active";
        statement.push(&format!(
            "SELECT count(*) AS n FROM (SELECT {columns}, sum(k) FROM (SELECT {columns}, n AS k FROM account_counts \
             UNION ALL SELECT {columns}, -1 FROM accounts) x GROUP BY {columns} HAVING sum(k) <> 0) wrong"
        ));
        let wrong: Vec<Number> = statement.load(c).unwrap();
        assert_eq!(wrong[0].n, 0, "after {change}");
    }
}

/// A search of more users than are counted says so.
fn a_search_is_counted_to_a_bound(c: &mut AnyConnection) {
    let more = i64::try_from(COUNTED).unwrap() + 5;
    let text = format!(
        "WITH RECURSIVE s(n) AS (SELECT 1001 UNION ALL SELECT n + 1 FROM s WHERE n < {}) \
         INSERT INTO accounts (id, username, username_key, email, email_key, password_hash, role, status, is_active, \
         created_at_ms, updated_at_ms) SELECT n, 'many' || n, 'many' || n, n || '@m', n || '@m', 'none', 'user', 'active', TRUE, 1, 1 FROM s; \
         INSERT INTO presence (user_id) SELECT id FROM accounts WHERE id > 1000",
        1_000 + more
    );
    crate::db::on_either!(c, c => c.batch_execute(&text)).unwrap();
    let policy = AdminSight { online: false, last_seen: false, invisible: false };
    let (contacts, blocked) = Default::default();
    let viewer = Viewer { id: UserId(1), admin: false, privacy: Privacy::default(), contacts, blocked, policy };
    let filter = Filter { search: Some(("many".to_owned(), false)), online_status: None, status: None, role: None };
    for sampling in WAYS {
        let query = PageQuery { filter: filter.clone(), sort: Sort::Id, descending: true, after: None, limit: 3 };
        let page = query.load_sampled(c, &viewer, &Corrections::default(), sampling).unwrap();
        assert_eq!((page.kind_total, page.online, page.at_least), (COUNTED, CountedOnline::Found(0), true));
        let ids: Vec<i64> = page.users.iter().map(|user| user.id.0).collect();
        assert_eq!(ids, [1_000 + more, 999 + more, 998 + more], "the page goes on all the same");
    }
}

/// The plan of a page is kept once, whoever asks: nothing of the viewer stands in its text.
fn plans_are_kept_once(c: &mut AnyConnection) {
    let policy = AdminSight { online: false, last_seen: false, invisible: false };
    let corrections = Corrections { online: vec![1], offline: vec![3, 6] };
    let sorts = [Sort::Id, Sort::Username, Sort::LastSeen];
    for (id, limit) in [(1, 101), (2, 101), (3, 101), (4, 78)] {
        let (contacts, blocked) = ([UserId(id + 10), UserId(id + 11)].into(), [UserId(id + 20)].into());
        let viewer = Viewer { id: UserId(id), admin: false, privacy: Privacy::default(), contacts, blocked, policy };
        for sort in sorts {
            let filter =
                Filter { search: None, online_status: Some(OnlineStatus::Offline), status: None, role: None };
            let query = PageQuery { filter, sort, descending: false, after: None, limit };
            query.load(c, &viewer, &corrections).unwrap();
        }
    }
    if !matches!(c, AnyConnection::Postgresql(_)) {
        return;
    }
    let mut statement = Statement::on(c);
    statement.push("SELECT count(*) AS n FROM pg_prepared_statements WHERE statement LIKE '%account_counts%'");
    let kept: Vec<Number> = statement.load(c).unwrap();
    assert_eq!(kept[0].n, sorts.len() as i64);
}

async fn searching(address: Address) {
    let db = Db::new(address, 1).unwrap();
    db.migrate().await.unwrap();
    let c = &mut db.get().unwrap();
    searches_find_what_is_there(c);
    plans_are_kept_once(c);
    counts_are_right(c);
    a_search_is_counted_to_a_bound(c);
}

#[tokio::test]
async fn searches_and_counts_in_sqlite() {
    let folder = std::env::temp_dir().join(format!("lastseen_search_{}", std::process::id()));
    searching(Address::Sqlite(folder.join("lastseen.db"))).await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn searches_and_counts_in_postgresql() {
    let server =
        std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL is not set: run the tests with `make test`");
    let name = format!("lastseen_search_{}", std::process::id());
    let mut connection = PgConnection::establish(&server).unwrap();
    connection.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    searching(Address::Postgres(format!("{base}/{name}"))).await;
    connection.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
}
