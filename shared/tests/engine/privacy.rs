//! Who may see what, as far as the engine has a part in it: it counts, and it tells.

use lastseen_shared::ids::UserId;
use lastseen_shared::presence::availability::{Availability, Privacy, Profile, Visibility};
use lastseen_shared::presence::engine::Counts;
use lastseen_shared::presence::transition::{Event, Transition};
use lastseen_shared::presence::{PresenceEngine as _, Reason};

use crate::harness::{Harness, TIMEOUT, came, choice, look, secs, shows, went};

const CONTACTS: Privacy = Privacy { online: Visibility::Contacts, last_seen: Visibility::Everyone };
const SHY: Privacy = Privacy { online: Visibility::Everyone, last_seen: Visibility::Nobody };

fn with(privacy: Privacy, profile: &Profile) -> Profile {
    Profile { privacy, ..profile.clone() }
}

contract! {
    async fn a_change_is_told_whether_or_not_anybody_is_online(h: &Harness) {
        let (usual, contacts) = (Profile::default(), with(CONTACTS, &Profile::default()));
        let changed = |before, after| Event::Privacy { user: UserId(1), before, after };
        h.present(1, &usual, &contacts).await;
        assert_eq!(h.events(1).await, [changed(usual.privacy, CONTACTS)]);
        h.login_as(1, 11, &contacts).await;
        h.present(1, &contacts, &contacts).await;
        h.present(1, &contacts, &with(SHY, &usual)).await;
        h.logout(1, 11).await;
        let expected = [
            changed(usual.privacy, CONTACTS),
            Event::Transition(Transition { privacy: CONTACTS, ..came(1, 11, h.start, Reason::Login) }),
            changed(CONTACTS, SHY),
            Event::Transition(Transition { privacy: SHY, ..went(1, 11, h.start, h.start, Reason::Logout) }),
        ];
        assert_eq!(h.events(1).await, expected);
        assert_eq!(h.engine.delta().await.unwrap().users.len(), 1);
    }

    async fn a_change_that_a_log_in_brought_first_is_told_all_the_same(h: &Harness) {
        let (usual, contacts) = (Profile::default(), with(CONTACTS, &Profile::default()));
        // The row is written, and read by a log-in before the engine is told of it.
        h.login_as(1, 11, &contacts).await;
        h.present(1, &usual, &contacts).await;
        let changed = |before, after| Event::Privacy { user: UserId(1), before, after };
        assert_eq!(h.events(1).await[1..], [changed(usual.privacy, CONTACTS)]);
        // A call that is repeated: the row says the new one by then, the engine may or may not.
        h.present(1, &contacts, &contacts).await;
        h.present(1, &with(SHY, &usual), &with(SHY, &usual)).await;
        assert_eq!(h.events(1).await[2..], [changed(CONTACTS, SHY)]);
    }

    async fn privacy_is_told_before_what_is_shown_under_it(h: &Harness) {
        h.login(1, 11).await;
        let now = h.at(secs(10));
        let after = with(CONTACTS, &choice(Availability::Dnd, None));
        h.present(1, &Profile::default(), &after).await;
        let Event::Shown(shown) = shows(1, now, h.start, Reason::Login, look(Availability::Dnd, None)) else {
            unreachable!()
        };
        let expected = [
            Event::Privacy { user: UserId(1), before: Privacy::default(), after: CONTACTS },
            Event::Shown(Transition { privacy: CONTACTS, ..shown }),
        ];
        assert_eq!(h.events(1).await[1..], expected);
        h.present(1, &after, &with(SHY, &choice(Availability::Invisible, None))).await;
        let gone = Transition { session: None, privacy: SHY, ..went(1, 0, now, h.start, Reason::Logout) };
        let expected =
            [Event::Privacy { user: UserId(1), before: CONTACTS, after: SHY }, Event::Transition(gone)];
        assert_eq!(h.events(1).await[3..], expected);
    }

    async fn those_whom_not_everyone_may_see_are_counted_apart(h: &Harness) {
        let profiles = [
            with(CONTACTS, &Profile::default()),
            with(Privacy { online: Visibility::Nobody, ..CONTACTS }, &choice(Availability::Dnd, None)),
            with(SHY, &Profile::default()),
            with(CONTACTS, &choice(Availability::Invisible, None)),
        ];
        for (user, profile) in (1..).zip(&profiles) {
            h.login_as(user, user * 10, profile).await;
        }
        assert_eq!(h.counts().await, Counts { online: 3, limited: 2, away: 0, dnd: 1 });
        h.present(4, &profiles[3], &profiles[0]).await;
        h.present(1, &profiles[0], &profiles[2]).await;
        assert_eq!(h.counts().await, Counts { online: 4, limited: 2, away: 0, dnd: 1 });
        h.at(secs(60));
        h.touch(2, 20).await;
        h.at(TIMEOUT);
        assert_eq!(h.counts().await, Counts { online: 1, limited: 1, away: 0, dnd: 1 });
        h.sweep().await;
        assert_eq!(h.counts().await, Counts { online: 1, limited: 1, away: 0, dnd: 1 });
        h.logout(2, 20).await;
        assert_eq!(h.counts().await, Counts::default());
    }

    async fn a_relation_is_told_where_the_user_is(h: &Harness) {
        h.engine.relate(UserId(1), UserId(2)).await.unwrap();
        h.engine.relate(UserId(2), UserId(1)).await.unwrap();
        h.engine.relate(UserId(1), UserId(2)).await.unwrap();
        let told = |user, other| Event::Relation { user: UserId(user), other: UserId(other) };
        assert_eq!(h.events(1).await, [told(1, 2), told(1, 2)]);
        assert_eq!(h.events(2).await, [told(2, 1)]);
        assert_eq!(h.engine.delta().await.unwrap().users, [], "no presence has changed");
    }
}
