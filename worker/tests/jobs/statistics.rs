use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use lastseen_shared::account::{Standing, Status};
use lastseen_shared::db::{AnyConnection, DbError, write_transaction};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::models::statistics::{Range, rebuild};
use lastseen_shared::models::{Account, AccountChanges};
use lastseen_shared::presence::{PresenceEngine, Reason};
use lastseen_shared::statistics::Platform;
use lastseen_shared::statistics::calendar::{Step as ChartStep, Zone, day_of};
use lastseen_shared::statistics::series::points;
use lastseen_shared::timestamp::Timestamp;
use lastseen_worker::jobs::{clean_history, clean_sessions, roll_active, roll_online, sample_statuses};
use lastseen_worker::projector::{Projector, Step};

use crate::world::{TIMEOUT, World, on_both};

on_both!(
    what_is_kept_up_is_what_a_rebuild_makes,
    a_late_projector_mends_what_was_rolled_up,
    whoever_is_deleted_leaves_no_trace_and_no_error,
    two_rolls_at_once_are_one,
    log_ins_are_counted_once_and_outlive_their_sessions,
    a_stopped_worker_leaves_no_hole,
    history_is_forgotten_when_its_time_is_over,
    statuses_are_sampled,
);

const MINUTE: i64 = 60_000;

/// Numbers that look random and are the same at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

async fn project(world: &World) {
    let mut projector = Projector::new(world.context.clone(), 0);
    while projector.step().await.unwrap() != Step::UpToDate {}
}

async fn roll(world: &World) {
    roll_online::run(&world.context).await.unwrap();
    roll_active::run(&world.context).await.unwrap();
}

#[derive(QueryableByName, Debug, PartialEq)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName, Clone, Copy, Debug)]
struct Interval {
    #[diesel(sql_type = BigInt)]
    user_id: i64,
    #[diesel(sql_type = BigInt)]
    started_at_ms: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    ended_at_ms: Option<i64>,
}

async fn load<T>(world: &World, text: &str) -> Vec<T>
where
    T: QueryableByName<diesel::pg::Pg> + QueryableByName<diesel::sqlite::Sqlite> + Send + 'static,
{
    let query = diesel::sql_query(text.to_owned());
    let read = move |c: &mut AnyConnection| match c {
        AnyConnection::Postgresql(pg) => query.load::<T>(pg),
        AnyConnection::Sqlite(sqlite) => query.load::<T>(sqlite),
    };
    world.context.db.run(move |c| read(c).map_err(DbError::from)).await.unwrap()
}

async fn execute(world: &World, text: &str) {
    let query = diesel::sql_query(text.to_owned());
    let run = move |c: &mut AnyConnection| match c {
        AnyConnection::Postgresql(pg) => query.execute(pg),
        AnyConnection::Sqlite(sqlite) => query.execute(sqlite),
    };
    world.context.db.run(move |c| run(c).map_err(DbError::from)).await.unwrap();
}

/// Every rollup, a line each. Rows of a platform of which nobody was there say nothing.
async fn kept(world: &World) -> Vec<String> {
    let blob = |column: &str| match world.is_postgres() {
        true => format!("encode({column}, 'hex')"),
        false => format!("lower(hex({column}))"),
    };
    let text = format!(
        "SELECT 'minute ' || at_ms || ' ' || platform || ' ' || online_ms || ' ' || peak || ' ' || logins AS line \
         FROM stats_minutes WHERE platform = 'all' OR online_ms + peak + logins > 0 \
         UNION ALL SELECT 'quarter ' || at_ms || ' ' || platform || ' ' || online_ms || ' ' || peak || ' ' || logins \
             || ' ' || sessions || ' ' || session_ms || ' ' || {} || CASE platform WHEN 'all' THEN ' ' || known_ms ELSE '' END \
         FROM stats_quarters WHERE platform = 'all' OR online_ms + peak + logins + sessions > 0 \
         UNION ALL SELECT 'day ' || day || ' ' || daily || ' ' || weekly || ' ' || monthly FROM stats_active_days \
         UNION ALL SELECT 'users ' || day || ' ' || {} FROM stats_active_users ORDER BY 1",
        blob("lengths"),
        blob("users")
    );
    load::<Line>(world, &text).await.into_iter().map(|row| row.line).collect()
}

