//! Examples: one table of fields, which all bodies are put together from.

use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};

/// When everything of the examples happens.
const AT: &str = "2026-01-01T12:00:00.000Z";
/// A cursor that says nothing to whoever reads it.
const CURSOR: &str = "MToxNzY3MjY4ODAwMDAw";

/// What a field holds, by the name of its schema where others have one that is named alike.
pub fn of(schema: &str, field: &str) -> Option<Value> {
    let value = match (schema, field) {
        // Schemas in which a name means something of its own.
        ("AuditShape", "id") => json!(7),
        ("ContactBody", "user_id") | ("ContactShape", "id" | "user_id") => json!(3),
        ("ContactShape", "username") => json!("bob"),
        ("DeliveryShape", "id") => json!(9),
        ("DeliveryShape", "type") => json!("account.created"),
        ("DeliveryShape", "body") => {
            json!(r#"{"type":"account.created","timestamp":"2026-01-01T12:00:00.000Z","data":{"user_id":2}}"#)
        }
        ("DeviceShape" | "SessionShape", "id") => json!(1),
        ("DeviceShape", "online") => json!(true),
        ("HealthAnswer", "status") => json!("ok"),
        ("LastDeliveryShape" | "PartShape", "ok") => json!(true),
        ("NotificationShape", "id") => json!(5),
        ("NowAnswer", "by_availability") => json!({ "available": 1, "away": 0, "dnd": 0 }),
        ("NowAnswer", "by_status") => {
            json!({ "active": 2, "banned": 0, "inactive": 0, "pending": 0, "suspended": 1 })
        }
        ("PartShape", "name") => json!("database"),
        ("PeakShape", "online") => json!(57),
        ("PlatformShape", "sessions") => json!(640),
        ("PointShape", "online") => json!(41.25),
        ("ProblemBody", "code") => json!("user_not_found"),
        ("ProblemBody", "detail" | "title") => json!("There is no such user"),
        ("ProblemBody", "field") => Value::Null,
        ("ProblemBody", "status") => json!(404),
        ("ReadyAnswer", "status") => json!("ready"),
        ("SessionsAnswer", "count") => json!(900),
        ("StatusesShape", "by_availability") => json!({ "available": 30.5, "away": 8.25, "dnd": 2.5 }),
        ("StatusesShape", "by_status") => {
            json!({ "active": 812.0, "banned": 1.0, "inactive": 4.0, "pending": 9.0, "suspended": 2.0 })
        }
        ("TransitionShape", "id") => json!("1767268800000-0"),
        ("WebhookShape", "id") => json!(4),
        // A page that is the last one has none.
        ("ChangesAnswer", "next_cursor") => json!(CURSOR),
        (_, "next_cursor" | "next_before") => Value::Null,

        // Accounts.
        (_, "id" | "user_id" | "target_id") => json!(2),
        (_, "ids") => json!([2, 3]),
        (_, "username" | "target") => json!("ann"),
        (_, "email") => json!("ann@example.org"),
        (_, "password" | "old") => json!("correct horse battery"),
        (_, "new") => json!("through the looking-glass"),
        (_, "role") => json!("user"),
        (_, "status") => json!("active"),
        (_, "is_active") => json!(true),
        (_, "actor_id") => json!(1),
        (_, "actor") => json!("admin"),
        (_, "action") => json!("suspend"),
        (_, "reason") => json!("spam"),
        (_, "details") => json!({
            "from": { "status": "active", "is_active": true },
            "to": { "status": "suspended", "is_active": true },
        }),

        // Log-ins and devices.
        (_, "access") => json!("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.bm90LWEtc2lnbmF0dXJl"),
        (_, "refresh") => json!("AAAAAAAAAAE.MGmxrUvOk4aV1eX2bT0hcw.n_mj0uZnnauWFhQjKPpq58T907oCjOi3mdM"),
        (_, "device") => json!("laptop"),
        (_, "platform") => json!("web"),
        (_, "session_id") => json!(1),
        (_, "current" | "everywhere") => json!(true),
        (_, "leaving") => json!(false),
        (_, "idle_seconds") => json!(0),
        (_, "kid") => json!("Qmjcwmxq"),
        (_, "x") => json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),

        // Presence.
        (_, "online_status") => json!("online"),
        (_, "availability") => json!("dnd"),
        (_, "text") => json!("In a meeting"),
        (_, "emoji") => json!("☕"),
        (_, "start_reason") => json!("login"),
        (_, "end_reason") => json!("timeout"),
        (_, "read_at") => Value::Null,
        (_, "unread") => json!(1),

        // Times and how long.
        (_, "at" | "last_seen" | "ended_at" | "exported_at" | "since" | "last_attempt_at") => json!(AT),
        (_, "created_at" | "started_at") => json!("2026-01-01T11:00:00.000Z"),
        (_, "until") => json!("2026-01-01T13:00:00.000Z"),
        (_, "online_until") => json!("2026-01-01T12:02:00.000Z"),
        (_, "day") => json!("2026-01-01"),
        (_, "heartbeat_interval_seconds") => json!(30),
        (_, "inactivity_timeout_seconds" | "timeout_min_seconds") => json!(120),
        (_, "timeout_max_seconds") => json!(3600),
        (_, "away_after_seconds") => json!(300),
        (_, "admin_refresh_seconds") => json!(10),

        // Webhooks.
        (_, "url") => json!("https://example.org/hooks/lastseen"),
        (_, "events") => json!(["presence.*", "account.created"]),
        (_, "description") => json!("Tells the chat"),
        (_, "enabled") => json!(true),
        (_, "webhook_id") => json!("msg_sSJDTd5SFMW8WStTLTzZB5gl"),
        (_, "attempts") => json!(1),
        (_, "last_status") => json!(200),
        (_, "last_response") => json!("ok"),
        (_, "disabled_reason" | "failing_since" | "last_error" | "next_attempt_at") => Value::Null,

        // Statistics.
        (_, "total") => json!(3),
        (_, "online") => json!(1),
        (_, "at_least") => json!(false),
        (_, "peak") => json!(57),
        (_, "logins") => json!(12),
        (_, "daily") => json!(120),
        (_, "weekly") => json!(310),
        (_, "monthly") => json!(512),
        (_, "from_seconds") => json!(0),
        (_, "to_seconds") => json!(60),
        (_, "count") => json!(31),
        (_, "weekday") => json!(1),
        (_, "hour") => json!(9),
        (_, "mean_online") => json!(3.5),
        (_, "mean_seconds") => json!(1500.5),
        (_, "median_seconds") => json!(610.25),

        // Settings.
        (_, "version") => json!("0.1.0"),
        (_, "registration") => json!("open"),
        _ => return None,
    };
    Some(value)
}

