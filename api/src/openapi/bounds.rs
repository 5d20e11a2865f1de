//! What fields of bodies and parameters of queries may hold, as far as a schema can say it: one table, by their names. What
//! a schema can't say (a password that is not the name, a cursor that this server gave out) is in their descriptions.

use std::sync::LazyLock;

use lastseen_shared::account::password::{LONGEST_PASSWORD_BYTES, SHORTEST_PASSWORD_CHARACTERS};
use lastseen_shared::account::status::Standing;
use lastseen_shared::account::{names, words};
use lastseen_shared::service;
use lastseen_shared::statistics::Platform;
use lastseen_shared::webhooks::{address, events};
use serde_json::Value;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};

use crate::handlers::{presence, query};

/// What a value may be.
enum Bound {
    /// One of these words.
    Words(Vec<&'static str>),
    /// A number between these two, both included.
    Number(f64, f64),
    /// A text of so many characters.
    Length(usize, usize),
    /// A text of at least so many characters.
    Least(usize),
    /// A text of at most so many characters, none of them one that texts may not hold.
    Plain(usize),
    /// A text like this.
    Like(&'static str, usize),
    /// A text in this format.
    Format(KnownFormat),
    /// So many of these.
    List(usize, usize),
}

use Bound::{Format, Least, Length, Like, List, Number, Plain, Words};

/// By the schema's name and the field's; of queries, by the path and the parameter's name.
fn of(whose: &str, name: &str) -> Option<Bound> {
    let of_words = |words: &[&'static str]| Some(Words(words.to_vec()));
    match (whose, name) {
        // What a name or an address is compared with may be anything.
        ("LoginBody", "username" | "password") | ("PasswordBody", "old") => None,
        (_, "username") => Some(Length(names::SHORTEST_NAME, names::LONGEST_NAME)),
        (_, "email") => Some(Like(r"^[^@\s]+@[^@\s]+$", names::LONGEST_EMAIL)),
        (_, "password" | "new") => Some(Length(SHORTEST_PASSWORD_CHARACTERS, LONGEST_PASSWORD_BYTES)),
        (_, "role") => of_words(&["user", "admin"]),
        ("/api/webhooks/{id}/deliveries/", "status") => of_words(&["pending", "delivered", "dead"]),
        // `inactive` is not a status of its own: accounts are not active.
        (_, "status") => Some(Words(Standing::WORDS.into_iter().filter(|word| *word != "inactive").collect())),
        (_, "reason") => Some(Plain(service::LONGEST_REASON)),
        (_, "device") => Some(Plain(service::LONGEST_DEVICE)),
        (_, "idle_seconds") => Some(Number(0.0, 4_294_967_296.0)),
        (_, "away_after_seconds") => Some(Number(30.0, 86_400.0)),
        (_, "availability") => of_words(&["available", "away", "dnd", "invisible"]),
        (_, "online_visibility" | "last_seen_visibility") => of_words(&["everyone", "contacts", "nobody"]),
        (_, "text") => Some(Plain(words::LONGEST_TEXT)),
        (_, "emoji") => Some(Length(1, words::LONGEST_EMOJI)),
        (_, "when") => of_words(&["once", "always", "never"]),
        (_, "url") => Some(Like("^https?://", address::LONGEST)),
        (_, "description") => Some(Plain(service::LONGEST_DESCRIPTION)),
        // Their types are in the description: a client is to pass on those that it does not know.
        (_, "events") => Some(List(1, events::MOST)),
        ("IdsBody", "ids") => Some(List(0, presence::MOST)),

        // Queries alone.
        (_, "ids") => Some(List(1, presence::MOST)),
        (_, "limit") => Some(Number(1.0, f64::from(query::MOST))),
        (_, "days") => Some(Number(1.0, 366.0)),
        (_, "from" | "to") => Some(Format(KnownFormat::DateTime)),
        ("/api/stats/statuses/", "step") => of_words(&["hour", "day"]),
        (_, "step") => of_words(&["minute", "hour", "day"]),
        (_, "platform") => Some(Words(Platform::ALL.map(Platform::as_str).to_vec())),
        (_, "online_status") => of_words(&["online", "offline"]),
        (_, "order") => of_words(&["id", "-id", "username", "-username", "last_seen", "-last_seen"]),
        (_, "search") => Some(Length(0, service::LONGEST_SEARCH)),
        (_, "cursor") => Some(Like("^[A-Za-z0-9_-]+$", 2_000)),
        (_, "since" | "tz") => Some(Least(1)),
        _ => None,
    }
}

/// Says of each field of a body that clients send what it may hold.
pub fn fill(name: &str, schema: &mut RefOr<Schema>) {
    let sent = name.ends_with("Body") && name != "ProblemBody";
    if let (true, RefOr::T(Schema::Object(body))) = (sent, schema) {
        for (field, schema) in &mut body.properties {
            bind(name, field, schema);
        }
    }
}

/// Says of one value what it may hold.
pub fn bind(whose: &str, name: &str, schema: &mut RefOr<Schema>) {
    if let (Some(bound), RefOr::T(schema)) = (of(whose, name), schema) {
        apply(bound, schema);
    }
}

fn apply(bound: Bound, schema: &mut Schema) {
    match (bound, schema) {
        (List(least, most), Schema::Array(array)) => {
            (array.min_items, array.max_items) = (Some(least).filter(|least| *least > 0), Some(most));
        }
        (bound, Schema::Object(object)) => match bound {
            Words(words) => {
                let mut values: Vec<Value> = words.into_iter().map(Value::from).collect();
                let null = matches!(&object.schema_type, SchemaType::Array(types) if types.contains(&Type::Null));
                values.extend(null.then_some(Value::Null));
                object.enum_values = Some(values);
            }
            Number(from, to) => (object.minimum, object.maximum) = (Some(from.into()), Some(to.into())),
            Least(least) => object.min_length = Some(least),
            Length(least, most) => {
                (object.min_length, object.max_length) = (Some(least).filter(|least| *least > 0), Some(most));
            }
            Plain(most) => (object.pattern, object.max_length) = (Some(plain().to_owned()), Some(most)),
            Like(pattern, most) => (object.pattern, object.max_length) = (Some(pattern.to_owned()), Some(most)),
            Format(format) => object.format = Some(SchemaFormat::KnownFormat(format)),
            List(..) => {}
        },
        _ => {}
    }
}

/// A text without what [`names::plain_text`] refuses: of the basic plane alone, as of those beyond it no pattern means the
/// same to all who read it.
fn plain() -> &'static str {
    static PATTERN: LazyLock<String> = LazyLock::new(|| {
        let refused = |code: &u32| {
            char::from_u32(*code).is_some_and(|c| names::plain_text(c.encode_utf8(&mut [0; 4]), 1).is_err())
        };
        let mut codes = (0..=0xFFFF).filter(refused).peekable();
        let mut pattern = "^[^".to_owned();
        while let Some(first) = codes.next() {
            let mut last = first;
            while let Some(next) = codes.next_if_eq(&(last + 1)) {
                last = next;
            }
            pattern +=
                &if first == last { format!("\\u{first:04x}") } else { format!("\\u{first:04x}-\\u{last:04x}") };
        }
        pattern + "]*$"
    });
    &PATTERN
}

#[cfg(test)]
mod tests {
    use lastseen_shared::account::status::{Role, Status};
    use lastseen_shared::presence::availability::{Availability, Visibility};

    use super::*;

    fn words(whose: &str, name: &str) -> Vec<&'static str> {
        match of(whose, name) {
            Some(Words(words)) => words,
            _ => panic!("{whose} {name} has no words"),
        }
    }

    #[test]
    fn each_word_of_the_document_is_one_that_is_read() {
        let read = |name, reads: fn(&str) -> bool| {
            words("", name).into_iter().for_each(|word| assert!(reads(word), "{name}: {word}"));
        };
        read("role", |word| word.parse::<Role>().is_ok());
        read("status", |word| word.parse::<Status>().is_ok());
        read("availability", |word| word.parse::<Availability>().is_ok());
        read("online_visibility", |word| word.parse::<Visibility>().is_ok());
        read("platform", |word| word.parse::<Platform>().is_ok());
    }

    #[test]
    fn a_plain_text_s_pattern_has_each_character_that_is_refused_once() {
        let pattern = plain();
        let (inner, end) = pattern.strip_prefix("^[^").unwrap().rsplit_once(']').unwrap();
        assert_eq!(end, "*$");
        assert!(inner.starts_with("\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c"), "{inner}");
        assert!(
            !inner.contains("200d") && inner.contains("\\u200b-\\u200c\\u200e-\\u200f"),
            "the joiner is part of emoji: {inner}"
        );
    }

    #[test]
    fn what_is_sent_is_bound_and_what_is_answered_is_not() {
        let document = crate::openapi::json().unwrap();
        let document: Value = serde_json::from_str(&document).unwrap();
        let register = &document["components"]["schemas"]["RegisterBody"]["properties"];
        assert_eq!(register["username"]["maxLength"], 64);
        assert_eq!(register["password"]["minLength"], 8);
        let notify = &document["components"]["schemas"]["NotifyBody"]["properties"];
        assert_eq!(notify["when"]["enum"], serde_json::json!(["once", "always", "never"]));
        let ids = &document["paths"]["/api/users/presence/"]["get"]["parameters"][0];
        assert_eq!((&ids["explode"], &ids["schema"]["maxItems"]), (&Value::Bool(false), &Value::from(1_000)));
        let answer = &document["components"]["schemas"]["UserShape"]["properties"];
        assert_eq!(answer["status"]["enum"], Value::Null, "answers may come to hold more words");
    }
}
