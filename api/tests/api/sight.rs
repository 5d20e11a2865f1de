//! What pages say of who is online and who was last seen, held against the rule: for every relation, every setting of both,
//! and the operator's policies.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::app::{TestApp, User, in_both_forms};
use lastseen_shared::account::{Email, Role, Standing, Username};
use lastseen_shared::db::{AnyConnection, DbError};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::models::contact::{ContactState, Pair};
use lastseen_shared::models::{Account, AccountChanges, NewAccount};
use lastseen_shared::presence::availability::{Availability, Choice, Privacy, Shown, Visibility};
use lastseen_shared::presence::engine::Connect;
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::privacy::Viewer;
use lastseen_shared::settings::Form;
use lastseen_shared::timestamp::Timestamp;

in_both_forms!(pages_count_filter_and_order_what_is_to_be_seen,);

/// How a subject is met: what its rows and the viewer's are, the viewer's first.
const MEETINGS: [(Option<ContactState>, Option<ContactState>); 6] = [
    (None, None),
    (Some(ContactState::Accepted), Some(ContactState::Accepted)),
    (Some(ContactState::Blocked), None),
    (None, Some(ContactState::Blocked)),
    (Some(ContactState::Requested), Some(ContactState::Incoming)),
    (Some(ContactState::Incoming), Some(ContactState::Requested)),
];

/// What a subject does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    NeverSeen,
    Online,
    Invisible,
    LoggedOut,
}

#[derive(Clone, Copy, Debug)]
struct Subject {
    id: UserId,
    privacy: Privacy,
    life: Life,
}

/// Makes an account of each kind beside a viewer.
async fn populate(app: &TestApp, viewer: i64, lives: &'static [Life]) -> Vec<Subject> {
    let make = move |c: &mut AnyConnection| {
        let mut made = Vec::new();
        for (place, met) in MEETINGS.into_iter().enumerate() {
            for privacy in Privacy::all() {
                for life in lives {
                    let name =
                        format!("s{place}.{}.{}.{life:?}", privacy.online.as_str(), privacy.last_seen.as_str());
                    let new = NewAccount {
                        username: Username::parse(&name).map_err(DbError::Content)?,
                        email: Email::parse(&format!("{name}@example.org")).map_err(DbError::Content)?,
                        password_hash: "none".to_owned(),
                        role: if place == 4 { Role::Admin } else { Role::User },
                        standing: Standing::ACTIVE,
                    };
                    let content = |error| DbError::Content(format!("{error}"));
                    let id = Account::insert(c, &new).map_err(content)?.id;
                    let choice = choice(*life);
                    let changes =
                        AccountChanges { privacy: Some(privacy), choice: Some(choice), ..AccountChanges::default() };
                    Account::change(c, id, &changes).map_err(content)?;
                    let pair = Pair::lock(c, UserId(viewer), id)?;
                    pair.write(c, (None, None), met, Timestamp::now())?;
                    made.push(Subject { id, privacy, life: *life });
                }
            }
        }
        Ok::<_, DbError>(made)
    };
    app.service.db.run(make).await.unwrap()
}

fn choice(life: Life) -> Choice {
    let availability = if life == Life::Invisible { Availability::Invisible } else { Availability::Available };
    Choice { shown: Shown { availability, words: None }, until: None }
}

/// Brings those online who are to be, half of them before the database hears of it.
async fn live(app: &TestApp, subjects: &[Subject]) {
    for (place, subject) in subjects.iter().enumerate() {
        if place == subjects.len() / 2 {
            app.project().await;
        }
        if subject.life == Life::NeverSeen {
            continue;
        }
        let (user, session) = (subject.id, SessionId(1_000_000 + subject.id.0));
        let profile = lastseen_shared::presence::availability::Profile {
            choice: choice(subject.life),
            privacy: subject.privacy,
        };
        let connect = Connect {
            user,
            session,
            timeout: Duration::from_secs(600),
            profile,
            reason: Reason::Login,
            read_at: app.service.engine.now(user).await.unwrap(),
        };
        app.service.engine.connect(connect).await.unwrap();
        if subject.life == Life::LoggedOut {
            app.service.engine.disconnect(user, session, Reason::Logout).await.unwrap();
        }
    }
}

fn ids(users: &Value) -> Vec<i64> {
    users.as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect()
}

/// All pages of a query, one after the other.
async fn pages(app: &TestApp, access: &str, query: &str) -> (Vec<Value>, u64, u64) {
    let (mut users, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/api/users/all-users/?limit=100{query}{cursor}"), access).await;
        assert_eq!(page.status, 200, "{query}: {page:?}");
        users.extend(page.body["users"].as_array().unwrap().iter().cloned());
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (users, page.body["total"].as_u64().unwrap(), page.body["online"].as_u64().unwrap()),
        }
    }
}