/// Bodies of which one names some fields only.
fn of_body(schema: &str) -> Option<Value> {
    match schema {
        "EditBody" => Some(json!({ "role": "admin", "reason": "looks after the others" })),
        "EditWebhookBody" => Some(json!({ "enabled": false })),
        "MeBody" => Some(json!({ "availability": "dnd", "text": "In a meeting", "emoji": "☕" })),
        _ => None,
    }
}

/// Gives each field of a schema an example that has none.
pub fn fill(name: &str, schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            for (field, property) in &mut object.properties {
                let RefOr::T(property) = property else { continue };
                let example = match property {
                    Schema::Object(property) => &mut property.example,
                    Schema::Array(property) => &mut property.example,
                    _ => continue,
                };
                *example = example.take().or_else(|| of(name, field));
            }
            object.example = object.example.take().or_else(|| of_body(name));
        }
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter_mut().for_each(|part| fill(name, part)),
        _ => {}
    }
}

/// A whole example of a schema, put together of its fields'; `all` are the schemas by name.
pub fn whole(schema: &Value, all: &Value) -> Value {
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return whole(&all[name], all);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let members = parts.iter().filter_map(|part| match whole(part, all) {
            Value::Object(members) => Some(members),
            _ => None,
        });
        return Value::Object(members.flatten().collect());
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let there = choices.iter().find(|choice| choice["type"] != "null");
        return there.map(|choice| whole(choice, all)).unwrap_or_default();
    }
    if let Some(items) = schema.get("items") {
        return json!([whole(items, all)]);
    }
    let Some(fields) = schema["properties"].as_object() else { return Value::Null };
    Value::Object(fields.iter().map(|(name, field)| (name.clone(), whole(field, all))).collect())
}
