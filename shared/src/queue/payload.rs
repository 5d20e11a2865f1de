//! What a job is on the wire: one tagged enum in a versioned envelope.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{UserId, WebhookId};

/// The version of [`Envelope`] that this program writes, and the only one that it reads.
pub const VERSION: u16 = 1;

/// A piece of work for a worker. Each kind is safe to run twice.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Take sessions past their deadline out of a shard and make their transitions.
    Sweep {
        /// The shard of the presence engine.
        shard: u32,
    },
    /// Compare a shard with the database and repair what differs.
    Reconcile {
        /// The shard of the presence engine.
        shard: u32,
        /// Where the job that this one goes on from left off; the beginning without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Place>,
    },
    /// Trim a shard's stream of transitions behind what has been projected.
    TrimTransitions {
        /// The shard of the presence engine.
        shard: u32,
    },
    /// Delete the rows of sessions that ended long ago.
    CleanSessions {},
    /// Delete notifications that are older than history is kept.
    CleanNotifications {},
    /// Send what is due to one webhook.
    Deliver {
        /// Which.
        webhook: WebhookId,
    },
    /// Send what is due to any webhook.
    DeliverDue {},
    /// Delete deliveries that are too old to be kept.
    CleanDeliveries {},
    /// Roll up who was online.
    RollOnline {},
    /// Roll up who was active.
    RollActive {},
    /// Sample what only the moment shows.
    SampleStatuses {},
    /// Delete history that is older than it is kept, and make room for what is to come.
    CleanHistory {},
    /// Remove finished tasks from the queue itself.
    CleanTasks {},
}

/// How far a [`Job::Reconcile`] has come.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Among the users whom the engine holds: its own cursor.
    Held(u64),
    /// Among the users of whom the database has an open interval: behind this one.
    Open(UserId),
}

impl Job {
    /// The reconcile of a whole shard.
    #[must_use]
    pub fn reconcile(shard: u32) -> Self {
        Self::Reconcile { shard, from: None }
    }

    /// The names of all kinds.
    pub const NAMES: [&str; 13] = [
        "sweep",
        "reconcile",
        "trim_transitions",
        "clean_sessions",
        "clean_notifications",
        "deliver",
        "deliver_due",
        "clean_deliveries",
        "roll_online",
        "roll_active",
        "sample_statuses",
        "clean_history",
        "clean_tasks",
    ];

    /// The name of the kind, as it is written in the payload, in logs and in metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sweep { .. } => "sweep",
            Self::Reconcile { .. } => "reconcile",
            Self::TrimTransitions { .. } => "trim_transitions",
            Self::CleanSessions {} => "clean_sessions",
            Self::CleanNotifications {} => "clean_notifications",
            Self::Deliver { .. } => "deliver",
            Self::DeliverDue {} => "deliver_due",
            Self::CleanDeliveries {} => "clean_deliveries",
            Self::RollOnline {} => "roll_online",
            Self::RollActive {} => "roll_active",
            Self::SampleStatuses {} => "sample_statuses",
            Self::CleanHistory {} => "clean_history",
            Self::CleanTasks {} => "clean_tasks",
        }
    }

    /// The shard the job works on, if its kind has one.
    #[must_use]
    pub fn shard(&self) -> Option<u32> {
        match self {
            Self::Sweep { shard } | Self::Reconcile { shard, .. } | Self::TrimTransitions { shard } => Some(*shard),
            Self::Deliver { .. } | Self::DeliverDue {} | Self::CleanDeliveries {} => None,
            Self::CleanSessions {}
            | Self::CleanNotifications {}
            | Self::RollOnline {}
            | Self::RollActive {}
            | Self::SampleStatuses {}
            | Self::CleanHistory {}
            | Self::CleanTasks {} => None,
        }
    }

    /// What makes two enqueued jobs the same one: `name:shard:tick`, and `name:-:tick` without a shard. Where a job goes on
    /// from another of its tick, the place is in the shard's stead as well.
    ///
    /// `tick` is the scheduled moment in Unix milliseconds, the same number in every replica.
    #[must_use]
    pub fn idempotency_key(&self, tick: i64) -> String {
        let name = self.name();
        match (self, self.shard()) {
            (Self::Reconcile { shard, from: Some(Place::Held(cursor)) }, _) => {
                format!("{name}:{shard}-held-{cursor}:{tick}")
            }
            (Self::Reconcile { shard, from: Some(Place::Open(user)) }, _) => {
                format!("{name}:{shard}-open-{user}:{tick}")
            }
            (_, Some(shard)) => format!("{name}:{shard}:{tick}"),
            (_, None) => format!("{name}:-:{tick}"),
        }
    }
}

/// A job as it travels: with the version of its format and the moment it was scheduled for.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The version of this format; see [`VERSION`].
    pub v: u16,
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// The scheduled moment in Unix milliseconds; 0 for a job enqueued by hand.
    pub tick: i64,
}

