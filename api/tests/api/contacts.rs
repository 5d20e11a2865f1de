//! Contacts: the states as each side sees them, what is refused, and who wins where two act at the same moment.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answered, TestApp, User, in_both_forms};
use lastseen_shared::settings::Form;

in_both_forms!(
    asking_accepting_declining_withdrawing_removing,
    whoever_is_blocked_is_not_told,
    an_unblocked_request_can_be_answered,
    what_is_refused,
    two_who_ask_each_other_are_contacts,
    a_block_against_an_acceptance_leaves_no_contact,
    many_steps_at_once_leave_rows_that_belong_together,
    contacts_go_with_the_account,
    there_is_an_end_to_contacts,
);

/// The state in which `user` has `other`, if any.
async fn state(app: &TestApp, user: &User, other: &User) -> Option<String> {
    let list = app.get("/api/contacts/", &user.access).await;
    assert_eq!(list.status, 200, "{list:?}");
    let all = list.body["contacts"].as_array().unwrap();
    let found = all.iter().find(|c| c["user_id"] == other.id)?;
    assert_eq!((&found["id"], &found["presence"]["user_id"]), (&json!(other.id), &json!(other.id)));
    Some(found["state"].as_str().unwrap().to_owned())
}

async fn both(app: &TestApp, one: &User, other: &User) -> (Option<String>, Option<String>) {
    (state(app, one, other).await, state(app, other, one).await)
}

fn states(one: &str, other: &str) -> (Option<String>, Option<String>) {
    let word = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    (word(one), word(other))
}

async fn ask(app: &TestApp, user: &User, other: &User) -> Answered {
    app.post("/api/contacts/", &user.access, &json!({ "user_id": other.id })).await
}

async fn act(app: &TestApp, user: &User, other: &User, what: &str) -> Answered {
    app.post(&format!("/api/contacts/{}/{what}/", other.id), &user.access, &json!({})).await
}

async fn remove(app: &TestApp, user: &User, other: &User) -> Answered {
    app.delete(&format!("/api/contacts/{}/", other.id), &user.access).await
}

async fn asking_accepting_declining_withdrawing_removing(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let asked = ask(&app, &ann, &bob).await;
    assert_eq!(asked.status, 201, "{asked:?}");
    let contact = &asked.body["contact"];
    assert_eq!((&contact["state"], &contact["username"]), (&json!("requested"), &json!("bob")));
    assert_eq!((&contact["notify"], &contact["presence"]["online_status"]), (&Value::Null, &json!("online")));
    assert_eq!(ask(&app, &ann, &bob).await.status, 201, "again, whose first answer was lost");
    assert_eq!(both(&app, &ann, &bob).await, states("requested", "incoming"));
    assert_eq!(act(&app, &ann, &bob, "accept").await.code(), "contact_not_found", "not one's own request");
    assert_eq!(act(&app, &bob, &ann, "decline").await.status, 204);
    assert_eq!(both(&app, &ann, &bob).await, states("", ""));
    ask(&app, &ann, &bob).await;
    assert_eq!(remove(&app, &ann, &bob).await.status, 204, "withdrawn");
    assert_eq!(both(&app, &ann, &bob).await, states("", ""));
    ask(&app, &ann, &bob).await;
    for _ in 0..2 {
        let accepted = act(&app, &bob, &ann, "accept").await;
        assert_eq!((accepted.status.as_u16(), &accepted.body["contact"]["state"]), (200, &json!("accepted")));
    }
    assert_eq!(both(&app, &ann, &bob).await, states("accepted", "accepted"));
    assert_eq!(ask(&app, &ann, &bob).await.code(), "already_contact");
    assert_eq!(remove(&app, &bob, &ann).await.status, 204);
    assert_eq!(both(&app, &ann, &bob).await, states("", ""));
    assert_eq!(remove(&app, &bob, &ann).await.code(), "contact_not_found");
    ask(&app, &ann, &bob).await;
    let crossing = ask(&app, &bob, &ann).await;
    assert_eq!(crossing.body["contact"]["state"], "accepted", "who is asked, and asks, accepts");
    assert_eq!(both(&app, &ann, &bob).await, states("accepted", "accepted"));
}

