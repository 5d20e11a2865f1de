//! Transitions that say again what is true, for a database that missed one.

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::engine::Restatement;
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::Transition;
use lastseen_shared::presence::{PresenceEngine as _, Reason, TransitionId};

use crate::harness::{Harness, TIMEOUT, came, offline, online, secs, went};

/// What the database knows of a user who is offline.
fn restatement(h: &Harness) -> Restatement {
    Restatement { at: h.moment(secs(3)), last_seen: h.moment(secs(2)), reason: Reason::Timeout }
}

async fn restate(h: &Harness, says_online: bool) -> bool {
    h.engine.restate(UserId(1), says_online, restatement(h)).await.unwrap()
}

async fn project(h: &Harness) {
    let newest = h.engine.transitions(1, TransitionId::START, 1).await.unwrap().newest;
    h.engine.projected(1, newest, &[]).await.unwrap();
}

contract! {
    async fn an_online_user_is_restated_for_a_database_that_says_offline(h: &Harness) {
        h.login(1, 11).await;
        h.at(secs(10));
        h.touch(1, 11).await;
        assert!(!restate(h, false).await, "the transition is on its way");
        project(h).await;
        assert!(!restate(h, true).await, "the database is right");
        assert_eq!(h.transitions(1).await.len(), 1);
        let now = h.at(secs(20));
        assert!(restate(h, false).await);
        let last_seen = h.moment(secs(10));
        let again = Transition { last_seen, session_seen: last_seen, ..came(1, 11, now, Reason::Login) };
        assert_eq!(h.transitions(1).await, [came(1, 11, h.start, Reason::Login), again]);
        assert!(!restate(h, false).await, "once is enough");
        let until = h.deadline(secs(10) + TIMEOUT);
        assert_eq!(h.known(1).await, online(until, last_seen, Reason::Login));
    }

    async fn an_offline_user_is_restated_for_a_database_that_says_online(h: &Harness) {
        assert!(!restate(h, false).await, "the database is right");
        assert!(restate(h, true).await);
        let Restatement { at, last_seen, reason } = restatement(h);
        let again = Transition { session: None, ..went(1, 0, at, last_seen, reason) };
        assert_eq!(h.transitions(1).await, [again]);
        assert_eq!(h.known(1).await, offline(at, last_seen, reason));
        assert!(!restate(h, true).await, "once is enough");
        project(h).await;
        assert_eq!(h.known(1).await, Known::Settled);
    }

    async fn what_the_engine_knows_itself_goes_first(h: &Harness) {
        h.login(1, 11).await;
        project(h).await;
        h.at(TIMEOUT + secs(1));
        // Settling makes the transition that the database lacks.
        assert!(!restate(h, true).await);
        assert_eq!(h.known(1).await, offline(h.moment(TIMEOUT), h.start, Reason::Timeout));
        assert_eq!(h.transitions(1).await.len(), 2);
    }
}