async fn rebuilt(world: &World) -> Vec<String> {
    for table in ["stats_minutes", "stats_quarters", "stats_active_days", "stats_active_users"] {
        execute(world, &format!("DELETE FROM {table}")).await;
    }
    execute(world, "UPDATE stats_progress SET done_ms = NULL, changed_from_ms = NULL").await;
    let now = world.clock.now();
    world.context.db.run(move |c| rebuild(c, None, now)).await.unwrap();
    kept(world).await
}

/// Holds each minute against what counting intervals finds, moment by moment.
async fn check_minutes(world: &World) {
    let intervals: Vec<Interval> =
        load(world, "SELECT user_id, started_at_ms, ended_at_ms FROM online_intervals").await;
    let now = world.clock.now();
    let range = Range { from: Timestamp(0), to: now, platform: None };
    let minutes = world.context.db.run(move |c| range.known(c, ChartStep::Minute)).await.unwrap();
    let first = intervals.iter().map(|one| one.started_at_ms).min().unwrap();
    let (from, to) = (first - first % (15 * MINUTE), now.0 - now.0 % MINUTE);
    assert_eq!(minutes.first().unwrap().at.0, from);
    assert_eq!(minutes.len() as i64, (to - from) / MINUTE, "no minute is missing");
    for minute in &minutes {
        let (start, end) = (minute.at.0, minute.at.0 + MINUTE);
        let until = |one: &Interval| one.ended_at_ms.unwrap_or(i64::MAX);
        let within = |one: &Interval| (until(one).min(end) - one.started_at_ms.max(start)).max(0);
        assert_eq!(minute.online_ms, intervals.iter().map(within).sum::<i64>(), "{minute:?}");
        let at = |at: i64| intervals.iter().filter(|one| one.started_at_ms <= at && at < until(one)).count() as i64;
        let begun = intervals.iter().map(|one| one.started_at_ms).filter(|at| (start..end).contains(at));
        assert_eq!(minute.peak, begun.chain([start]).map(at).max().unwrap(), "{minute:?}");
    }
}

/// Holds each day against who was online on it.
async fn check_days(world: &World) {
    let intervals: Vec<Interval> =
        load(world, "SELECT user_id, started_at_ms, ended_at_ms FROM online_intervals").await;
    let today = day_of(world.clock.now());
    let first = intervals.iter().map(|one| day_of(Timestamp(one.started_at_ms))).min().unwrap();
    let active = |from: i32, to: i32| {
        let touches = |one: &&Interval| {
            let last = one.ended_at_ms.map_or(today, |end| day_of(Timestamp(end)));
            day_of(Timestamp(one.started_at_ms)) <= to && last >= from
        };
        intervals.iter().filter(touches).map(|one| one.user_id).collect::<HashSet<_>>().len()
    };
    let days: Vec<Line> = load(
        world,
        "SELECT day || ' ' || daily || ' ' || weekly || ' ' || monthly AS line FROM stats_active_days ORDER BY day",
    )
    .await;
    let expected = (first..=today)
        .map(|day| format!("{day} {} {} {}", active(day, day), active(day - 6, day), active(day - 29, day)));
    assert_eq!(days.into_iter().map(|row| row.line).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// Some people with a device each, on different platforms.
async fn people(world: &World, count: usize) -> Vec<(UserId, SessionId)> {
    let mut all = Vec::new();
    for place in 0..count {
        let (user, _) = world.user(&format!("user{place}")).await;
        all.push((user, world.session_on(user, Platform::ALL[place % 4]).await));
    }
    all
}

async fn what_is_kept_up_is_what_a_rebuild_makes(world: World) {
    let people = people(&world, 7).await;
    let mut numbers = Numbers(3);
    let mut live = HashSet::new();
    // Some days, with nights on which nothing is heard.
    for _ in 0..400 {
        let (user, session) = people[numbers.below(people.len() as u64) as usize];
        match numbers.below(10) {
            0..=3 => {
                world.connect(user, session, Reason::Login).await;
                live.insert(user);
            }
            4..=5 if live.remove(&user) => {
                world.context.engine.disconnect(user, session, Reason::Logout).await.unwrap();
                // An ended session does not come back at once; a swift clock has it forgotten.
                world.pass(Duration::from_secs(120));
            }
            6 => {
                world.context.engine.expire(0, 100).await.unwrap();
            }
            7 => project(&world).await,
            8 => roll_online::run(&world.context).await.unwrap(),
            _ => roll_active::run(&world.context).await.unwrap(),
        }
        let pause = match numbers.below(40) {
            0 => 3_600_000 * (1 + numbers.below(20)),
            1..=9 => numbers.below(600_000),
            _ => numbers.below(40_000),
        };
        world.pass(Duration::from_millis(pause));
    }
    world.context.engine.expire(0, 100).await.unwrap();
    project(&world).await;
    // Minutes that are not over are not rolled up.
    world.pass(Duration::from_secs(61));
    roll(&world).await;
    check_minutes(&world).await;
    check_days(&world).await;
    let (kept, made) = (kept(&world).await, rebuilt(&world).await);
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).take(5).cloned().collect()
    };
    assert!(kept == made, "kept only: {:#?}, made only: {:#?}", only(&kept, &made), only(&made, &kept));
    let sessions =
        load::<Line>(&world, "SELECT CAST(SUM(sessions) AS TEXT) AS line FROM stats_quarters WHERE platform = 'all'")
            .await;
    let over = load::<Line>(&world, "SELECT CAST(COUNT(*) AS TEXT) AS line FROM presence_history").await;
    assert_eq!(sessions, over, "each interval that ended is in one quarter");
}

