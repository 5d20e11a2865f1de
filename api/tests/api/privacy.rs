//! What privacy means over HTTP: both ways, at once, for filters and changes as for single users.

use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp, User, in_both_forms};
use lastseen_shared::settings::Form;

in_both_forms!(
    what_one_hides_one_does_not_see,
    contacts_see_what_strangers_do_not,
    a_block_hides_both_at_once,
    changes_tell_what_comes_into_sight_and_what_leaves_it,
    ones_own_privacy_makes_ones_cursor_old,
    an_operator_may_let_admins_see,
    a_page_of_somebody_who_hides_does_not_tell_when,
);

async fn see(app: &TestApp, viewer: &User, user: &User) -> (bool, bool) {
    let seen = app.get(&format!("/api/users/{}/", user.id), &viewer.access).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    (seen.body["user"]["online_status"] == "online", !seen.body["user"]["last_seen"].is_null())
}

async fn set(app: &TestApp, user: &User, online: &str, last_seen: &str) {
    let body = json!({ "online_visibility": online, "last_seen_visibility": last_seen });
    let set = app.patch_me(&user.access, &body).await;
    assert_eq!(set.status, 200, "{set:?}");
}

async fn what_one_hides_one_does_not_see(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob, admin) = (app.user("ann").await, app.user("bob").await, app.admin().await);
    for (online, last_seen, sees) in [
        ("everyone", "everyone", (true, true)),
        ("everyone", "nobody", (true, false)),
        ("nobody", "everyone", (false, false)),
        ("contacts", "contacts", (false, false)),
    ] {
        set(&app, &ann, online, last_seen).await;
        assert_eq!(see(&app, &bob, &ann).await, sees, "{online} {last_seen}");
        assert_eq!(see(&app, &ann, &bob).await, sees, "the same the other way round: {online} {last_seen}");
        assert_eq!(see(&app, &admin, &ann).await, sees, "an admin is like everybody: {online} {last_seen}");
        assert_eq!(see(&app, &ann, &ann).await, (true, true), "{online} {last_seen}");
    }
}

async fn contacts_see_what_strangers_do_not(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    set(&app, &ann, "contacts", "contacts").await;
    let asked = app.post("/api/contacts/", &ann.access, &json!({ "user_id": bob.id })).await;
    assert_eq!(asked.body["contact"]["presence"]["online_status"], "offline", "a request is not enough: {asked:?}");
    app.post("/api/contacts/", &bob.access, &json!({ "user_id": ann.id })).await;
    assert_eq!((see(&app, &bob, &ann).await, see(&app, &ann, &bob).await), ((true, true), (true, true)));
    assert_eq!((see(&app, &cid, &ann).await, see(&app, &ann, &cid).await), ((false, false), (false, false)));
    let list = app.get("/api/users/all-users/", &ann.access).await;
    assert_eq!(list.body["online"], 2, "herself and bob: {list:?}");
    let list = app.get("/api/users/all-users/", &cid.access).await;
    assert_eq!(list.body["online"], 2, "himself and bob: {list:?}");
    app.delete(&format!("/api/contacts/{}/", bob.id), &ann.access).await;
    assert_eq!((see(&app, &bob, &ann).await, see(&app, &ann, &bob).await), ((false, false), (false, false)));
}

async fn a_block_hides_both_at_once(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.befriend(&ann, &bob).await;
    app.block(&ann, &bob).await;
    assert_eq!((see(&app, &bob, &ann).await, see(&app, &ann, &bob).await), ((false, false), (false, false)));
    let seen = app.get(&format!("/api/users/{}/", ann.id), &bob.access).await;
    assert_eq!((&seen.body["user"]["reason"], &seen.body["user"]["status"]), (&Value::Null, &json!("active")));
    app.delete(&format!("/api/contacts/{}/", bob.id), &ann.access).await;
    assert_eq!((see(&app, &bob, &ann).await, see(&app, &ann, &bob).await), ((true, true), (true, true)));
}

struct Watch {
    cursor: String,
}

impl Watch {
    async fn begin(app: &TestApp, user: &User) -> Self {
        let answer = app.get("/api/users/presence/changes/", &user.access).await;
        Self { cursor: answer.body["next_cursor"].as_str().unwrap().to_owned() }
    }

    /// What is told since the last time: who, whether online, with which text.
    async fn told(&mut self, app: &TestApp, user: &User) -> Vec<(i64, bool, Option<String>)> {
        let answer = app.get(&format!("/api/users/presence/changes/?since={}", self.cursor), &user.access).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.cursor = answer.body["next_cursor"].as_str().unwrap().to_owned();
        let transitions = answer.body["transitions"].as_array().unwrap();
        let presence = |t: &Value| {
            let p = &t["presence"];
            let text = p["text"].as_str().map(str::to_owned);
            (p["user_id"].as_i64().unwrap(), p["online_status"] == "online", text)
        };
        transitions.iter().map(presence).collect()
    }
}