async fn whoever_is_blocked_is_not_told(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    app.block(&ann, &bob).await;
    let (blocked, free) = (ask(&app, &bob, &ann).await, ask(&app, &bob, &cid).await);
    let told = |answer: &Answered| {
        let mut contact = answer.body["contact"].clone();
        for field in ["id", "user_id", "username", "since", "presence"] {
            contact[field].take();
        }
        (answer.status, contact)
    };
    assert_eq!(told(&blocked), told(&free), "a request like any other");
    assert_eq!(both(&app, &ann, &bob).await, states("blocked", "requested"), "and the other has no row of it");
    assert_eq!(act(&app, &ann, &bob, "accept").await.code(), "contact_not_found");
    assert_eq!(ask(&app, &ann, &bob).await.code(), "user_blocked");
    assert_eq!(remove(&app, &bob, &ann).await.status, 204, "withdrawn");
    assert_eq!(both(&app, &ann, &bob).await, states("blocked", ""), "and still blocked");
    // Whom a block hits, whatever it was, sees a contact that is gone or a request that waits.
    app.befriend(&ann, &cid).await;
    let path = format!("/api/contacts/{}/notify/", cid.id);
    assert_eq!(app.post(&path, &ann.access, &json!({ "when": "always" })).await.body["contact"]["notify"], "always");
    for _ in 0..2 {
        app.block(&ann, &cid).await;
        assert_eq!(both(&app, &ann, &cid).await, states("blocked", ""));
    }
    let list = app.get("/api/contacts/", &ann.access).await;
    assert!(list.body["contacts"].as_array().unwrap().iter().all(|c| c["notify"].is_null()), "{list:?}");
    app.block(&cid, &ann).await;
    assert_eq!(both(&app, &ann, &cid).await, states("blocked", "blocked"));
    assert_eq!(remove(&app, &ann, &cid).await.status, 204);
    assert_eq!(both(&app, &ann, &cid).await, states("", "blocked"), "each unblocks for itself");
}

async fn an_unblocked_request_can_be_answered(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.block(&ann, &bob).await;
    ask(&app, &bob, &ann).await;
    assert_eq!(remove(&app, &ann, &bob).await.status, 204);
    assert_eq!(both(&app, &ann, &bob).await, states("", "requested"), "it was never delivered");
    ask(&app, &bob, &ann).await;
    assert_eq!(both(&app, &ann, &bob).await, states("incoming", "requested"), "but asked again it is");
    assert_eq!(act(&app, &ann, &bob, "accept").await.status, 200);
}

async fn what_is_refused(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let rows = [
        (json!({}), 422, "invalid_field", "user_id"),
        (json!({ "user_id": "x" }), 422, "invalid_field", "user_id"),
        (json!({ "user_id": null }), 422, "invalid_field", "user_id"),
        (json!({ "user_id": 1.5 }), 422, "invalid_field", "user_id"),
        (json!({ "user_id": ann.id }), 422, "invalid_field", "user_id"),
        (json!({ "user_id": bob.id, "note": "hi" }), 422, "invalid_field", "note"),
        (json!({ "user_id": 999 }), 404, "user_not_found", ""),
        (json!({ "user_id": 0 }), 404, "user_not_found", ""),
        (json!({ "user_id": -1 }), 404, "user_not_found", ""),
        (json!({ "user_id": i64::MAX }), 404, "user_not_found", ""),
    ];
    for (body, status, code, field) in rows {
        let answer = app.post("/api/contacts/", &ann.access, &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{body}");
        assert_eq!(answer.body["field"].as_str().unwrap_or_default(), field, "{body}");
    }
    for id in ["0", "-1", "999", "99999999999999999999", "abc", "%00", &ann.id.to_string(), &bob.id.to_string()] {
        for (method, tail) in [(Method::DELETE, ""), (Method::POST, "accept/"), (Method::POST, "decline/")] {
            let request = app.request(method, &format!("/api/contacts/{id}/{tail}")).bearer_auth(&ann.access);
            let answer = app.send(request).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (404, "contact_not_found"), "{id} {tail}");
        }
        let notify = app.post(&format!("/api/contacts/{id}/notify/"), &ann.access, &json!({ "when": "once" })).await;
        assert_eq!((notify.status.as_u16(), notify.code()), (404, "contact_not_found"), "{id}");
    }
    for id in ["0", "999", "abc"] {
        let answer = app.post(&format!("/api/contacts/{id}/block/"), &ann.access, &json!({})).await;
        assert_eq!(answer.code(), "user_not_found", "{id}");
    }
    assert_eq!(act(&app, &ann, &ann, "block").await.code(), "invalid_field", "not oneself");
    ask(&app, &ann, &bob).await;
    let path = format!("/api/contacts/{}/notify/", bob.id);
    let early = app.post(&path, &ann.access, &json!({ "when": "once" })).await;
    assert_eq!(early.code(), "contact_not_found", "not before the other has accepted");
    for bad in [json!({}), json!({ "when": "sometimes" }), json!({ "when": null }), json!({ "when": true })] {
        let answer = app.post(&path, &ann.access, &bad).await;
        assert_eq!((answer.code(), &answer.body["field"]), ("invalid_field", &json!("when")), "{bad}");
    }
}