/// Why a payload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Another version of the program wrote it.
    #[error("job payload has version {found}, and this program reads version {VERSION} only")]
    UnknownVersion {
        /// The version in the payload.
        found: u64,
    },
    /// It is not an envelope, or the job is of an unknown kind.
    #[error("job payload cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Envelope {
    /// Wraps a job for the queue. `tick` is in Unix milliseconds, 0 for a job enqueued by hand.
    #[must_use]
    pub fn new(job: Job, tick: i64) -> Self {
        Self { v: VERSION, job, tick }
    }

    /// Reads an envelope.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] when the version is another one or the payload is not an envelope.
    pub fn decode(payload: Value) -> Result<Self, PayloadError> {
        // The version first: what another version means by the other fields is not known here.
        if let Some(found) = payload.get("v").and_then(Value::as_u64)
            && found != u64::from(VERSION)
        {
            return Err(PayloadError::UnknownVersion { found });
        }
        Ok(serde_json::from_value(payload)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one_of_each() -> Vec<(Job, Value)> {
        vec![
            (Job::Sweep { shard: 3 }, json!({"v": 1, "job": "sweep", "shard": 3, "tick": 60_000})),
            (Job::reconcile(0), json!({"v": 1, "job": "reconcile", "shard": 0, "tick": 60_000})),
            (
                Job::Reconcile { shard: 0, from: Some(Place::Held(u64::MAX)) },
                json!({"v": 1, "job": "reconcile", "shard": 0, "from": {"held": u64::MAX}, "tick": 60_000}),
            ),
            (
                Job::Reconcile { shard: 0, from: Some(Place::Open(UserId(7))) },
                json!({"v": 1, "job": "reconcile", "shard": 0, "from": {"open": 7}, "tick": 60_000}),
            ),
            (
                Job::TrimTransitions { shard: 15 },
                json!({"v": 1, "job": "trim_transitions", "shard": 15, "tick": 60_000}),
            ),
            (Job::CleanSessions {}, json!({"v": 1, "job": "clean_sessions", "tick": 60_000})),
            (Job::CleanNotifications {}, json!({"v": 1, "job": "clean_notifications", "tick": 60_000})),
            (Job::Deliver { webhook: WebhookId(7) }, json!({"v": 1, "job": "deliver", "webhook": 7, "tick": 60_000})),
            (Job::DeliverDue {}, json!({"v": 1, "job": "deliver_due", "tick": 60_000})),
            (Job::CleanDeliveries {}, json!({"v": 1, "job": "clean_deliveries", "tick": 60_000})),
            (Job::RollOnline {}, json!({"v": 1, "job": "roll_online", "tick": 60_000})),
            (Job::RollActive {}, json!({"v": 1, "job": "roll_active", "tick": 60_000})),
            (Job::SampleStatuses {}, json!({"v": 1, "job": "sample_statuses", "tick": 60_000})),
            (Job::CleanHistory {}, json!({"v": 1, "job": "clean_history", "tick": 60_000})),
            (Job::CleanTasks {}, json!({"v": 1, "job": "clean_tasks", "tick": 60_000})),
        ]
    }

    #[test]
    fn every_job_survives_the_round_trip() {
        for (job, wire) in one_of_each() {
            let envelope = Envelope::new(job.clone(), 60_000);
            let written = serde_json::to_value(&envelope).unwrap();
            assert_eq!(written, wire);
            assert_eq!(written["job"], job.name(), "name() is the tag");
            assert!(Job::NAMES.contains(&job.name()));
            assert_eq!(Envelope::decode(written).unwrap(), envelope);
        }
    }

    #[test]
    fn another_version_is_named_in_the_error() {
        let payload = json!({"v": 2, "job": "sweep", "shards": [1, 2], "tick": 0});
        let error = Envelope::decode(payload).unwrap_err();
        assert_eq!(error.to_string(), "job payload has version 2, and this program reads version 1 only");
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        for payload in [
            json!(null),
            json!(7),
            json!({"job": "sweep", "shard": 1, "tick": 0}),
            json!({"v": 1, "job": "nonsense", "tick": 0}),
            json!({"v": 1, "job": "sweep", "tick": 0}),
        ] {
            let error = Envelope::decode(payload.clone()).unwrap_err();
            assert!(matches!(error, PayloadError::Malformed(_)), "{payload}");
        }
    }

    #[test]
    fn keys_differ_by_kind_shard_and_tick() {
        assert_eq!(Job::Sweep { shard: 3 }.idempotency_key(7), "sweep:3:7");
        let later = |place| Job::Reconcile { shard: 3, from: Some(place) }.idempotency_key(7);
        assert_eq!(later(Place::Held(9)), "reconcile:3-held-9:7");
        assert_eq!(later(Place::Open(UserId(9))), "reconcile:3-open-9:7");
        assert_eq!(Job::CleanTasks {}.idempotency_key(7), "clean_tasks:-:7");
    }
}