async fn a_late_projector_mends_what_was_rolled_up(world: World) {
    let people = people(&world, 2).await;
    world.connect(people[0].0, people[0].1, Reason::Login).await;
    project(&world).await;
    world.pass(Duration::from_secs(90));
    world.connect(people[1].0, people[1].1, Reason::Login).await;
    world.pass(Duration::from_secs(600));
    world.context.engine.expire(0, 100).await.unwrap();
    // The projector has heard of nothing but the first.
    roll(&world).await;
    let peak = |range: Range| {
        let db = world.context.db.clone();
        async move {
            let known = db.run(move |c| range.known(c, ChartStep::Hour)).await.unwrap();
            points(&known, Zone::UTC, ChartStep::Day).iter().map(|day| day.peak).max().unwrap()
        }
    };
    let all = Range { from: Timestamp(0), to: world.clock.now().plus(TIMEOUT), platform: None };
    assert_eq!(peak(all).await, 1);
    project(&world).await;
    roll(&world).await;
    assert_eq!(peak(all).await, 2);
    assert_eq!(peak(Range { platform: Some(Platform::ALL[1]), ..all }).await, 1);
    assert_eq!(peak(Range { platform: Some(Platform::Other), ..all }).await, 0, "nobody of it, which is known");
    check_minutes(&world).await;
}

async fn whoever_is_deleted_leaves_no_trace_and_no_error(world: World) {
    let people = people(&world, 3).await;
    for (user, session) in &people {
        world.connect(*user, *session, Reason::Login).await;
    }
    project(&world).await;
    world.pass(Duration::from_secs(100));
    roll(&world).await;
    let (gone, session) = people[0];
    world.context.engine.evict(gone, session, Reason::Deleted).await.unwrap();
    let delete = move |c: &mut AnyConnection| write_transaction(c, |c| Account::delete(c, gone));
    assert!(world.context.db.run(delete).await.unwrap());
    let left = format!("SELECT CAST(COUNT(*) AS TEXT) AS line FROM online_intervals WHERE user_id = {}", gone.0);
    assert_eq!(load::<Line>(&world, &left).await[0].line, "0");
    project(&world).await;
    world.pass(Duration::from_secs(300));
    let now = world.clock.now();
    roll(&world).await;
    let last = now.0 - now.0 % MINUTE - MINUTE;
    let range = Range { from: Timestamp(last), to: now, platform: None };
    let known = world.context.db.run(move |c| range.known(c, ChartStep::Minute)).await.unwrap();
    // Nobody swept: the other two are still open, and counted as what the database knows.
    assert_eq!(known.iter().map(|minute| minute.peak).collect::<Vec<_>>(), [2], "{session}");
    let forgotten = load::<Line>(&world, "SELECT CAST(COUNT(*) AS TEXT) AS line FROM stats_forgotten_users").await;
    assert_eq!(forgotten[0].line, "0");
    let days: BTreeMap<i32, i64> = {
        let today = day_of(now);
        let days = world
            .context
            .db
            .run(move |c| lastseen_shared::models::statistics::ActiveDay::load(c, today, today))
            .await
            .unwrap();
        days.into_iter().map(|day| (day.day, day.daily)).collect()
    };
    assert_eq!(days.into_values().collect::<Vec<_>>(), [2]);
}

