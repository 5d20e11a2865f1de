use std::collections::HashSet;
use std::time::{Duration, Instant};

use lastseen_shared::models::projection::{Applied, Offset, ShardOf, apply};
use lastseen_shared::models::{Account, Session};
use lastseen_shared::presence::availability::{Availability, Choice, Privacy, Profile, Shown, Visibility};
use lastseen_shared::presence::rule::Known;
use lastseen_shared::presence::transition::TransitionId;
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::queue::Queue;
use lastseen_worker::projector::{Projector, Step};

use crate::world::{TIMEOUT, World, on_both};

on_both!(
    follows_transitions,
    has_nothing_of_an_invisible_life_but_when_its_devices_were_seen,
    two_projectors_write_once,
    one_that_dies_before_its_commit_has_written_nothing,
    one_that_dies_after_its_commit_doubles_nothing,
    many_projectors_at_once_are_exact,
    an_engine_that_lost_its_data_splits_no_history,
    whoever_was_deleted_is_passed_over,
    transitions_gather_before_they_are_written,
);

/// Steps until there is nothing new.
async fn catch_up(projector: &mut Projector) {
    while projector.step().await.unwrap() != Step::UpToDate {}
}

async fn follows_transitions(world: World) {
    let mut projector = Projector::new(world.context.clone(), 0);
    let (ann, laptop) = world.user("ann").await;
    let start = world.clock.now();
    world.connect(ann, laptop, Reason::Login).await;
    catch_up(&mut projector).await;
    assert_eq!(world.projected(ann).await, (true, start.0, Some("login".into())));
    assert_eq!(world.history(ann).await, [(start.0, None, "login".into(), None)]);
    world.pass(TIMEOUT * 2);
    world.context.engine.expire(0, 100).await.unwrap();
    catch_up(&mut projector).await;
    let deadline = start.plus(TIMEOUT).0;
    assert_eq!(world.projected(ann).await, (false, start.0, Some("timeout".into())));
    let closed = (start.0, Some(deadline), "login".to_owned(), Some("timeout".to_owned()));
    assert_eq!(world.history(ann).await, std::slice::from_ref(&closed));
    let back = world.clock.now();
    world.connect(ann, laptop, Reason::Heartbeat).await;
    world.pass(Duration::from_secs(1));
    world.context.engine.disconnect(ann, laptop, Reason::Logout).await.unwrap();
    // Both in one batch.
    assert_eq!(projector.step().await.unwrap(), Step::Wrote(2));
    let second = (back.0, Some(back.0 + 1_000), "heartbeat".to_owned(), Some("logout".to_owned()));
    assert_eq!(world.history(ann).await, [closed, second]);
}

async fn has_nothing_of_an_invisible_life_but_when_its_devices_were_seen(world: World) {
    let mut projector = Projector::new(world.context.clone(), 0);
    let engine = &world.context.engine;
    let show = |availability| {
        let shown = Shown { availability, words: None };
        Profile { choice: Choice { shown, until: None }, ..Profile::default() }
    };
    let (ann, laptop) = world.user("ann").await;
    let start = world.clock.now();
    world.connect(ann, laptop, Reason::Login).await;
    // What is shown and to whom, and contacts, are written by others.
    let contacts = Privacy { online: Visibility::Contacts, ..Privacy::default() };
    engine.present(ann, &Profile::default(), &show(Availability::Dnd)).await.unwrap();
    engine.relate(ann, ann).await.unwrap();
    engine.present(ann, &Profile::default(), &Profile { privacy: contacts, ..Profile::default() }).await.unwrap();
    catch_up(&mut projector).await;
    projector.forget(Duration::ZERO).await.unwrap();
    assert_eq!(world.projected(ann).await, (true, start.0, Some("login".into())));
    assert_eq!(engine.delta().await.unwrap().users, []);

    world.pass(Duration::from_secs(10));
    let gone = world.clock.now();
    engine.present(ann, &Profile::default(), &show(Availability::Invisible)).await.unwrap();
    world.pass(Duration::from_secs(10));
    world.connect(ann, laptop, Reason::Heartbeat).await;
    let unseen = world.clock.now();
    world.pass(TIMEOUT * 2);
    engine.expire(0, 100).await.unwrap();
    catch_up(&mut projector).await;
    let first = (start.0, Some(gone.0), "login".to_owned(), Some("logout".to_owned()));
    assert_eq!(world.projected(ann).await, (false, start.0, Some("logout".into())));
    assert_eq!(world.history(ann).await, std::slice::from_ref(&first));
    let row = world.context.db.run(move |c| Session::find(c, laptop)).await.unwrap().unwrap().0;
    assert_eq!(row.last_seen(), unseen);

    world.connect_as(ann, laptop, Reason::Heartbeat, show(Availability::Invisible)).await;
    let seen = world.clock.now();
    world.pass(Duration::from_secs(10));
    let back = world.clock.now();
    engine.present(ann, &show(Availability::Invisible), &Profile::default()).await.unwrap();
    catch_up(&mut projector).await;
    assert_eq!(world.projected(ann).await, (true, seen.0, Some("login".into())));
    assert_eq!(world.history(ann).await, [first, (back.0, None, "login".to_owned(), None)]);
}

