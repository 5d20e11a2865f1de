//! The list of all users, as an admin's page reads it.

use std::time::Duration;

use reqwest::Method;

use crate::client::{Answer, Session, User, Users};
use crate::harness::{Form, INTERVAL, NO_SWEEP, Setup};
use crate::sight::Heart;
use crate::time::now;

/// A page that reads the list every so often, and knows what it has.
struct Page {
    admin: Session,
    tag: String,
    users: Vec<User>,
    unchanged: usize,
}

impl Page {
    async fn read(&mut self) -> Answer {
        let (client, token) = (&self.admin.client, Some(self.admin.access.as_str()));
        let path = "/api/users/all-users/?limit=1000";
        let headers = [("if-none-match", self.tag.as_str())];
        let answer = client.try_send(token, Method::GET, path, None, &headers).await.unwrap();
        let tag = answer.headers["etag"].to_str().unwrap().to_owned();
        match answer.status {
            304 => {
                assert_eq!(tag, self.tag);
                self.unchanged += 1;
            }
            200 => {
                assert_ne!(tag, self.tag, "{answer:?}");
                self.tag = tag;
                let page: Users = serde_json::from_value(answer.body.clone()).unwrap();
                let online = page.users.iter().filter(|user| user.online_status == "online").count();
                assert_eq!((page.online, page.total), (online, page.users.len()), "{page:?}");
                self.users = page.users;
            }
            _ => panic!("{answer:?}"),
        }
        answer
    }

    fn of(&self, user: i64) -> Option<(&str, &str)> {
        let user = self.users.iter().find(|one| one.id == user)?;
        Some((&user.online_status, user.reason.as_deref().unwrap_or("never seen")))
    }

    /// The next read has the change, whatever it was.
    async fn must_see(&mut self, user: i64, expected: (&str, &str)) {
        let answer = self.read().await;
        assert_eq!(answer.status, 200, "user {user} has become {expected:?}");
        assert_eq!(self.of(user), Some(expected));
    }
}

pub async fn an_admin_sees_every_change(form: Form) {
    // A timeout long enough for what has to happen within it, on a slow machine too.
    let setup = Setup::new(form).with(NO_SWEEP).with(("LASTSEEN_INACTIVITY_TIMEOUT", "3s"));
    let system = setup.with(("LASTSEEN_TIMEOUT_MIN", "600ms")).start().await;
    let admin = system.admin().await;
    let mut page = Page { admin: admin.clone(), tag: "none".to_owned(), users: Vec::new(), unchanged: 0 };
    assert_eq!(page.read().await.status, 200);

    // A new account, and a log-in.
    let ann = system.client.register("ann").await.id;
    page.must_see(ann, ("offline", "never seen")).await;
    let ann = system.client.log_in("ann").await;
    page.must_see(ann.user, ("online", "login")).await;

    // Nothing changes while everybody's heartbeats go on: nothing is sent.
    let heart = Heart::of(&ann, INTERVAL);
    let start = now();
    while now() - start < 700 || page.unchanged <= 3 {
        assert_eq!(page.read().await.status, 304, "{:#?}", page.users);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // Suspended, and back.
    admin.act(ann.user, "suspend").await.done();
    page.must_see(ann.user, ("offline", "suspended")).await;
    heart.stop().await;
    assert_eq!(page.read().await.status, 304);
    admin.act(ann.user, "activate").await.done();
    assert_eq!(page.read().await.status, 200);
    let ann = system.client.log_in("ann").await;
    page.must_see(ann.user, ("online", "login")).await;
    ann.log_out().await.done();
    page.must_see(ann.user, ("offline", "logout")).await;

    // Silence: the first read after the deadline.
    let bob = system.user("bob").await;
    bob.change_me(serde_json::json!({ "inactivity_timeout_seconds": 0.6 })).await.done();
    let beat = bob.beat().await;
    loop {
        let answer = page.read().await;
        let seen = page.of(bob.user).unwrap();
        if answer.answered < beat.online_until.0 {
            assert_eq!(seen.0, "online");
        } else if answer.asked >= beat.online_until.0 {
            assert_eq!(seen, ("offline", "timeout"));
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let listed = page.users.iter().find(|user| user.id == bob.user).unwrap();
    assert_eq!(listed.last_seen, Some(beat.last_seen));
}
