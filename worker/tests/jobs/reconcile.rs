use std::time::Duration;

use lastseen_shared::db::write_transaction;
use lastseen_shared::ids::UserId;
use lastseen_shared::models::{Account, AccountChanges, Session};
use lastseen_shared::presence::availability::{Availability, Choice, Privacy, Profile, Shown, Visibility};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::Event;
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::timestamp::Timestamp;
use lastseen_worker::context::Context;
use lastseen_worker::jobs::{clean_sessions, reconcile, sweep, trim_transitions};
use lastseen_worker::projector::{Projector, Step};

use crate::world::{TIMEOUT, World, on_both};

on_both!(
    closes_what_is_gone_but_not_before_it_may_come_back,
    takes_out_what_is_over,
    tells_the_database_who_is_online,
    leaves_alone_what_agrees,
    has_the_engine_show_what_the_row_says,
    leaves_invisible_users_offline,
    a_sweep_takes_out_what_is_overdue_and_nothing_else,
    old_transitions_and_sessions_are_forgotten,
);

/// Reconciles the shard, a page a job, as it is done where there is much.
async fn reconcile_all(context: &Context) {
    let mut from = None;
    while let Some(place) = reconcile::run(context, 0, from, Duration::ZERO).await.unwrap() {
        assert_ne!(from, Some(place), "it gets on");
        from = Some(place);
    }
}

/// The database follows, and the engine forgets what only readers needed.
async fn follow(world: &World) {
    let mut projector = Projector::new(world.context.clone(), 0);
    while projector.step().await.unwrap() != Step::UpToDate {}
    projector.forget(Duration::ZERO).await.unwrap();
}

async fn closes_what_is_gone_but_not_before_it_may_come_back(mut world: World) {
    let (ann, session) = world.user("ann").await;
    let start = world.clock.now();
    world.connect(ann, session, Reason::Login).await;
    follow(&world).await;
    world.pass(Duration::from_secs(60));
    world.lose_engine();
    let lost = world.clock.now();
    reconcile_all(&world.context).await;
    follow(&world).await;
    assert_eq!(world.history(ann).await, [(start.0, None, "login".into(), None)], "she may still come back");
    world.pass(world.context.presence.timeout_max + Duration::from_secs(1));
    reconcile_all(&world.context).await;
    reconcile_all(&world.context).await;
    follow(&world).await;
    let closed = (start.0, Some(lost.0), "login".to_owned(), Some("timeout".to_owned()));
    assert_eq!(world.history(ann).await, [closed]);
    assert!(!world.projected(ann).await.0);
}

async fn takes_out_what_is_over(world: World) {
    let (ann, hers) = world.user("ann").await;
    let (bob, his) = world.user("bob").await;
    world.connect(ann, hers, Reason::Login).await;
    world.connect(bob, his, Reason::Login).await;
    follow(&world).await;
    let now = world.clock.now();
    world.context.db.run(move |c| Session::end(c, hers, Reason::EndedByAdmin, now)).await.unwrap();
    reconcile_all(&world.context).await;
    let known = world.context.engine.lookup(&[ann, bob]).await.unwrap().known;
    assert!(matches!(known[0], Known::Offline { reason: Reason::EndedByAdmin, .. }), "{known:?}");
    assert!(matches!(known[1], Known::Online { .. }), "{known:?}");
}

async fn tells_the_database_who_is_online(world: World) {
    let (ann, session) = world.user("ann").await;
    world.connect(ann, session, Reason::Login).await;
    // The transition is lost: the engine takes it for written.
    let stretch = world.context.engine.transitions(0, Default::default(), 10).await.unwrap();
    world.context.engine.projected(0, stretch.newest, &[ann]).await.unwrap();
    world.context.engine.trim(0, stretch.newest, Duration::ZERO).await.unwrap();
    reconcile_all(&world.context).await;
    follow(&world).await;
    assert!(world.projected(ann).await.0);
    assert_eq!(world.history(ann).await.len(), 1);
}

async fn leaves_alone_what_agrees(world: World) {
    let (ann, session) = world.user("ann").await;
    world.connect(ann, session, Reason::Login).await;
    let (bob, his) = world.user("bob").await;
    world.connect(bob, his, Reason::Login).await;
    world.context.engine.disconnect(bob, his, Reason::Logout).await.unwrap();
    follow(&world).await;
    let newest = |world: &World| {
        let engine = world.context.engine.clone();
        async move { engine.transitions(0, Default::default(), 10).await.unwrap().newest }
    };
    let before = newest(&world).await;
    world.pass(TIMEOUT / 2);
    reconcile_all(&world.context).await;
    assert_eq!(newest(&world).await, before);
}