async fn two_who_ask_each_other_are_contacts(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    for round in 0..8 {
        let (one, other) = join(ask(&app, &ann, &bob), ask(&app, &bob, &ann)).await;
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (201, 201), "{round}: {one:?} {other:?}");
        assert_eq!(both(&app, &ann, &bob).await, states("accepted", "accepted"), "{round}");
        remove(&app, &ann, &bob).await;
    }
}

async fn a_block_against_an_acceptance_leaves_no_contact(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    for round in 0..8 {
        ask(&app, &ann, &bob).await;
        let (accepted, blocked) = join(act(&app, &bob, &ann, "accept"), act(&app, &ann, &bob, "block")).await;
        assert_eq!(blocked.status, 200, "{round}: {blocked:?}");
        assert!([200, 404].contains(&accepted.status.as_u16()), "{round}: {accepted:?}");
        assert_eq!(both(&app, &ann, &bob).await, states("blocked", ""), "{round}: {accepted:?}");
        remove(&app, &ann, &bob).await;
    }
}

async fn many_steps_at_once_leave_rows_that_belong_together(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let possible = [
        ("", ""),
        ("requested", "incoming"),
        ("accepted", "accepted"),
        ("blocked", ""),
        ("blocked", "blocked"),
        ("blocked", "requested"),
        ("requested", ""),
    ];
    let steps = ["ask", "accept", "decline", "block", "remove"];
    for round in 0..10_usize {
        let takes = (0..10_usize).map(|n| {
            let (user, other) = if (n + round).is_multiple_of(2) { (&ann, &bob) } else { (&bob, &ann) };
            let (app, step) = (&app, steps[(n * 7 + round * 3) % steps.len()]);
            async move {
                match step {
                    "ask" => ask(app, user, other).await,
                    "remove" => remove(app, user, other).await,
                    what => act(app, user, other, what).await,
                }
            }
        });
        for answer in join_all(takes).await {
            assert!(answer.status.as_u16() < 500, "{answer:?}");
        }
        let (one, other) = both(&app, &ann, &bob).await;
        let is = |a: &str, b: &str| (one.clone(), other.clone()) == states(a, b);
        assert!(possible.iter().any(|(a, b)| is(a, b) || is(b, a)), "{round}: {one:?} {other:?}");
    }
}

async fn contacts_go_with_the_account(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.befriend(&ann, &bob).await;
    assert_eq!(app.delete("/api/users/me/", &bob.access).await.status, 204);
    assert_eq!(state(&app, &ann, &bob).await, None);
}

/// As many rows of `state` as a user may have, about users who are there for nothing else.
async fn fill(app: &TestApp, user: i64, state: &'static str) {
    use diesel::connection::SimpleConnection;
    let account = "username, username_key, email, email_key, password_hash, role, status, is_active, created_at_ms, updated_at_ms";
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
         INSERT INTO accounts ({account}) \
         SELECT '{state}' || i, '{state}' || i, '{state}' || i, '{state}' || i, '', 'user', 'active', TRUE, 1, 1 FROM n; \
         INSERT INTO presence (user_id) SELECT id FROM accounts WHERE username LIKE '{state}%'; \
         INSERT INTO contacts (user_id, other_id, state, since_ms) \
         SELECT {user}, id, '{state}', 1 FROM accounts WHERE username LIKE '{state}%';"
    );
    let write = move |c: &mut lastseen_shared::db::AnyConnection| {
        c.batch_execute(&rows).map_err(lastseen_shared::db::DbError::from)
    };
    app.service.db.run(write).await.unwrap();
}

async fn there_is_an_end_to_contacts(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    ask(&app, &bob, &ann).await;
    fill(&app, ann.id, "requested").await;
    for answer in [
        ask(&app, &ann, &cid).await,
        ask(&app, &ann, &bob).await,
        act(&app, &ann, &bob, "accept").await,
        act(&app, &ann, &cid, "block").await,
    ] {
        assert_eq!((answer.status.as_u16(), answer.code()), (409, "too_many_contacts"));
    }
    assert_eq!(both(&app, &ann, &bob).await, states("incoming", "requested"), "nothing has changed");
    let list = app.get("/api/contacts/", &ann.access).await;
    assert_eq!(list.body["contacts"].as_array().unwrap().len(), 5_001);
    assert_eq!(app.get("/api/users/all-users/", &ann.access).await.body["online"], 3);
    // Nobody can keep another from its contacts by asking: what others ask is counted apart, and past that not delivered.
    fill(&app, cid.id, "incoming").await;
    assert_eq!(ask(&app, &bob, &cid).await.body["contact"]["state"], "requested");
    assert_eq!(both(&app, &bob, &cid).await, states("requested", ""));
    assert_eq!(ask(&app, &cid, &bob).await.body["contact"]["state"], "accepted", "who asks it is heard all the same");
}
