//! Cursors into the transitions of all shards: what a client holds to ask for what came since.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::transition::TransitionId;

/// A place in every shard's transitions. Its text is opaque to clients: base64url of `epoch@ms-seq` a shard, joined
/// by commas. Not signed: a forged one reads from another place, which is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// In the order of the shards.
    pub places: Vec<Place>,
}

/// A place in one shard's transitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The epoch's id: a cursor of another epoch has expired.
    pub epoch: String,
    /// The last transition that its holder has seen.
    pub id: TransitionId,
}

/// Longer texts are no cursors of ours: 64 bytes a shard, 1024 shards at the most, in base64.
const LONGEST: usize = 64 * 1024 * 4 / 3;

impl Cursor {
    /// The text for a client.
    #[must_use]
    pub fn encode(&self) -> String {
        let places: Vec<String> = self.places.iter().map(|place| format!("{}@{}", place.epoch, place.id)).collect();
        URL_SAFE_NO_PAD.encode(places.join(","))
    }

    /// Reads a client's text.
    ///
    /// # Errors
    /// A sentence, for a text that [`Self::encode`] never made.
    pub fn decode(text: &str) -> Result<Self, String> {
        let bad = || "is no cursor that this server gave out".to_owned();
        if text.len() > LONGEST {
            return Err(bad());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
        let text = String::from_utf8(bytes).map_err(|_| bad())?;
        let places = text
            .split(',')
            .map(|place| {
                let (epoch, id) = place.split_once('@').ok_or_else(bad)?;
                let plain = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit() || b == b':');
                if !plain || epoch.len() > 40 {
                    return Err(bad());
                }
                Ok(Place { epoch: epoch.to_owned(), id: id.parse().map_err(|_| bad())? })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { places })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let place = |seq| Place { epoch: "4:1700000000000000".into(), id: TransitionId { ms: u64::MAX, seq } };
        let cursor = Cursor { places: vec![place(0), place(u64::MAX)] };
        assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
    }

    proptest! {
        #[test]
        fn refuses_what_it_did_not_write(text in "\\PC{0,60}") {
            if let Ok(cursor) = Cursor::decode(&text) {
                prop_assert_eq!(Cursor::decode(&cursor.encode()).ok(), Some(cursor));
            }
        }
    }
}
