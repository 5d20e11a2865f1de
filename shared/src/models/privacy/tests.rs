//! The conditions against the rule, on both databases: every relation, every setting of both sides, every role and policy.

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

use super::*;
use crate::account::{Email, Username};
use crate::db::{Address, Db};
use crate::models::contact::{ContactState, Pair};
use crate::models::{Account, AccountChanges, NewAccount};
use crate::privacy::AdminSight;

/// What the viewer has of a subject, and the subject of the viewer.
const MEETINGS: [(Option<ContactState>, Option<ContactState>); 6] = [
    (None, None),
    (Some(ContactState::Accepted), Some(ContactState::Accepted)),
    (Some(ContactState::Blocked), None),
    (None, Some(ContactState::Blocked)),
    (Some(ContactState::Requested), Some(ContactState::Incoming)),
    (Some(ContactState::Incoming), Some(ContactState::Requested)),
];

fn account(c: &mut AnyConnection, name: &str, privacy: Privacy) -> UserId {
    let new = NewAccount {
        username: Username::parse(name).unwrap(),
        email: Email::parse(&format!("{name}@example.org")).unwrap(),
        password_hash: "none".to_owned(),
        role: crate::account::Role::User,
        standing: Standing::ACTIVE,
    };
    let id = Account::insert(c, &new).unwrap().id;
    set_privacy(c, id, privacy);
    id
}

fn set_privacy(c: &mut AnyConnection, user: UserId, privacy: Privacy) {
    let changes = AccountChanges { privacy: Some(privacy), ..AccountChanges::default() };
    Account::change(c, user, &changes).unwrap();
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// A viewer's conditions in a row: online, last seen, then each branch of those of whom it may not see the one, and of those of
/// whom it may not see the other.
fn all_of(conditions: &Conditions) -> Vec<&String> {
    let Conditions { online, last_seen, no_online, no_last_seen } = conditions;
    [online, last_seen].into_iter().chain(no_online).chain(no_last_seen).collect()
}

/// Whom each of them selects.
fn selected(c: &mut AnyConnection, viewer: &Viewer) -> Vec<BTreeSet<UserId>> {
    let all = all_of(&Conditions::of(viewer, &mut Statement::on(c))).len();
    (0..all)
        .map(|place| {
            let mut statement = Statement::on(c);
            let conditions = Conditions::of(viewer, &mut statement);
            let (online, last_seen) = (&conditions.online, &conditions.last_seen);
            // Used somewhere, as in a page: PostgreSQL does not guess the type of a value that is used nowhere.
            let unused = format!("({online} OR {last_seen} OR NOT {last_seen})");
            let condition = all_of(&conditions)[place];
            statement.push(&format!("SELECT a.id FROM accounts a WHERE {condition} AND {unused}"));
            let rows: Vec<Id> = statement.load(c).unwrap();
            rows.into_iter().map(|row| UserId(row.id)).collect()
        })
        .collect()
}

/// Holds the conditions of one viewer against the rule.
fn check(c: &mut AnyConnection, viewer: &Viewer, everybody: &HashMap<UserId, Privacy>) {
    let found = selected(c, viewer);
    let branches = Conditions::of(viewer, &mut Statement::on(c)).no_online.len();
    let expected = |part: fn(&Viewer, UserId, Privacy) -> bool| -> BTreeSet<UserId> {
        everybody.iter().filter(|(id, privacy)| part(viewer, **id, **privacy)).map(|(id, _)| *id).collect()
    };
    let online = expected(|viewer, id, privacy| viewer.sight(id, privacy).online);
    let last_seen = expected(|viewer, id, privacy| viewer.sight(id, privacy).last_seen);
    assert_eq!(found[0], online, "online: {viewer:?}");
    assert_eq!(found[1], last_seen, "last seen: {viewer:?}");
    let (no_online, no_last_seen) = found[2..].split_at(branches);
    for (hidden, seen) in [(no_online, &online), (no_last_seen, &last_seen)] {
        let hidden: Vec<UserId> = hidden.iter().flatten().copied().collect();
        let distinct: BTreeSet<UserId> = hidden.iter().copied().collect();
        assert_eq!(distinct.len(), hidden.len(), "each in one branch: {viewer:?}");
        let not_seen = everybody.keys().copied().filter(|id| !seen.contains(id)).collect();
        assert_eq!(distinct, not_seen, "the hidden: {viewer:?}");
    }
}

async fn conditions_say_what_the_rule_says(address: Address) {
    let db = Db::new(address, 1).unwrap();
    db.migrate().await.unwrap();
    let c = &mut db.get().unwrap();
    let ann = account(c, "ann", Privacy::default());
    let mut everybody = HashMap::new();
    for (place, met) in MEETINGS.into_iter().enumerate() {
        for (n, privacy) in Privacy::all().enumerate() {
            let subject = account(c, &format!("s{place}.{n}"), privacy);
            Pair::lock(c, ann, subject).unwrap().write(c, (None, None), met, Timestamp::now()).unwrap();
            everybody.insert(subject, privacy);
        }
    }
    for own in Privacy::all() {
        set_privacy(c, ann, own);
        everybody.insert(ann, own);
        let Relations { privacy, contacts, blocked } = Relations::load(c, ann).unwrap().unwrap();
        assert_eq!((privacy, contacts.len(), blocked.len()), (own, 9, 18));
        for n in 0..16_u8 {
            let policy = AdminSight { online: n & 1 > 0, last_seen: n & 2 > 0, invisible: n & 4 > 0 };
            // With and without contacts, with and without blocks.
            for with in 0..4_u8 {
                let contacts = if with & 1 > 0 { contacts.clone() } else { HashSet::new() };
                let blocked = if with & 2 > 0 { blocked.clone() } else { HashSet::new() };
                let viewer = Viewer { id: ann, admin: n & 8 > 0, privacy, contacts, blocked, policy };
                check(c, &viewer, &everybody);
            }
        }
    }
}

#[tokio::test]
async fn conditions_say_what_the_rule_says_in_sqlite() {
    let folder = std::env::temp_dir().join(format!("lastseen_conditions_{}", std::process::id()));
    conditions_say_what_the_rule_says(Address::Sqlite(folder.join("lastseen.db"))).await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn conditions_say_what_the_rule_says_in_postgresql() {
    let server =
        std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL is not set: run the tests with `make test`");
    let name = format!("lastseen_conditions_{}", std::process::id());
    let mut connection = PgConnection::establish(&server).unwrap();
    connection.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    conditions_say_what_the_rule_says(Address::Postgres(format!("{base}/{name}"))).await;
    connection.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
}
