//! A user's own words beside its availability: known to be good, since they are shown to others.

use super::names;

/// The longest text, in characters.
pub const LONGEST_TEXT: usize = 140;
/// The longest emoji, in bytes: families and flags have several characters of four.
pub const LONGEST_EMOJI: usize = 32;

/// Reads a text as a person typed it; `None` where nothing is left of it without the white space around it.
///
/// # Errors
/// A sentence for that person.
pub fn text(text: &str) -> Result<Option<String>, String> {
    let text = text.trim();
    names::plain_text(text, LONGEST_TEXT)?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Reads an emoji: one, which may be made of several characters.
///
/// # Errors
/// A sentence for a person.
pub fn emoji(text: &str) -> Result<String, String> {
    if text.len() > LONGEST_EMOJI || !is_one_emoji(text) {
        return Err(format!("must be one emoji, of {LONGEST_EMOJI} bytes at most"));
    }
    Ok(text.to_owned())
}

const JOINER: char = '\u{200D}';
const AS_EMOJI: char = '\u{FE0F}';
const KEYCAP: char = '\u{20E3}';
const BLACK_FLAG: char = '\u{1F3F4}';

/// Emoji joined to one by joiners (Unicode's UTS #51, as far as it takes no table of each of them).
fn is_one_emoji(text: &str) -> bool {
    !text.is_empty() && text.split(JOINER).all(is_element)
}

fn is_element(text: &str) -> bool {
    let mut rest = text.chars();
    let Some(first) = rest.next() else { return false };
    let rest: Vec<char> = rest.collect();
    match (first, rest.as_slice()) {
        ('0'..='9' | '#' | '*', [KEYCAP] | [AS_EMOJI, KEYCAP]) => true,
        (flag, [other]) if is_regional(flag) => is_regional(*other),
        (flag, _) if is_regional(flag) => false,
        (BLACK_FLAG, [tags @ .., '\u{E007F}']) => {
            !tags.is_empty() && tags.iter().all(|c| ('\u{E0020}'..='\u{E007E}').contains(c))
        }
        (base, []) => is_base(base),
        (base, [AS_EMOJI]) => is_base(base),
        (base, [skin] | [AS_EMOJI, skin]) => is_base(base) && is_skin(*skin),
        _ => false,
    }
}

fn is_regional(c: char) -> bool {
    ('\u{1F1E6}'..='\u{1F1FF}').contains(&c)
}

fn is_skin(c: char) -> bool {
    ('\u{1F3FB}'..='\u{1F3FF}').contains(&c)
}

/// The blocks in which emoji are, and the few that stand alone.
fn is_base(c: char) -> bool {
    matches!(u32::from(c),
        0xA9 | 0xAE | 0x203C | 0x2049 | 0x2122 | 0x2139 | 0x24C2 | 0x3030 | 0x303D | 0x3297 | 0x3299
        | 0x2190..=0x21FF | 0x2300..=0x23FF | 0x25A0..=0x27BF | 0x2934..=0x2935 | 0x2B00..=0x2BFF
        | 0x1F000..=0x1FAFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_is_taken() {
        for good in ["🌴", "☕", "☕️", "👍🏽", "👩‍👩‍👧‍👦", "🇩🇪", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "#⃣", "❤️‍🔥", "🅰️", "ℹ️", "©", "🧑🏿‍🚀"]
        {
            assert_eq!(emoji(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn what_is_not_one_emoji_is_refused() {
        for bad in [
            "",
            " ",
            "a",
            "1",
            "#",
            "ab",
            "🌴🌴",
            "🌴 ",
            " 🌴",
            "🌴a",
            "a🌴",
            "🇩",
            "🇩🇪🇫🇷",
            "\u{200D}",
            "🌴\u{200D}",
            "\u{200D}🌴",
            "\u{FE0F}",
            "\u{202E}",
            "🌴\u{202E}",
            "\0",
            "e\u{301}",
            "用",
            "🏴\u{E0067}",
            "-",
            "👩‍👩‍👧‍👦‍👩‍👩‍👧‍👦",
        ] {
            assert!(emoji(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn texts() {
        assert_eq!(text("  in a meeting 👩‍💻 "), Ok(Some("in a meeting 👩‍💻".to_owned())));
        assert_eq!(text(" \u{2003} "), Ok(None));
        let longest = "ä".repeat(140);
        assert_eq!(text(&format!(" {longest} ")), Ok(Some(longest.clone())));
        for bad in [format!("{longest}x"), "a\0b".into(), "a\nb".into(), "a\u{202e}b".into(), "a\u{200b}b".into()] {
            assert!(text(&bad).is_err(), "{bad:?}");
        }
    }
}