async fn choose(world: &World, user: UserId, availability: Availability, until: Option<Timestamp>) -> Profile {
    let choice = Choice { shown: Shown { availability, words: None }, until };
    let privacy = Privacy { online: Visibility::Contacts, last_seen: Visibility::Nobody };
    let changes = AccountChanges { choice: Some(choice), privacy: Some(privacy), ..AccountChanges::default() };
    let change = move |c: &mut _| write_transaction(c, |c| Account::change(c, user, &changes));
    world.context.db.run(change).await.unwrap().unwrap().profile()
}

async fn has_the_engine_show_what_the_row_says(world: World) {
    let (ann, hers) = world.user("ann").await;
    let (bob, his) = world.user("bob").await;
    world.connect(ann, hers, Reason::Login).await;
    world.connect(bob, his, Reason::Login).await;
    // The process died between the row and the engine; of bob's, nothing would be left by now.
    let until = world.clock.now().plus(Duration::from_secs(60));
    let chosen = choose(&world, ann, Availability::Invisible, Some(until)).await;
    reconcile_all(&world.context).await;
    let lookup = world.context.engine.lookup(&[ann, bob]).await.unwrap();
    assert!(lookup.hidden.contains_key(&ann));
    assert!(matches!(lookup.known[0], Known::Offline { reason: Reason::Logout, .. }));
    assert!(matches!(lookup.known[1], Known::Online { .. }));
    let entries = |world: &World| {
        let engine = world.context.engine.clone();
        async move { engine.transitions(0, Default::default(), 10).await.unwrap().entries }
    };
    let told = entries(&world).await;
    let privacy = Event::Privacy { user: ann, before: Privacy::default(), after: chosen.privacy };
    assert_eq!((told.len(), &told[2].event), (4, &privacy));
    reconcile_all(&world.context).await;
    assert_eq!(entries(&world).await, told, "they agree now");
    world.pass(Duration::from_secs(61));
    reconcile_all(&world.context).await;
    sweep::run(&world.context, 0).await.unwrap();
    reconcile_all(&world.context).await;
    assert_eq!(entries(&world).await.len(), 5, "an end that has come is no difference");
    let scan = world.context.engine.scan(0, 0).await.unwrap();
    let hers = scan.users.iter().find(|(user, ..)| *user == ann).unwrap();
    assert_eq!(hers.2, Profile { choice: Choice::default(), ..chosen });
}

async fn leaves_invisible_users_offline(world: World) {
    let (ann, session) = world.user("ann").await;
    let profile = choose(&world, ann, Availability::Invisible, None).await;
    world.connect_as(ann, session, Reason::Login, profile).await;
    reconcile_all(&world.context).await;
    follow(&world).await;
    assert_eq!(world.projected(ann).await, (false, 0, None));
    assert_eq!(world.history(ann).await, []);
    assert!(world.context.engine.lookup(&[ann]).await.unwrap().hidden.contains_key(&ann));
}

async fn a_sweep_takes_out_what_is_overdue_and_nothing_else(world: World) {
    let (ann, hers) = world.user("ann").await;
    let (bob, his) = world.user("bob").await;
    world.connect(ann, hers, Reason::Login).await;
    world.pass(TIMEOUT / 2);
    world.connect(bob, his, Reason::Login).await;
    world.pass(TIMEOUT / 2);
    sweep::run(&world.context, 0).await.unwrap();
    sweep::run(&world.context, 0).await.unwrap();
    follow(&world).await;
    assert_eq!((world.projected(ann).await.0, world.projected(bob).await.0), (false, true));
    assert_eq!(world.context.metrics.swept.get(), 1);
}

async fn old_transitions_and_sessions_are_forgotten(world: World) {
    let (ann, session) = world.user("ann").await;
    world.connect(ann, session, Reason::Login).await;
    trim_transitions::run(&world.context, 0).await.unwrap();
    let entries = |world: &World| {
        let engine = world.context.engine.clone();
        async move { engine.transitions(0, Default::default(), 10).await.unwrap().entries.len() }
    };
    world.pass(world.context.presence.resume_window * 2);
    trim_transitions::run(&world.context, 0).await.unwrap();
    assert_eq!(entries(&world).await, 1, "the database does not have it yet");
    follow(&world).await;
    trim_transitions::run(&world.context, 0).await.unwrap();
    assert_eq!(entries(&world).await, 0);
    let long_ago = lastseen_shared::timestamp::Timestamp::now().minus(world.context.sessions_kept * 2);
    world.context.db.run(move |c| Session::end(c, session, Reason::Logout, long_ago)).await.unwrap();
    let kept = world.session(ann).await;
    clean_sessions::run(&world.context).await.unwrap();
    let left = world.context.db.run(move |c| Session::find_many(c, &[session, kept])).await.unwrap();
    assert_eq!(left.iter().map(|(row, _)| row.id()).collect::<Vec<_>>(), [kept]);
}
