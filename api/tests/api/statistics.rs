//! Statistics over HTTP, of a past that is written down by hand.

use std::collections::HashMap;

use lastseen_shared::db::{AnyConnection, write_transaction};
use lastseen_shared::ids::{SessionId, UserId};
use lastseen_shared::models::intervals::write;
use lastseen_shared::models::months::make_partitions;
use lastseen_shared::models::statistics::{rebuild, sample};
use lastseen_shared::presence::Reason;
use lastseen_shared::presence::availability::{Privacy, Shown};
use lastseen_shared::presence::engine::Counts;
use lastseen_shared::presence::transition::Transition;
use lastseen_shared::settings::Form;
use lastseen_shared::timestamp::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp, User, in_both_forms};

in_both_forms!(
    what_has_been_is_told,
    who_was_active_is_counted_by_days,
    what_is_asked_wrongly_is_refused,
    a_device_is_kept_longer_than_its_session,
);

const HOUR: i64 = 3_600_000;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn transition(user: i64, session: Option<i64>, online: bool, at: Timestamp) -> Transition {
    let reason = if online { Reason::Login } else { Reason::Timeout };
    let (shown, privacy) = (Shown::default(), Privacy::default());
    let session = session.map(SessionId);
    Transition { user: UserId(user), online, at, last_seen: at, reason, session, session_seen: at, shown, privacy }
}

/// A user was online from one moment to another, on the device of a session.
async fn was_online(app: &TestApp, user: i64, session: Option<i64>, from: &str, to: &str) {
    let (from, to) = (at(from), at(to));
    let both = vec![transition(user, session, true, from), transition(user, session, false, to)];
    let by_user = HashMap::from([(UserId(user), both)]);
    let work = move |c: &mut AnyConnection| {
        make_partitions(c, from, to)?;
        write_transaction(c, |c| write(c, 0, &by_user))
    };
    app.service.db.run(work).await.unwrap();
}

async fn roll(app: &TestApp, now: &str) {
    let now = at(now);
    app.service.db.run(move |c| rebuild(c, None, now)).await.unwrap();
}

