//! How long sessions were: counts by length, small enough to keep for each quarter of an hour, from which a median can be
//! told to within one percent however long the range.

use std::time::Duration;

/// Lengths below this, in milliseconds, have a bucket each; above, each doubling has so many.
const FINE: u64 = 64;
const FINE_BITS: u32 = FINE.trailing_zeros();

/// Counts by length: one for each bucket, up to the last that has any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths(Vec<u64>);

fn bucket(ms: u64) -> usize {
    let Some(shift) = ms.checked_ilog2().and_then(|log| log.checked_sub(FINE_BITS)) else {
        return ms as usize;
    };
    // The leading bits, of which the first is always one.
    shift as usize * FINE as usize + (ms >> shift) as usize
}

/// The middle of a bucket, in milliseconds.
fn middle(bucket: usize) -> f64 {
    let fine = FINE as usize;
    if bucket < 2 * fine {
        return bucket as f64;
    }
    let shift = bucket / fine - 1;
    let leading = bucket - shift * fine;
    (leading as f64 + 0.5) * (1_u64 << shift) as f64 - 0.5
}

fn broken() -> String {
    "counts by length are broken".to_owned()
}

/// The next LEB128 number; `None` at the end.
fn number(bytes: &mut std::slice::Iter<'_, u8>) -> Result<Option<u64>, String> {
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
}

impl Lengths {
    /// Counts one.
    pub fn add(&mut self, length: Duration) {
        self.count(bucket(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)), 1);
    }

    fn count(&mut self, bucket: usize, n: u64) {
        if self.0.len() <= bucket {
            self.0.resize(bucket + 1, 0);
        }
        self.0[bucket] = self.0[bucket].saturating_add(n);
    }

    /// The median, in seconds; `None` of nothing.
    #[must_use]
    pub fn median_seconds(&self) -> Option<f64> {
        let count: u64 = self.0.iter().sum();
        let place = |place: u64| {
            let mut before = 0;
            self.0.iter().enumerate().find_map(|(bucket, n)| {
                before += n;
                (before > place).then(|| middle(bucket))
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
        for (bucket, n) in self.0.iter().enumerate().filter(|(_, n)| **n > 0) {
            let seconds = middle(bucket) / 1_000.0;
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
        for (bucket, n) in self.0.iter().enumerate().filter(|(_, n)| **n > 0) {
            for mut number in [(bucket - last) as u64, *n] {
                while number >= 0x80 {
                    bytes.push((number & 0x7f) as u8 | 0x80);
                    number >>= 7;
                }
                bytes.push(number as u8);
            }
            last = bucket;
        }
        bytes
    }

    /// Counts all of another's, from its bytes.
    ///
    /// # Errors
    /// A sentence, for what [`Self::encode`] did not make; a part is counted then.
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (mut bytes, mut last) = (bytes.iter(), 0_usize);
        while let Some(step) = number(&mut bytes)? {
            let n = number(&mut bytes)?.ok_or_else(broken)?;
            let place = usize::try_from(step).ok().and_then(|step| last.checked_add(step));
            last = place.filter(|place| *place <= bucket(u64::MAX)).ok_or_else(broken)?;
            self.count(last, n);
        }
        Ok(())
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
            merged.merge(&of(&lengths[cut..]).encode()).unwrap();
            prop_assert_eq!(&merged, &of(&lengths));
            lengths.sort_unstable();
            let exact = (lengths[(lengths.len() - 1) / 2] + lengths[lengths.len() / 2]) as f64 / 2.0;
            prop_assert!((told - exact).abs() <= exact / 100.0 + 0.5, "{} for {}", told, exact);
        }

        #[test]
        fn bytes_that_are_none_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Lengths::default().merge(&bytes);
        }
    }

    #[test]
    fn broken_bytes_are_refused() {
        for bytes in [&[0x80][..], &[1], &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0x7f, 1]] {
            assert!(Lengths::default().merge(bytes).is_err(), "{bytes:?}");
        }
    }
}
