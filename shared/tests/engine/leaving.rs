//! Sessions that say that they are leaving.

use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::{PresenceEngine, Reason};

use crate::harness::{Harness, TIMEOUT, offline, secs};

const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

async fn leave(h: &Harness, user: i64, session: i64) -> Option<lastseen_shared::timestamp::Deadline> {
    h.engine.leave(UserId(user), SessionId(session), GRACE).await.unwrap()
}

contract! {
    async fn whoever_left_is_offline_after_the_grace(h: &Harness) {
        h.login(1, 11).await;
        let gone = h.at(secs(30));
        assert_eq!(leave(h, 1, 11).await, Some(h.deadline(secs(30) + GRACE)));
        assert_eq!(leave(h, 1, 11).await, Some(h.deadline(secs(30) + GRACE)), "twice is once");
        assert!(matches!(h.known(1).await, Known::Online { .. }));
        h.at(secs(30) + GRACE);
        assert_eq!(h.known(1).await, offline(gone.plus(GRACE), gone, Reason::Timeout));
        h.sweep().await;
        assert_eq!(h.known(1).await, offline(gone.plus(GRACE), gone, Reason::Timeout));
        assert_eq!(h.touch(1, 11).await, None);
        assert_eq!(leave(h, 1, 11).await, None);
    }

    async fn a_reload_does_not_flap(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(30));
        leave(h, 1, 11).await;
        h.at(secs(32));
        // Not known to the fast path, which would give it the grace again: the slow one gives its timeout back.
        assert_eq!(h.touch(1, 11).await, None);
        h.login(1, 11).await;
        h.at(secs(30) + GRACE + secs(1));
        assert_eq!(h.touch(1, 11).await, Some(h.deadline(secs(31) + GRACE + TIMEOUT)));
        assert_eq!(h.events(1).await.len(), 1, "online once, and never offline");
    }

    async fn another_device_keeps_the_user_online(h: &Harness) {
        h.login(1, 11).await;
        h.login(1, 12).await;
        leave(h, 1, 11).await;
        h.at(GRACE + secs(1));
        h.sweep().await;
        assert!(matches!(h.known(1).await, Known::Online { .. }));
        assert_eq!(h.touch(1, 12).await, Some(h.deadline(GRACE + secs(1) + TIMEOUT)));
    }

    async fn a_new_timeout_does_not_lengthen_the_grace(h: &Harness) {
        h.login(1, 11).await;
        leave(h, 1, 11).await;
        h.engine.retime(UserId(1), TIMEOUT * 2).await.unwrap();
        h.at(GRACE);
        assert!(matches!(h.known(1).await, Known::Offline { .. }));
    }

    async fn a_timeout_that_is_no_longer_stays(h: &Harness) {
        h.login(1, 11).await;
        h.engine.retime(UserId(1), GRACE).await.unwrap();
        h.at(secs(1));
        assert_eq!(leave(h, 1, 11).await, Some(h.deadline(GRACE)));
        assert_eq!(h.touch(1, 11).await, Some(h.deadline(GRACE + secs(1))));
    }

    async fn it_can_still_be_ended(h: &Harness) {
        h.login(1, 11).await;
        leave(h, 1, 11).await;
        let now = h.at(secs(1));
        assert!(h.logout(1, 11).await);
        assert_eq!(h.known(1).await, offline(now, h.start, Reason::Logout));
    }
}