async fn get(app: &TestApp, admin: &User, path: &str) -> Value {
    let answer = app.get(&format!("/api/stats/{path}"), &admin.access).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

async fn csv(app: &TestApp, admin: &User, path: &str) -> Vec<String> {
    let asked = app.request(Method::GET, &format!("/api/stats/{path}")).bearer_auth(&admin.access);
    let answer = asked.header("Accept", "text/csv").send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/csv"), "{answer:?}");
    answer.text().await.unwrap().split_terminator("\r\n").map(str::to_owned).collect()
}

/// Logs in from an app, and answers the session's id.
async fn log_in_on(app: &TestApp, name: &str, agent: &str, device: &str) -> (User, i64) {
    let body = json!({ "username": name, "password": PASSWORD, "device": device });
    let asked = app.request(Method::POST, "/api/users/login/").header("User-Agent", agent).json(&body);
    let answer = app.send(asked).await;
    let text = |field: &str| answer.body[field].as_str().unwrap().to_owned();
    let user =
        User { id: answer.body["user"]["id"].as_i64().unwrap(), access: text("access"), refresh: text("refresh") };
    let sessions = app.get(&format!("/api/users/{}/sessions/", user.id), &user.access).await;
    let sessions = sessions.body["sessions"].as_array().unwrap().clone();
    let current = sessions.iter().find(|one| one["current"] == true).unwrap();
    (user, current["id"].as_i64().unwrap())
}

async fn what_has_been_is_told(form: Form) {
    let app = TestApp::start(form).await;
    let admin = app.admin().await;
    for name in ["ann", "bob"] {
        assert_eq!(app.register(name).await.status, 201);
    }
    let (ann, hers) = log_in_on(&app, "ann", "Mozilla/5.0", "Firefox").await;
    let (bob, his) = log_in_on(&app, "bob", "okhttp/4.12", "Pixel 9").await;
    // The night in Berlin on which the clock is set back: two o'clock comes twice.
    was_online(&app, ann.id, Some(hers), "2026-10-24T22:00:00Z", "2026-10-25T01:30:00Z").await;
    was_online(&app, bob.id, Some(his), "2026-10-25T00:30:00Z", "2026-10-25T00:45:00Z").await;
    was_online(&app, bob.id, None, "2026-10-26T12:00:00Z", "2026-10-26T12:00:40Z").await;
    roll(&app, "2026-10-27T00:00:00Z").await;

    let range = "from=2026-10-24T00:00:00Z&to=2026-10-27T00:00:00Z";
    let hours = get(&app, &admin, &format!("online/?{range}&step=hour&tz=Europe/Berlin")).await;
    let points = hours["points"].as_array().unwrap();
    assert_eq!(points[0], json!({ "at": "2026-10-24T22:00:00.000Z", "online": 1.0, "peak": 1, "logins": 0 }));
    assert_eq!(points[2], json!({ "at": "2026-10-25T00:00:00.000Z", "online": 1.25, "peak": 2, "logins": 0 }));
    assert_eq!(points[3], json!({ "at": "2026-10-25T01:00:00.000Z", "online": 0.5, "peak": 1, "logins": 0 }));
    assert_eq!(hours["peak"], json!({ "at": "2026-10-25T00:00:00.000Z", "online": 2 }));
    let days = get(&app, &admin, &format!("online/?{range}&step=day&tz=Europe/Berlin")).await;
    let days = days["points"].as_array().unwrap();
    let begin: Vec<_> = days.iter().map(|day| day["at"].as_str().unwrap()).collect();
    assert_eq!(begin, ["2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z", "2026-10-26T23:00:00.000Z"]);
    assert_eq!(days[0]["online"], json!(3.75 / 25.0), "that day has 25 hours");
    let android = get(&app, &admin, &format!("online/?{range}&step=day&platform=android")).await;
    assert_eq!((&android["points"][0]["peak"], &android["points"][1]["peak"]), (&json!(0), &json!(1)), "{android}");
    let minutes = "online/?from=2026-10-26T12:00:00Z&to=2026-10-26T12:02:00Z&step=minute";
    let expected = json!([
        { "at": "2026-10-26T12:00:00.000Z", "online": 40.0 / 60.0, "peak": 1, "logins": 0 },
        { "at": "2026-10-26T12:01:00.000Z", "online": 0.0, "peak": 0, "logins": 0 },
    ]);
    assert_eq!(get(&app, &admin, minutes).await["points"], expected);
    assert_eq!(
        csv(&app, &admin, minutes).await[..2],
        ["at,online,peak,logins", "2026-10-26T12:00:00.000Z,0.6666666666666666,1,0"]
    );
    let before = get(&app, &admin, "online/?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z").await;
    assert_eq!(before, json!({ "points": [], "peak": null }), "nothing is known of it");

    let sessions = get(&app, &admin, &format!("sessions/?{range}")).await;
    assert_eq!(sessions["count"], 3);
    let mean = (3 * HOUR + HOUR / 2 + HOUR / 4 + 40_000) as f64 / 3_000.0;
    assert_eq!(sessions["mean_seconds"], json!(mean));
    let median = sessions["median_seconds"].as_f64().unwrap();
    assert!((median - 900.0).abs() <= 9.0, "{median}");
    let counts: Vec<_> =
        sessions["lengths"].as_array().unwrap().iter().map(|one| one["count"].as_i64().unwrap()).collect();
    assert_eq!((counts[0], counts.iter().sum::<i64>()), (1, 3));
    let none = get(&app, &admin, &format!("sessions/?{range}&platform=windows")).await;
    assert_eq!((&none["count"], &none["median_seconds"]), (&json!(0), &Value::Null));
    assert_eq!(csv(&app, &admin, &format!("sessions/?{range}")).await[0], "count,mean_seconds,median_seconds");

    let heatmap = get(&app, &admin, &format!("heatmap/?{range}&tz=Europe/Berlin")).await;
    let cells = heatmap["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 168);
    let cell = |weekday: i64, hour: i64| {
        cells.iter().find(|one| one["weekday"] == weekday && one["hour"] == hour).unwrap()["mean_online"].clone()
    };
    assert_eq!((cell(7, 0), cell(7, 2)), (json!(1.0), json!(1.75 / 2.0)), "twice two o'clock");
    assert_eq!(cell(4, 0), Value::Null);
    assert_eq!(csv(&app, &admin, &format!("heatmap/?{range}")).await.len(), 169);

    let platforms = get(&app, &admin, &format!("platforms/?{range}")).await;
    let told: Vec<_> = platforms["platforms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (one["platform"].as_str().unwrap(), one["peak"].as_i64().unwrap(), one["sessions"].as_i64().unwrap())
        })
        .collect();
    assert_eq!(told, [("web", 1, 1), ("android", 1, 1), ("other", 1, 1)]);
    assert_eq!(csv(&app, &admin, &format!("platforms/?{range}")).await.len(), 4);

    let sample = |c: &mut AnyConnection| {
        let counts = Counts { online: 5, away: 2, dnd: 1, ..Counts::default() };
        sample(c, at("2026-10-26T12:00:00Z"), counts)
    };
    app.service.db.run(sample).await.unwrap();
    let statuses = get(&app, &admin, &format!("statuses/?{range}&step=day")).await;
    let by_availability = json!({ "available": 2.0, "away": 2.0, "dnd": 1.0 });
    let by_status = json!({ "active": 3.0, "banned": 0.0, "inactive": 0.0, "pending": 0.0, "suspended": 0.0 });
    let day = "2026-10-26T00:00:00.000Z";
    let expected = json!({ "points": [{ "at": day, "by_availability": by_availability, "by_status": by_status }] });
    assert_eq!(statuses, expected);
    let lines = csv(&app, &admin, &format!("statuses/?{range}&step=day")).await;
    assert_eq!(
        lines,
        ["at,available,away,dnd,active,pending,suspended,banned,inactive", &format!("{day},2,2,1,3,0,0,0,0")]
    );

    assert_eq!(csv(&app, &admin, "now/").await[..3], ["what,name,users", "total,,3", "online,,3"]);
}

async fn who_was_active_is_counted_by_days(form: Form) {
    let app = TestApp::start(form).await;
    let (admin, ann, bob) = (app.admin().await, app.user("ann").await, app.user("bob").await);
    // The first of four days, none of which is today.
    let first = Timestamp::now().0.div_euclid(24 * HOUR) * 24 * HOUR - 12 * 24 * HOUR;
    let after = |hours: i64| Timestamp(first + hours * HOUR).to_string();
    was_online(&app, ann.id, None, &after(22), &after(26)).await;
    was_online(&app, bob.id, None, &after(24), &after(25)).await;
    was_online(&app, bob.id, None, &after(60), &after(61)).await;
    roll(&app, &after(72)).await;
    let day = |n: i64| after(24 * n)[..10].to_owned();
    let days = csv(&app, &admin, "active/?days=366").await;
    let counts = ["1,1,1", "2,2,2", "1,2,2", "0,2,2"];
    let wanted: Vec<String> = (0..4).zip(counts).map(|(n, counts)| format!("{},{counts}", day(n))).collect();
    assert_eq!((days[0].as_str(), &days[1..]), ("day,daily,weekly,monthly", &wanted[..]));
    assert_eq!(
        get(&app, &admin, "active/?days=366").await["points"][1],
        json!({ "day": day(1), "daily": 2, "weekly": 2, "monthly": 2 })
    );
}

async fn what_is_asked_wrongly_is_refused(form: Form) {
    let app = TestApp::start(form).await;
    let (admin, ann) = (app.admin().await, app.user("ann").await);
    for (path, field) in [
        ("online/?step=week", "step"),
        ("online/?tz=Mars/Olympus", "tz"),
        ("online/?from=yesterday", "from"),
        ("online/?to=2026-13-01T00:00:00Z", "to"),
        ("online/?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("online/?step=minute&from=2026-01-01T00:00:00Z&to=2026-01-20T00:00:00Z", "step"),
        ("online/?from=2000-01-01T00:00:00Z&step=day", "from"),
        ("online/?platform=all", "platform"),
        ("online/?days=3", "days"),
        ("active/?days=0", "days"),
        ("active/?days=367", "days"),
        ("active/?days=3&days=4", "days"),
        ("statuses/?step=minute", "step"),
        ("sessions/?tz=UTC", "tz"),
        ("heatmap/?step=hour", "step"),
        ("platforms/?platform=web", "platform"),
    ] {
        let answer = app.get(&format!("/api/stats/{path}"), &admin.access).await;
        assert_eq!((answer.code(), &answer.body["field"]), ("invalid_query", &json!(field)), "{path}: {answer:?}");
    }
    for path in ["now", "online", "statuses", "active", "sessions", "heatmap", "platforms"] {
        assert_eq!(app.get(&format!("/api/stats/{path}/"), &ann.access).await.code(), "forbidden", "{path}");
        let nothing = app.get(&format!("/api/stats/{path}/"), &admin.access).await;
        assert_eq!(nothing.status, 200, "of a new installation: {nothing:?}");
    }
}

async fn a_device_is_kept_longer_than_its_session(form: Form) {
    let app = TestApp::start(form).await;
    assert_eq!(app.register("ann").await.status, 201);
    let (ann, session) = log_in_on(&app, "ann", "okhttp/4.12", "Pixel 9").await;
    app.project().await;
    app.post("/api/users/logout/", &ann.access, &json!({})).await;
    app.project().await;
    let delete = move |c: &mut AnyConnection| {
        use diesel::prelude::*;
        use lastseen_shared::db::schema::sessions;
        diesel::delete(sessions::table.find(session)).execute(c).map_err(lastseen_shared::db::DbError::from)
    };
    assert_eq!(app.service.db.run(delete).await.unwrap(), 1);
    let again = app.log_in("ann", PASSWORD).await;
    app.project().await;
    let history = app.get(&format!("/api/users/{}/history/", ann.id), &again.access).await;
    let told: Vec<_> =
        history.body["intervals"].as_array().unwrap().iter().map(|one| one["device"].clone()).collect();
    assert_eq!(told, [Value::Null, json!("Pixel 9")], "{history:?}");
    // The export has it too.
    let export = app.get("/api/users/me/export/", &again.access).await;
    assert!(export.body["history"].to_string().contains("Pixel 9"), "{export:?}");
}