async fn two_projectors_write_once(world: World) {
    let (mut one, mut other) = (Projector::new(world.context.clone(), 0), Projector::new(world.context.clone(), 0));
    // Both have read the same offset.
    catch_up(&mut one).await;
    catch_up(&mut other).await;
    let (ann, session) = world.user("ann").await;
    world.connect(ann, session, Reason::Login).await;
    assert_eq!(one.step().await.unwrap(), Step::Wrote(1));
    assert_eq!(other.step().await.unwrap(), Step::Overtaken);
    assert_eq!(other.step().await.unwrap(), Step::UpToDate);
    world.context.engine.disconnect(ann, session, Reason::Logout).await.unwrap();
    assert_eq!(other.step().await.unwrap(), Step::Wrote(1));
    assert_eq!(one.step().await.unwrap(), Step::Overtaken);
    assert_eq!(world.history(ann).await.len(), 1);
}

async fn one_that_dies_before_its_commit_has_written_nothing(world: World) {
    let (ann, session) = world.user("ann").await;
    world.connect(ann, session, Reason::Login).await;
    let stretch = world.context.engine.transitions(0, TransitionId::START, 10).await.unwrap();
    // Everything is written but the commit, which the offset then refuses: what a crash there leaves behind.
    let elsewhere = Offset { epoch: stretch.epoch.id.clone(), id: TransitionId { ms: 1, seq: 1 } };
    let to = Offset { epoch: stretch.epoch.id, id: stretch.newest };
    let telling = world.context.presence.telling();
    let applied = world
        .context
        .db
        .run(move |c| apply(c, ShardOf { shard: 0, shards: 1 }, Some(&elsewhere), &to, &stretch.entries, telling))
        .await
        .unwrap();
    assert_eq!(applied, Applied::Overtaken);
    assert_eq!(world.projected(ann).await, (false, 0, None));
    assert_eq!(world.history(ann).await, []);
    let mut next = Projector::new(world.context.clone(), 0);
    assert_eq!(next.step().await.unwrap(), Step::Wrote(1));
    assert_eq!(world.history(ann).await.len(), 1);
}

async fn one_that_dies_after_its_commit_doubles_nothing(world: World) {
    let (ann, session) = world.user("ann").await;
    world.connect(ann, session, Reason::Login).await;
    world.context.engine.disconnect(ann, session, Reason::Logout).await.unwrap();
    Projector::new(world.context.clone(), 0).step().await.unwrap();
    let known = || async { world.context.engine.lookup(&[ann]).await.unwrap().known.remove(0) };
    // It died before it told the engine, which still tells readers itself.
    assert!(matches!(known().await, Known::Offline { .. }));
    let mut next = Projector::new(world.context.clone(), 0);
    assert_eq!(next.step().await.unwrap(), Step::UpToDate);
    assert_eq!(world.history(ann).await.len(), 1);
    let offset = world.context.db.run(|c| Offset::load(c, 0)).await.unwrap().unwrap();
    world.context.engine.projected(0, offset.id, &[]).await.unwrap();
    assert_eq!(known().await, Known::Settled);
}

