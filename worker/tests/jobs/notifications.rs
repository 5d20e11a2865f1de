//! Notifications as the projector makes them: each once, of those who really came, while it is news.

use std::time::Duration;

use lastseen_shared::account::{Standing, Status, Username};
use lastseen_shared::db::{AnyConnection, DbError, write_transaction};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::models::contact::{Contact, ContactState, Notify, Pair};
use lastseen_shared::models::notification::{Notification, NotificationQuery};
use lastseen_shared::models::{Account, AccountChanges};
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::privacy::Viewer;
use lastseen_shared::timestamp::Timestamp;
use lastseen_worker::jobs::clean_notifications;
use lastseen_worker::projector::{Projector, Step};

use crate::world::{TIMEOUT, World, on_both};

on_both!(
    racing_projectors_tell_once,
    who_was_online_all_along_is_no_news,
    old_news_is_none,
    notifications_are_forgotten_in_the_end,
    whoever_is_deleted_while_it_is_told_of_waits,
    whoever_is_deleted_while_it_is_told_waits,
    whoever_is_renamed_and_barred_while_it_is_told_waits,
);

/// Makes `watcher` wait for `other`, its contact.
async fn wait_for(world: &World, watcher: UserId, other: UserId) {
    let write = move |c: &mut _| {
        write_transaction(c, |c| {
            let accepted = (Some(ContactState::Accepted), Some(ContactState::Accepted));
            Pair::lock(c, watcher, other)?.write(c, (None, None), accepted, Timestamp::now())?;
            assert!(Contact::set_notify(c, watcher, other, Some(Notify::Always))?);
            Ok::<_, DbError>(())
        })
    };
    world.context.db.run(write).await.unwrap();
}

async fn told(world: &World, user: UserId) -> Vec<(UserId, Timestamp)> {
    let viewer = Viewer { contacts: [UserId(1), UserId(2), UserId(3)].into(), ..Viewer::oneself(user) };
    let query = NotificationQuery { unread: false, before: None, limit: 100 };
    let all = world.context.db.run(move |c| Notification::of_viewer(c, &viewer, query)).await.unwrap();
    all.into_iter().map(|one| (one.subject, one.at)).collect()
}

async fn catch_up(world: &World) {
    let mut projector = Projector::new(world.context.clone(), 0);
    while projector.step().await.unwrap() != Step::UpToDate {}
}

async fn racing_projectors_tell_once(world: World) {
    let (ann, session) = world.user("ann").await;
    let (bob, _) = world.user("bob").await;
    let (cid, _) = world.user("cid").await;
    wait_for(&world, bob, ann).await;
    wait_for(&world, cid, ann).await;
    catch_up(&world).await;
    let came = world.clock.now();
    world.connect(ann, session, Reason::Login).await;
    let steps = (0..6).map(|_| {
        let mut projector = Projector::new(world.context.clone(), 0);
        async move { while projector.step().await.unwrap() != Step::UpToDate {} }
    });
    futures_util::future::join_all(steps).await;
    assert_eq!((told(&world, bob).await, told(&world, cid).await), (vec![(ann, came)], vec![(ann, came)]));
    assert_eq!(told(&world, ann).await, []);
}

async fn who_was_online_all_along_is_no_news(mut world: World) {
    let (ann, session) = world.user("ann").await;
    world.connect(ann, session, Reason::Login).await;
    catch_up(&world).await;
    let (bob, _) = world.user("bob").await;
    wait_for(&world, bob, ann).await;
    world.lose_engine();
    catch_up(&world).await;
    world.connect(ann, session, Reason::Heartbeat).await;
    catch_up(&world).await;
    assert_eq!(told(&world, bob).await, []);
    world.context.engine.disconnect(ann, session, Reason::Logout).await.unwrap();
    world.pass(Duration::from_secs(1));
    let (came, session) = (world.clock.now(), world.session(ann).await);
    world.connect(ann, session, Reason::Login).await;
    catch_up(&world).await;
    assert_eq!(told(&world, bob).await, [(ann, came)], "but who comes back is");
}

async fn old_news_is_none(world: World) {
    let (ann, session) = world.user("ann").await;
    let (bob, _) = world.user("bob").await;
    wait_for(&world, bob, ann).await;
    let now = world.clock.now();
    world.clock.set(now.minus(Duration::from_secs(2 * 3_600)));
    world.connect(ann, session, Reason::Login).await;
    world.clock.set(now);
    world.context.engine.expire(0, 100).await.unwrap();
    catch_up(&world).await;
    assert_eq!(world.history(ann).await.len(), 1);
    assert_eq!(told(&world, bob).await, []);
}

