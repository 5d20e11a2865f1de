//! What an account's status means for presence, at once.

use std::time::Duration;

use crate::client::{PASSWORD, User};
use crate::harness::{Form, PATIENT, Setup, System};
use crate::sight::{Heart, all_offline, assert_online, sights};
use crate::time::{eventually, now};

pub async fn a_barred_user_is_offline_at_once_and_can_come_back(form: Form) {
    let system = System::patient(form).await;
    let admin = system.admin().await;
    let mut ann = system.user("ann").await;
    let bars = [
        ("suspend", "account_suspended", "suspended"),
        ("ban", "account_banned", "banned"),
        ("deactivate", "account_inactive", "deactivated"),
    ];
    // One after the other on the same account: each has to forget the one before.
    for (action, code, reason) in bars {
        assert_online(&admin, &ann).await;
        let last = ann.beat().await;
        let answer = admin.act(ann.user, action).await;
        assert_eq!(answer.body["user"]["online_status"], "offline", "{answer:?}");
        answer.done();
        ann.heartbeat().await.refused(403, code);
        all_offline(&sights(&admin, ann.user).await, last.last_seen.0, reason);
        ann.get("/api/users/me/").await.refused(403, code);
        system.client.try_refresh(&ann.refresh).await.refused(403, code);
        system.client.try_log_in("ann", PASSWORD).await.refused(403, code);
        system.client.try_log_in("ann", "not the password").await.refused(401, "invalid_credentials");
        all_offline(&sights(&admin, ann.user).await, last.last_seen.0, reason);

        let answer = admin.act(ann.user, "activate").await;
        assert_eq!(
            (&answer.body["user"]["status"], &answer.body["user"]["is_active"]),
            (&"active".into(), &true.into())
        );
        ann.heartbeat().await.refused(401, "session_ended");
        system.client.try_refresh(&ann.refresh).await.refused(401, "session_ended");
        ann = system.client.log_in("ann").await;
        assert_online(&admin, &ann).await;
    }
    let history = eventually(Duration::from_secs(20), async || {
        let mut history = system.database.history(ann.user);
        history.retain(|one| one.ended_at_ms.is_some() && one.end_reason.as_deref() != Some("timeout"));
        if history.len() >= 3 { Ok(history) } else { Err(format!("{history:?}")) }
    })
    .await;
    let reasons: Vec<_> = history.iter().map(|one| one.end_reason.as_deref().unwrap_or("none")).collect();
    assert_eq!(reasons, ["suspended", "banned", "deactivated"]);
}

pub async fn no_heartbeat_gets_past_a_suspension(form: Form) {
    let system = System::patient(form).await;
    let (admin, ann) = (system.admin().await, system.user("ann").await);
    let second = system.client.log_in("ann").await;
    let hearts: Vec<Heart> =
        [&ann, &ann, &second, &second].map(|session| Heart::of(session, Duration::from_millis(5))).into();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let suspended = admin.act(ann.user, "suspend").await;
    let since = suspended.answered;
    suspended.done();
    let mut seen = Vec::new();
    while now() < since + 1_000 {
        seen.extend(sights(&admin, ann.user).await);
    }
    assert!(seen.iter().all(|sight| !sight.online), "{seen:#?}");
    let mut after = 0;
    for heart in hearts {
        for answer in heart.stop().await {
            if answer.asked > since {
                answer.refused(403, "account_suspended");
                after += 1;
            } else {
                assert!(matches!(answer.status, 200 | 403 | 503), "{answer:?}");
            }
        }
    }
    assert!(after > 10, "{after}");
    admin.act(ann.user, "activate").await.done();
    let back = system.client.log_in("ann").await;
    assert_online(&admin, &back).await;
    ann.heartbeat().await.refused(401, "session_ended");
}

pub async fn a_deleted_user_is_gone(form: Form) {
    let system = System::patient(form).await;
    let (admin, ann) = (system.admin().await, system.user("ann").await);
    let bob = system.user("bob").await;
    admin.delete(ann.user).await.done();
    ann.heartbeat().await.refused(401, "session_ended");
    system.client.try_refresh(&ann.refresh).await.refused(401, "session_ended");
    system.client.try_log_in("ann", PASSWORD).await.refused(401, "invalid_credentials");
    admin.show(ann.user).await.refused(404, "user_not_found");
    let left = admin.all_users().await;
    assert!(left.total == 2 && left.users.iter().all(|user| user.id != ann.user), "{left:?}");
    let presences = admin.presences(&[ann.user, bob.user]).await;
    assert_eq!(presences.iter().map(|one| one.user_id).collect::<Vec<_>>(), [bob.user]);
    // Its name is free again, for somebody else.
    let other = system.client.register("ann").await;
    assert_ne!(other.id, ann.user);
    assert_eq!(other.last_seen, None);
}

pub async fn approval_comes_before_the_first_log_in(form: Form) {
    let system = Setup::new(form).with(PATIENT).with(("LASTSEEN_REGISTRATION", "approval")).start().await;
    let admin = system.admin().await;
    let ann: User = system.client.register("ann").await;
    assert_eq!((ann.status.as_str(), ann.online_status.as_str()), ("pending", "offline"));
    system.client.try_log_in("ann", PASSWORD).await.refused(403, "account_pending");
    system.client.try_log_in("ann", "not the password").await.refused(401, "invalid_credentials");
    let listed = admin.all_users().await.users.into_iter().find(|user| user.id == ann.id).unwrap();
    assert_eq!((listed.status.as_str(), listed.online_status.as_str()), ("pending", "offline"));
    admin.act(ann.id, "activate").await.done();
    let session = system.client.log_in("ann").await;
    assert_online(&admin, &session).await;
}

pub async fn registration_can_be_closed(form: Form) {
    let system = Setup::new(form).with(PATIENT).with(("LASTSEEN_REGISTRATION", "closed")).start().await;
    system.client.try_register("ann").await.refused(403, "registration_closed");
    let admin = system.admin().await;
    assert_eq!(admin.all_users().await.total, 1);
    let body = serde_json::json!({ "username": "bob", "email": "bob@example.org", "password": PASSWORD });
    let made = admin.send(reqwest::Method::POST, "/api/users/", Some(body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let bob = system.client.log_in("bob").await;
    assert_online(&admin, &bob).await;
}

/// Whoever asks an admin to be a contact does not wait for an admin who bars somebody, which locks all admins.
pub async fn an_admin_is_asked_while_admins_change_accounts(form: Form) {
    let system = System::patient(form).await;
    let (admin, ann) = (system.admin().await, system.user("ann").await);
    let changing = system.database.lock_admins();
    let asked = serde_json::json!({ "user_id": admin.user });
    ann.send(reqwest::Method::POST, "/api/contacts/", Some(asked)).await.done();
    drop(changing);
}
