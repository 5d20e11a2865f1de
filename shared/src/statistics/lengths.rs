//! How long sessions were: counts by length, small enough to keep for each quarter of an hour, from which a median can be
//! told to within one percent however long the range.

use std::collections::BTreeMap;
use std::time::Duration;

/// Lengths below this, in milliseconds, have a bucket each; above, each doubling has so many.
const FINE: u64 = 64;
const FINE_BITS: u32 = FINE.trailing_zeros();

/// Counts by length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths(BTreeMap<u32, u64>);

fn bucket(ms: u64) -> u32 {
    let Some(shift) = ms.checked_ilog2().and_then(|log| log.checked_sub(FINE_BITS)) else {
        return u32::try_from(ms).unwrap_or(0);
    };
    // The leading bits, of which the first is always one.
    let leading = u32::try_from(ms >> shift).unwrap_or(0);
    shift * FINE as u32 + leading
}

/// The middle of a bucket, in milliseconds.
fn middle(bucket: u32) -> f64 {
    let fine = FINE as u32;
    if bucket < 2 * fine {
        return f64::from(bucket);
    }
    let shift = bucket / fine - 1;
    let leading = bucket - shift * fine;
    (f64::from(leading) + 0.5) * 2_f64.powi(shift.cast_signed()) - 0.5
}

impl Lengths {
    /// Counts one.
    pub fn add(&mut self, length: Duration) {
        let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        *self.0.entry(bucket(ms)).or_default() += 1;
    }

    /// Counts all of another's.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, n) in &other.0 {
            *self.0.entry(*bucket).or_default() += n;
        }
    }

    /// The median, in seconds; `None` of nothing.
    #[must_use]
    pub fn median_seconds(&self) -> Option<f64> {
        let count: u64 = self.0.values().sum();
        let place = |place: u64| {
            let mut before = 0;
            self.0.iter().find_map(|(bucket, n)| {
                before += n;
                (before > place).then(|| middle(*bucket))
            })
        };
        // Of an even number it is half-way between the two in the middle.
        let (low, high) = (place(count.checked_sub(1)? / 2)?, place(count / 2)?);
        Some((low + high) / 2.0 / 1_000.0)
    }

    /// How many are from one bound up to the next, the last without end. Bounds in seconds, rising, the first 0.
    #[must_use]
    pub fn bands(&self, bounds: &[u32]) -> Vec<u64> {
        let mut bands = vec![0; bounds.len()];
        for (bucket, n) in &self.0 {
            let seconds = middle(*bucket) / 1_000.0;
            if let Some(place) = bounds.iter().rposition(|bound| f64::from(*bound) <= seconds) {
                bands[place] += n;
            }
        }
        bands
    }

    /// As bytes: for each bucket how far it is from the one before, and its count, as LEB128 numbers.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (mut bytes, mut last) = (Vec::new(), 0);
        for (bucket, n) in &self.0 {
            for mut number in [u64::from(bucket - last), *n] {
                while number >= 0x80 {
                    bytes.push((number & 0x7f) as u8 | 0x80);
                    number >>= 7;
                }
                bytes.push(number as u8);
            }
            last = *bucket;
        }
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// A sentence, for what [`Self::encode`] did not make.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let broken = || "counts by length are broken".to_owned();
        let mut bytes = bytes.iter();
        let mut number = || -> Result<Option<u64>, String> {
            let mut number = 0;
            for place in 0..10 {
                let byte = match bytes.next() {
                    Some(byte) => *byte,
                    None if place == 0 => return Ok(None),
                    None => return Err(broken()),
                };
                number |= u64::from(byte & 0x7f) << (7 * place);
                if byte < 0x80 {
                    return Ok(Some(number));
                }
            }
            Err(broken())
        };
        let (mut lengths, mut last) = (Self::default(), 0_u32);
        while let Some(step) = number()? {
            let n = number()?.ok_or_else(broken)?;
            last = u32::try_from(step).ok().and_then(|step| last.checked_add(step)).ok_or_else(broken)?;
            lengths.0.insert(last, n);
        }
        Ok(lengths)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lengths: &[u64]) -> Lengths {
        let mut counted = Lengths::default();
        lengths.iter().for_each(|ms| counted.add(Duration::from_millis(*ms)));
        counted
    }

    #[test]
    fn medians_and_bands() {
        assert_eq!(of(&[]).median_seconds(), None);
        assert_eq!(of(&[5]).median_seconds(), Some(0.005));
        assert_eq!(of(&[10, 20]).median_seconds(), Some(0.015));
        let counted = of(&[1_000, 59_000, 61_000, 100_000_000]);
        assert_eq!(counted.bands(&[0, 60, 3_600]), [2, 1, 1]);
    }

    proptest! {
        #[test]
        fn a_median_is_right_to_a_percent(mut lengths in prop::collection::vec(0..10_000_000_000_u64, 1..60), cut in 0..60_usize) {
            let told = of(&lengths).median_seconds().unwrap() * 1_000.0;
            let cut = cut.min(lengths.len());
            let mut merged = of(&lengths[..cut]);
            merged.merge(&of(&lengths[cut..]));
            prop_assert_eq!(&merged, &of(&lengths));
            prop_assert_eq!(Lengths::decode(&merged.encode()).unwrap(), merged);
            lengths.sort_unstable();
            let exact = (lengths[(lengths.len() - 1) / 2] + lengths[lengths.len() / 2]) as f64 / 2.0;
            prop_assert!((told - exact).abs() <= exact / 100.0 + 0.5, "{} for {}", told, exact);
        }

        #[test]
        fn bytes_that_are_none_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Lengths::decode(&bytes);
        }
    }

    #[test]
    fn broken_bytes_are_refused() {
        for bytes in [&[0x80][..], &[1], &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0x7f, 1]] {
            assert!(Lengths::decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