async fn notifications_are_forgotten_in_the_end(world: World) {
    let (ann, session) = world.user("ann").await;
    let (bob, _) = world.user("bob").await;
    wait_for(&world, bob, ann).await;
    let now = world.clock.now();
    world.clock.set(now.minus(world.context.history_kept * 2));
    world.connect(ann, session, Reason::Login).await;
    catch_up(&world).await;
    world.clock.set(now.plus(TIMEOUT));
    let (cid, other) = world.user("cid").await;
    wait_for(&world, bob, cid).await;
    world.connect(cid, other, Reason::Login).await;
    catch_up(&world).await;
    assert_eq!(told(&world, bob).await.len(), 2);
    clean_notifications::run(&world.context).await.unwrap();
    assert_eq!(told(&world, bob).await.iter().map(|(user, _)| *user).collect::<Vec<_>>(), [cid]);
}

/// Writes while a projector is held up between the presences, which it has written, and the notification of `watcher` about
/// `other`. Where the two want each other's rows, PostgreSQL ends one of them. Answers how many entries were projected.
async fn while_it_is_told(
    world: &World,
    (watcher, other): (UserId, UserId),
    write: impl FnOnce(&mut AnyConnection) -> Result<bool, DbError> + Send + 'static,
) -> usize {
    let (held, is_held) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let hold = move |c: &mut _| {
        write_transaction(c, |c| {
            assert!(Contact::set_notify(c, watcher, other, Some(Notify::Always))?);
            let _ = held.send(());
            released.recv_timeout(Duration::from_secs(20)).unwrap();
            Ok::<_, DbError>(())
        })
    };
    let db = world.context.db.clone();
    let holder = tokio::spawn(async move { db.run(hold).await });
    is_held.await.unwrap();
    let mut projector = Projector::new(world.context.clone(), 0);
    let projecting = tokio::spawn(async move { projector.step().await });
    world.until_so_many_wait_for_locks(1).await;
    let db = world.context.db.clone();
    let writing = tokio::spawn(async move { db.run(move |c| write_transaction(c, write)).await });
    world.until_so_many_wait_for_locks(2).await;
    release.send(()).unwrap();
    holder.await.unwrap().unwrap();
    let (projected, written) = (projecting.await.unwrap(), writing.await.unwrap());
    assert!(written.unwrap());
    let Step::Wrote(count) = projected.unwrap() else { panic!("nothing was projected") };
    count
}

/// Ann comes, whom Bob waits for, and one of the two is deleted while he is told. Answers Ann and Bob.
async fn deleted_while_it_is_told(world: &World, which: impl Fn(UserId, UserId) -> UserId) -> (UserId, UserId) {
    let (ann, session) = world.user("ann").await;
    let (bob, _) = world.user("bob").await;
    wait_for(world, bob, ann).await;
    catch_up(world).await;
    world.connect(ann, session, Reason::Login).await;
    let gone = which(ann, bob);
    let delete = move |c: &mut _| {
        Account::lock(c, gone)?;
        Account::delete(c, gone)
    };
    assert_eq!(while_it_is_told(world, (bob, ann), delete).await, 1);
    (ann, bob)
}

async fn whoever_is_deleted_while_it_is_told_of_waits(world: World) {
    let (ann, bob) = deleted_while_it_is_told(&world, |ann, _| ann).await;
    assert_eq!(told(&world, bob).await, [], "what was told of her is gone with her");
    assert_eq!(world.history(ann).await, []);
}

async fn whoever_is_deleted_while_it_is_told_waits(world: World) {
    let (ann, _) = deleted_while_it_is_told(&world, |_, bob| bob).await;
    assert_eq!(world.history(ann).await.len(), 1);
}

async fn whoever_is_renamed_and_barred_while_it_is_told_waits(world: World) {
    let (ann, session) = world.user("ann").await;
    let (bob, his) = world.user("bob").await;
    wait_for(&world, bob, ann).await;
    world.connect(bob, his, Reason::Login).await;
    catch_up(&world).await;
    world.context.engine.evict(bob, SessionId::ALL, Reason::Suspended).await.unwrap();
    world.connect(ann, session, Reason::Login).await;
    let change = move |c: &mut _| {
        Account::lock(c, bob)?;
        Account::lock_presence(c, bob)?;
        let changes = AccountChanges {
            username: Some(Username::parse("rob").unwrap()),
            standing: Some(Standing { status: Status::Suspended, ..Standing::ACTIVE }),
            ..AccountChanges::default()
        };
        Ok(Account::change(c, bob, &changes).map_err(|error| format!("{error:?}")).unwrap().is_some())
    };
    assert_eq!(while_it_is_told(&world, (bob, ann), change).await, 2);
    assert!(!world.projected(bob).await.0);
}