/// Holds all that pages tell a viewer of who is online against the rule.
async fn check(app: &TestApp, user: &User, viewer: &Viewer, subjects: &[Subject], others: &[i64], what: &str) {
    let is_online = |subject: &&Subject| {
        let seen = match subject.life {
            Life::NeverSeen | Life::LoggedOut => false,
            Life::Online => true,
            Life::Invisible => viewer.sees_behind_invisible(subject.id),
        };
        seen && viewer.sight(subject.id, subject.privacy).online
    };
    // The others have nothing but defaults, are nobody's contacts, and online; the viewer sees itself.
    let strangers = others.iter().copied().filter(|id| viewer.sight(UserId(*id), Privacy::default()).online);
    let expected: BTreeSet<i64> =
        subjects.iter().filter(is_online).map(|subject| subject.id.0).chain(strangers).collect();
    let access = &user.access;
    let (all, total, online) = pages(app, access, "").await;
    assert_eq!(total, (subjects.len() + others.len()) as u64, "{what}");
    let shown: BTreeSet<i64> =
        all.iter().filter(|u| u["online_status"] == "online").map(|u| u["id"].as_i64().unwrap()).collect();
    assert_eq!(shown, expected, "{what}");
    assert_eq!(online, expected.len() as u64, "{what}");
    for (query, only_admins) in [("", false), ("&search=S", false), ("&role=admin", true), ("&role=user", false)] {
        let (kind, total, online) = pages(app, access, query).await;
        let of_kind: BTreeSet<i64> = ids(&Value::Array(kind)).into_iter().collect();
        let in_kind: BTreeSet<i64> = expected.intersection(&of_kind).copied().collect();
        assert_eq!((total, online), (of_kind.len() as u64, in_kind.len() as u64), "{what} {query} {only_admins}");
        let (found, total, online) = pages(app, access, &format!("{query}&online_status=online")).await;
        assert_eq!(ids(&Value::Array(found)).into_iter().collect::<BTreeSet<_>>(), in_kind, "{what} {query}");
        assert_eq!((total, online), (in_kind.len() as u64, in_kind.len() as u64), "{what} {query}");
        let (found, total, online) = pages(app, access, &format!("{query}&online_status=offline")).await;
        let out: BTreeSet<i64> = of_kind.difference(&in_kind).copied().collect();
        assert_eq!(ids(&Value::Array(found)).into_iter().collect::<BTreeSet<_>>(), out, "{what} {query}");
        assert_eq!((total, online), (out.len() as u64, 0), "{what} {query}");
    }
    let hidden = |user: &Value| user["last_seen"].is_null();
    for (status, order) in
        [("", "last_seen"), ("&online_status=offline", "last_seen"), ("&online_status=online", "last_seen")]
    {
        let (up, ..) = pages(app, access, &format!("{status}&order={order}")).await;
        let (mut down, ..) = pages(app, access, &format!("{status}&order=-{order}")).await;
        down.reverse();
        assert_eq!(ids(&Value::Array(up.clone())), ids(&Value::Array(down)), "{what} {status}");
        // Who is hidden comes first, as who was never seen does, by id: the order does not tell the two apart.
        let first: Vec<i64> = up.iter().filter(|u| hidden(u)).map(|u| u["id"].as_i64().unwrap()).collect();
        assert!(first.is_sorted(), "{what} {status}: {first:?}");
        // Whose coming is not in the database yet may stand among them: it was never seen, as far as that goes.
        let last_hidden = up.iter().rposition(hidden).map_or(0, |place| place + 1);
        let early = up[..last_hidden].iter().map(|u| u["id"].as_i64().unwrap()).collect::<Vec<_>>();
        assert!(early.is_sorted(), "{what} {status}: {early:?}");
    }
}

async fn pages_count_filter_and_order_what_is_to_be_seen(form: Form) {
    for hidden_from_admins in ["online,last_seen,invisible", "invisible", "none"] {
        let app = TestApp::with(form, &[("LASTSEEN_HIDDEN_FROM_ADMINS", hidden_from_admins)]).await;
        let (admin, ann) = (app.admin().await, app.user("ann").await);
        let is_default = hidden_from_admins == "online,last_seen,invisible";
        // Under the usual policy an admin is like everybody else.
        let (user, role) = if is_default { (&ann, Role::User) } else { (&admin, Role::Admin) };
        let subjects =
            populate(&app, user.id, &[Life::NeverSeen, Life::Online, Life::Invisible, Life::LoggedOut]).await;
        live(&app, &subjects).await;
        let settings: Vec<Privacy> = if is_default {
            Privacy::all().collect()
        } else {
            vec![Privacy::default(), Privacy { online: Visibility::Nobody, last_seen: Visibility::Nobody }]
        };
        for own in settings {
            let set = serde_json::json!({ "online_visibility": own.online.as_str(),
                                          "last_seen_visibility": own.last_seen.as_str() });
            assert_eq!(app.patch_me(&user.access, &set).await.status, 200);
            let viewer = app.service.viewer(app.service.asker(UserId(user.id), role)).await.unwrap();
            assert_eq!(viewer.privacy, own);
            check(&app, user, &viewer, &subjects, &[admin.id, ann.id], &format!("{hidden_from_admins} {own:?}"))
                .await;
            if role == Role::Admin {
                let now = app.get("/api/stats/now/", &user.access).await;
                let (_, _, online) = pages(&app, &user.access, "").await;
                let by: u64 =
                    now.body["by_availability"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
                assert_eq!((now.body["online"].as_u64(), by), (Some(online), online), "{now:?}");
                let invisible = now.body["by_availability"].get("invisible");
                assert_eq!(invisible.is_some(), viewer.overrules().invisible, "{now:?}");
            }
        }
    }
}