async fn two_rolls_at_once_are_one(world: World) {
    let people = people(&world, 4).await;
    for (user, session) in &people {
        world.connect(*user, *session, Reason::Login).await;
        world.pass(Duration::from_secs(50));
    }
    project(&world).await;
    let rolls = (0..4).map(|_| {
        let context = world.context.clone();
        tokio::spawn(
            async move { roll_online::run(&context).await.is_ok() & roll_active::run(&context).await.is_ok() },
        )
    });
    let mut done = 0;
    for roll in rolls.collect::<Vec<_>>() {
        // One that met another may be told to try again.
        done += usize::from(roll.await.unwrap());
    }
    assert!(done >= 1);
    roll(&world).await;
    check_minutes(&world).await;
    let (kept, made) = (kept(&world).await, rebuilt(&world).await);
    assert_eq!(kept, made);
}

async fn log_ins_are_counted_once_and_outlive_their_sessions(mut world: World) {
    let (ann, first) = world.user("ann").await;
    world.connect(ann, first, Reason::Login).await;
    let second = world.session_on(ann, Platform::Ios).await;
    world.connect(ann, second, Reason::Login).await;
    project(&world).await;
    world.pass(Duration::from_secs(120));
    roll(&world).await;
    let log_ins = async |world: &World, platform| {
        let range = Range { from: Timestamp(0), to: world.clock.now(), platform };
        let known = world.context.db.run(move |c| range.known(c, ChartStep::Minute)).await.unwrap();
        let quarters = world.context.db.run(move |c| range.known(c, ChartStep::Hour)).await.unwrap();
        let sum = |all: &[lastseen_shared::statistics::series::Known]| all.iter().map(|one| one.logins).sum::<i64>();
        assert_eq!(sum(&known), sum(&quarters));
        sum(&known)
    };
    assert_eq!((log_ins(&world, None).await, log_ins(&world, Some(Platform::Ios)).await), (2, 1));
    world.context.sessions_kept = Duration::ZERO;
    execute(&world, "UPDATE sessions SET ended_at_ms = 1, end_reason = 'logout'").await;
    clean_sessions::run(&world.context).await.unwrap();
    let now = world.clock.now();
    world.context.db.run(move |c| rebuild(c, None, now)).await.unwrap();
    assert_eq!(log_ins(&world, None).await, 2, "their rows are gone");
}

async fn a_stopped_worker_leaves_no_hole(world: World) {
    let people = people(&world, 2).await;
    world.connect(people[0].0, people[0].1, Reason::Login).await;
    project(&world).await;
    world.pass(Duration::from_secs(100));
    roll(&world).await;
    // For two days nobody sweeps, projects or rolls.
    world.pass(Duration::from_secs(2 * 86_400));
    world.context.engine.expire(0, 100).await.unwrap();
    world.connect(people[1].0, people[1].1, Reason::Login).await;
    project(&world).await;
    world.pass(Duration::from_secs(61));
    roll(&world).await;
    check_minutes(&world).await;
    check_days(&world).await;
    let (kept, made) = (kept(&world).await, rebuilt(&world).await);
    assert_eq!(kept, made);
}

