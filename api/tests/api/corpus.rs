//! The fuzzers' corpus, and texts that are mixed up of it: the same in every run.

use std::path::Path;

use lastseen_api::fuzz_targets::TARGETS;

/// How many are mixed of each file.
const MIXED: usize = 1_500;

/// xorshift64* (Vigna 2016): the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        usize::try_from(number).unwrap() % bound.max(1)
    }
}

/// One to four changes: a byte is another, some are left out, or said twice, or come from another file.
fn mix(from: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = from.to_vec();
    for _ in 0..=numbers.below(4) {
        let place = numbers.below(bytes.len());
        let end = (place + 1 + numbers.below(16)).min(bytes.len());
        match numbers.below(4) {
            0 if !bytes.is_empty() => bytes[place] = u8::try_from(numbers.below(256)).unwrap(),
            1 if !bytes.is_empty() => drop(bytes.drain(place..end)),
            2 if !bytes.is_empty() => {
                let piece = bytes[place..end].to_vec();
                bytes.splice(place..place, piece);
            }
            _ => {
                let begin = numbers.below(other.len());
                bytes.splice(place.min(bytes.len()).., other[begin.min(other.len())..].iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn what_strangers_send_is_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in TARGETS {
        let mut files: Vec<_> =
            std::fs::read_dir(corpus.join(name)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 4, "{name}");
        let texts: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
        for text in &texts {
            target(text);
            for _ in 0..MIXED {
                let other = &texts[numbers.below(texts.len())];
                target(&mix(text, other, &mut numbers));
            }
        }
    }
}