async fn changes_tell_what_comes_into_sight_and_what_leaves_it(form: Form) {
    let app = TestApp::start(form).await;
    let (ann, bob, cid) = (app.user("ann").await, app.user("bob").await, app.user("cid").await);
    let (mut of_bob, mut of_cid) = (Watch::begin(&app, &bob).await, Watch::begin(&app, &cid).await);
    let say = async |text: &str| drop(app.patch_me(&ann.access, &json!({ "text": text })).await);
    let words = |text: &str| vec![(ann.id, true, Some(text.to_owned()))];
    let gone = || vec![(ann.id, false, None)];
    say("one").await;
    assert_eq!((of_bob.told(&app, &bob).await, of_cid.told(&app, &cid).await), (words("one"), words("one")));
    set(&app, &ann, "contacts", "everyone").await;
    say("two").await;
    assert_eq!((of_bob.told(&app, &bob).await, of_cid.told(&app, &cid).await), (gone(), gone()), "and no words");
    app.befriend(&ann, &bob).await;
    say("three").await;
    assert_eq!(of_cid.told(&app, &cid).await, vec![], "nothing of what others are to each other");
    let told = of_bob.told(&app, &bob).await;
    assert_eq!(told.last(), words("three").last(), "{told:?}");
    assert!(told.iter().all(|(user, online, _)| *user == ann.id && *online), "as it is now: {told:?}");
    set(&app, &ann, "everyone", "everyone").await;
    assert_eq!(of_cid.told(&app, &cid).await, words("three"));
    assert_eq!(of_bob.told(&app, &bob).await, vec![], "who saw it before is told nothing");
    app.block(&ann, &cid).await;
    say("four").await;
    assert_eq!(of_cid.told(&app, &cid).await, gone());
    app.delete(&format!("/api/contacts/{}/", cid.id), &ann.access).await;
    assert_eq!(of_cid.told(&app, &cid).await, words("four"));
    app.patch_me(&ann.access, &json!({ "availability": "invisible" })).await;
    let (mut of_ann, phone) = (Watch::begin(&app, &ann).await, app.log_in("ann", PASSWORD).await);
    app.post("/api/users/logout/", &phone.access, &json!({})).await;
    assert_eq!(of_cid.told(&app, &cid).await, gone(), "one who goes, and nothing of what it does then");
    assert_eq!(of_ann.told(&app, &ann).await, vec![]);
    app.patch_me(&ann.access, &json!({ "availability": "available" })).await;
    assert_eq!(of_cid.told(&app, &cid).await, words("four"));
    set(&app, &ann, "nobody", "nobody").await;
    assert_eq!((of_bob.told(&app, &bob).await.pop(), of_cid.told(&app, &cid).await), (gone().pop(), gone()));
    app.delete("/api/users/me/", &ann.access).await;
    assert_eq!(of_cid.told(&app, &cid).await, gone(), "that an account is gone is no secret");
}

async fn ones_own_privacy_makes_ones_cursor_old(form: Form) {
    let app = TestApp::start(form).await;
    let ann = app.user("ann").await;
    let mut of_ann = Watch::begin(&app, &ann).await;
    app.patch_me(&ann.access, &json!({ "text": "still here" })).await;
    assert_eq!(of_ann.told(&app, &ann).await, [(ann.id, true, Some("still here".to_owned()))]);
    set(&app, &ann, "nobody", "everyone").await;
    let old = app.get(&format!("/api/users/presence/changes/?since={}", of_ann.cursor), &ann.access).await;
    assert_eq!((old.status.as_u16(), old.code()), (410, "cursor_expired"), "everybody may look different now");
    let mut anew = Watch::begin(&app, &ann).await;
    assert_eq!(anew.told(&app, &ann).await, vec![]);
}

async fn an_operator_may_let_admins_see(form: Form) {
    let app = TestApp::with(form, &[("LASTSEEN_HIDDEN_FROM_ADMINS", "none")]).await;
    let (ann, bob, admin) = (app.user("ann").await, app.user("bob").await, app.admin().await);
    let mut of_admin = Watch::begin(&app, &admin).await;
    set(&app, &ann, "nobody", "nobody").await;
    app.block(&ann, &admin).await;
    assert_eq!((see(&app, &admin, &ann).await, see(&app, &bob, &ann).await), ((true, true), (false, false)));
    let path = format!("/api/users/{}/history/", ann.id);
    assert_eq!(app.get(&path, &admin.access).await.status, 200);
    app.patch_me(&ann.access, &json!({ "availability": "invisible", "text": "shh" })).await;
    let seen = app.get(&format!("/api/users/{}/", ann.id), &admin.access).await.body["user"].clone();
    assert_eq!((&seen["online_status"], &seen["availability"]), (&json!("online"), &json!("invisible")));
    let told = of_admin.told(&app, &admin).await;
    assert_eq!(told.last(), Some(&(ann.id, true, Some("shh".to_owned()))), "{told:?}");
    let devices = app.get(&format!("/api/users/{}/sessions/", ann.id), &admin.access).await;
    assert_eq!(devices.body["sessions"][0]["online"], true);
    // What an admin hides it does not see of others, but for what the operator lets it see.
    set(&app, &admin, "nobody", "nobody").await;
    assert_eq!(see(&app, &admin, &bob).await, (true, true));
    assert_eq!(see(&app, &bob, &admin).await, (false, false));
}

async fn a_page_of_somebody_who_hides_does_not_tell_when(form: Form) {
    use base64::Engine as _;
    let app = TestApp::start(form).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.user("cid").await;
    app.post("/api/users/logout/", &ann.access, &json!({})).await;
    app.project().await;
    let ann = app.log_in("ann", PASSWORD).await;
    set(&app, &ann, "everyone", "nobody").await;
    app.project().await;
    let page = app.get("/api/users/all-users/?order=last_seen&limit=2", &bob.access).await;
    let users = page.body["users"].as_array().unwrap();
    assert_eq!(users[1]["username"], "ann", "after the admin, who was never seen: {page:?}");
    assert_eq!((&users[1]["online_status"], &users[1]["last_seen"]), (&json!("online"), &Value::Null));
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor).unwrap();
    let cursor: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&cursor["i"], &cursor["l"]), (&json!(ann.id), &json!(0)), "nor does the cursor");
}