async fn statuses_are_sampled(world: World) {
    let people = people(&world, 3).await;
    let change = |user: UserId, standing: Standing| {
        let changes = AccountChanges { standing: Some(standing), ..AccountChanges::default() };
        move |c: &mut AnyConnection| write_transaction(c, |c| Account::change(c, user, &changes).map(|_| ()))
    };
    // From the beginning of an hour, so that all samples are of one step.
    let now = world.clock.now();
    world.clock.set(Timestamp(now.0 - now.0 % (60 * MINUTE) + 60 * MINUTE));
    world.connect(people[0].0, people[0].1, Reason::Login).await;
    sample_statuses::run(&world.context).await.unwrap();
    world.pass(Duration::from_secs(60));
    world.connect(people[1].0, people[1].1, Reason::Login).await;
    world.context.engine.idle(people[1].0, people[1].1, true).await.unwrap();
    let banned = Standing { status: Status::Banned, is_active: true };
    world.context.db.run(change(people[2].0, banned)).await.unwrap();
    sample_statuses::run(&world.context).await.unwrap();
    let range = Range { from: Timestamp(0), to: world.clock.now().plus(TIMEOUT), platform: None };
    let told = world.context.db.run(move |c| range.statuses(c, ChartStep::Hour, Zone::UTC)).await.unwrap();
    // available, away, dnd; active, pending, suspended, banned, inactive.
    let means: Vec<_> = told.iter().map(|step| step.means).collect();
    assert_eq!(means, [[1.0, 0.5, 0.0, 2.5, 0.0, 0.0, 0.5, 0.0]]);
}

async fn history_is_forgotten_when_its_time_is_over(world: World) {
    let now = world.clock.now();
    let people = people(&world, 3).await;
    let year = Duration::from_secs(365 * 86_400);
    // A year ago, of which month there is no partition.
    world.clock.set(now.minus(year));
    world.connect(people[0].0, people[0].1, Reason::Login).await;
    world.pass(Duration::from_secs(5));
    world.context.engine.disconnect(people[0].0, people[0].1, Reason::Logout).await.unwrap();
    // Shortly before it is too old; just not yet; and one that is still open.
    world.clock.set(now.minus(world.context.history_kept + Duration::from_secs(30)));
    world.connect(people[1].0, people[1].1, Reason::Login).await;
    world.pass(Duration::from_secs(5));
    world.context.engine.disconnect(people[1].0, people[1].1, Reason::Logout).await.unwrap();
    world.clock.set(now);
    world.connect(people[2].0, people[2].1, Reason::Login).await;
    world.pass(Duration::from_secs(5));
    world.context.engine.disconnect(people[2].0, people[2].1, Reason::Logout).await.unwrap();
    let later = world.session_on(people[1].0, Platform::Web).await;
    world.connect(people[1].0, later, Reason::Login).await;
    project(&world).await;
    assert_eq!(world.history(people[0].0).await.len(), 1, "its month was made");
    let months = async |world: &World| match world.is_postgres() {
        true => {
            let text = "SELECT relname::text AS line FROM pg_class WHERE relkind = 'r' AND relname LIKE 'presence_history_20%' ORDER BY 1";
            load::<Line>(world, text).await.into_iter().map(|row| row.line).collect::<Vec<_>>()
        }
        false => Vec::new(),
    };
    if world.is_postgres() {
        assert!(months(&world).await.len() >= 14, "a year of them: {:?}", months(&world).await);
        // A job that was killed half-way has left one that is not attached any more.
        let oldest = months(&world).await.remove(0);
        execute(&world, &format!("ALTER TABLE presence_history DETACH PARTITION {oldest}")).await;
        execute(&world, &format!("DELETE FROM {oldest}")).await;
    }
    clean_history::run(&world.context).await.unwrap();
    clean_history::run(&world.context).await.unwrap();
    assert_eq!(world.history(people[0].0).await, []);
    assert_eq!(world.history(people[1].0).await, [(now.0 + 5_000, None, "login".into(), None)]);
    assert_eq!(world.history(people[2].0).await.len(), 1);
    // This month and at least the two after it are ready, and at most the one before is still there.
    assert!(!world.is_postgres() || (3..=4).contains(&months(&world).await.len()), "{:?}", months(&world).await);
}