async fn many_projectors_at_once_are_exact(world: World) {
    const USERS: usize = 40;
    const ROUNDS: usize = 6;
    let mut users = Vec::new();
    for n in 0..USERS {
        users.push(world.user(&format!("user{n}")).await);
    }
    let writer = async {
        for _ in 0..ROUNDS {
            for (user, session) in &users {
                world.connect(*user, *session, Reason::Login).await;
            }
            world.pass(TIMEOUT);
            world.context.engine.expire(0, USERS).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let following = (0..4).map(|_| {
        let mut projector = Projector::new(world.context.clone(), 0);
        tokio::spawn(async move {
            let mut idle = 0;
            while idle < 3 {
                match projector.step().await.unwrap() {
                    Step::UpToDate => {
                        idle += 1;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Step::Wrote(_) | Step::Overtaken => idle = 0,
                }
            }
        })
    });
    let following: Vec<_> = following.collect();
    writer.await;
    for task in following {
        task.await.unwrap();
    }
    catch_up(&mut Projector::new(world.context.clone(), 0)).await;
    for (user, _) in &users {
        let history = world.history(*user).await;
        assert_eq!(history.len(), ROUNDS, "{history:?}");
        let exact = |(from, to, ..): &crate::world::Interval| to.is_some_and(|to| to - from == 120_000);
        assert!(history.iter().all(exact), "{history:?}");
    }
}

async fn an_engine_that_lost_its_data_splits_no_history(mut world: World) {
    let (ann, session) = world.user("ann").await;
    let start = world.clock.now();
    world.connect(ann, session, Reason::Login).await;
    let mut projector = Projector::new(world.context.clone(), 0);
    catch_up(&mut projector).await;
    world.lose_engine();
    let mut projector = Projector::new(world.context.clone(), 0);
    catch_up(&mut projector).await;
    assert!(!world.projected(ann).await.0, "the database knows of nobody either");
    catch_up(&mut projector).await;
    // Her next heartbeat is unknown, and brings her online again.
    world.connect(ann, session, Reason::Heartbeat).await;
    catch_up(&mut projector).await;
    assert!(world.projected(ann).await.0);
    assert_eq!(world.history(ann).await, [(start.0, None, "login".into(), None)]);
    let Queue::Memory(_) = &world.context.queue else { unreachable!() };
    assert_eq!(world.context.queue.depth().await.unwrap().waiting, 1, "the loss is reconciled");
    world.context.engine.disconnect(ann, session, Reason::Logout).await.unwrap();
    catch_up(&mut projector).await;
    assert_eq!(world.history(ann).await.len(), 1);
}

async fn whoever_was_deleted_is_passed_over(world: World) {
    let (ann, hers) = world.user("ann").await;
    let (bob, his) = world.user("bob").await;
    world.connect(ann, hers, Reason::Login).await;
    world.connect(bob, his, Reason::Login).await;
    let delete = move |c: &mut _| lastseen_shared::db::write_transaction(c, |c| Account::delete(c, ann));
    world.context.db.run(delete).await.unwrap();
    let mut projector = Projector::new(world.context.clone(), 0);
    catch_up(&mut projector).await;
    assert_eq!(world.history(ann).await, []);
    assert_eq!(world.history(bob).await.len(), 1);
    assert!(world.projected(bob).await.0);
}

async fn transitions_gather_before_they_are_written(world: World) {
    let mut users = Vec::new();
    for n in 0..40 {
        users.push(world.user(&format!("user{n}")).await);
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let following = tokio::spawn(Projector::new(world.context.clone(), 0).follow("here".to_owned(), stopped));
    let offset = || async { world.context.db.run(|c| Offset::load(c, 0)).await.unwrap() };
    let (begun, mut places) = (Instant::now(), HashSet::new());
    for (user, session) in &users {
        world.connect(*user, *session, Reason::Login).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        places.extend(offset().await.map(|offset| offset.id));
    }
    let (last, _) = users[users.len() - 1];
    while !world.projected(last).await.0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        places.extend(offset().await.map(|offset| offset.id));
    }
    places.extend(offset().await.map(|offset| offset.id));
    stop.send(true).unwrap();
    following.await.unwrap();
    // The first does not wait, and each of the others waits for 50 ms after the one before.
    let most = begun.elapsed().as_millis() / 50 + 2;
    assert!(places.len() as u128 <= most, "{} transactions, {most} at most", places.len());
}
