//! Believable people, for pictures of the page and for trying it: `lastseen-api seed-demo`.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::account::hashing::Hasher;
use crate::account::{Email, Password, Role, Standing, Status, Username};
use crate::db::schema::{accounts, presence, presence_history};
use crate::db::{AnyConnection, Db, write_transaction};
use crate::ids::UserId;
use crate::models::statistics::mark_changed;
use crate::models::{Account, NewAccount, intervals};
use crate::presence::Reason;
use crate::presence::availability::{Privacy, Shown};
use crate::presence::transition::Transition;
use crate::refusal::Failure;
use crate::statistics::Platform;
use crate::timestamp::Timestamp;

/// What everybody in the demo logs in with.
pub const PASSWORD: &str = "demo-password";

const FIRST: &[&str] = &[
    "Amara", "Bo", "Chiara", "Dmitri", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Mateo",
    "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Samir", "Tove", "Uma", "Viktor", "Wen", "Ximena", "Yusuf", "Zoe",
];
const LAST: &[&str] = &[
    "abara",
    "brandt",
    "costa",
    "dahl",
    "eriksen",
    "ferrari",
    "garcia",
    "hoffmann",
    "ivanova",
    "jansen",
    "kimura",
    "lindqvist",
    "moreau",
    "novak",
    "okafor",
    "petrov",
    "quispe",
    "rossi",
    "schmidt",
    "tanaka",
];
const PLATFORMS: [Platform; 5] = [Platform::Web, Platform::Ios, Platform::Web, Platform::Android, Platform::Web];
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Numbers that look random and are the same at every call, so that pictures are.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: i64) -> i64 {
        // Knuth's MMIX constants; the high bits are the better ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % bound.unsigned_abs().max(1)).unwrap_or(0)
    }
}

/// Adds `count` people to a database that holds no users yet, with a week of history. Answers false, having done
/// nothing, for one that has some.
///
/// # Errors
/// Where the database is away.
pub async fn seed(db: &Db, hasher: &Hasher, count: usize) -> Result<bool, Failure> {
    let hash = hasher.hash(Password::typed(PASSWORD.to_owned())).await?;
    db.run(move |connection| {
        write_transaction(connection, |c| {
            let users: i64 = accounts::table.filter(accounts::role.eq("user")).count().get_result(c)?;
            if users > 0 {
                return Ok::<_, Failure>(false);
            }
            let mut numbers = Numbers(7);
            for place in 0..count {
                add(c, &mut numbers, place, &hash)?;
            }
            Ok(true)
        })
    })
    .await
}

fn add(c: &mut AnyConnection, numbers: &mut Numbers, place: usize, hash: &str) -> Result<(), Failure> {
    let first = FIRST[place % FIRST.len()];
    // Each round of first names meets the last names at another place.
    let last = LAST[(place * 7 + place / FIRST.len()) % LAST.len()];
    let round = place / (FIRST.len() * LAST.len());
    let suffix = if round == 0 { String::new() } else { round.to_string() };
    let name = format!("{}.{last}{suffix}", first.to_lowercase());
    let standing = match place % 17 {
        5 => Standing { status: Status::Pending, is_active: true },
        9 => Standing { status: Status::Suspended, is_active: true },
        13 if place.is_multiple_of(2) => Standing { status: Status::Banned, is_active: true },
        15 => Standing { is_active: false, ..Standing::ACTIVE },
        _ => Standing::ACTIVE,
    };
    let bad = |problem: String| Failure::Internal(format!("demo: {problem}"));
    let new = NewAccount {
        username: Username::parse(&name).map_err(bad)?,
        email: Email::parse(&format!("{name}@example.org")).map_err(bad)?,
        password_hash: hash.to_owned(),
        role: Role::User,
        standing,
    };
    let account = Account::insert_within(c, &new)?;
    if standing.status == Status::Pending {
        return Ok(());
    }
    let now = Timestamp::now().0;
    let (mut last_seen, mut transitions) = (0, Vec::new());
    for day in (0..7).rev() {
        // From one to four stretches of a working day and evening, the last well before now.
        let mut at = now - (day + 1) * DAY + numbers.below(8 * 60) * MINUTE;
        for _ in 0..=numbers.below(4) {
            let length = (5 + numbers.below(150)) * MINUTE;
            let end = at + length;
            if end >= now - 5 * MINUTE {
                break;
            }
            let ended_by = if numbers.below(3) == 0 { Reason::Logout } else { Reason::Timeout };
            transitions.push(transition(account.id, true, at, Reason::Login));
            transitions.push(transition(account.id, false, end, ended_by));
            last_seen = if ended_by == Reason::Logout { end } else { end - 2 * MINUTE };
            at = end + (10 + numbers.below(180)) * MINUTE;
        }
    }
    let began = transitions.first().map(|first: &Transition| first.at);
    intervals::write(c, 0, &HashMap::from([(account.id, transitions)]))?;
    diesel::update(presence_history::table.filter(presence_history::user_id.eq(account.id.0)))
        .set(presence_history::platform.eq(PLATFORMS[place % PLATFORMS.len()].as_str()))
        .execute(c)?;
    if let Some(began) = began {
        mark_changed(c, began)?;
    }
    diesel::update(presence::table.find(account.id.0))
        .set((presence::last_seen_ms.eq(last_seen), presence::reason.eq("timeout")))
        .execute(c)?;
    Ok(())
}

fn transition(user: UserId, online: bool, at: i64, reason: Reason) -> Transition {
    let at = Timestamp(at);
    let (shown, privacy) = (Shown::default(), Privacy::default());
    Transition { user, online, at, last_seen: at, reason, session: None, session_seen: at, shown, privacy }
}
