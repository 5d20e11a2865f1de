//! How a user's profile stands in its value and in the stream: letters, times, and the words as JSON.

use std::sync::Arc;

use super::answers::{Answer, unknown};
use crate::presence::availability::{Availability, Choice, Privacy, Profile, Shown, Visibility, Words};
use crate::timestamp::Timestamp;

const fn letter(availability: Availability) -> char {
    match availability {
        Availability::Available => 'a',
        Availability::Away => 'w',
        Availability::Dnd => 'd',
        Availability::Invisible => 'i',
    }
}

/// A letter of the scripts' for how available a user is.
pub(super) fn availability(text: &str) -> Answer<Availability> {
    match text {
        "a" => Ok(Availability::Available),
        "w" => Ok(Availability::Away),
        "d" => Ok(Availability::Dnd),
        "i" => Ok(Availability::Invisible),
        other => Err(unknown(other)),
    }
}

const fn visibility_letter(visibility: Visibility) -> char {
    match visibility {
        Visibility::Everyone => 'e',
        Visibility::Contacts => 'c',
        Visibility::Nobody => 'n',
    }
}

fn visibility(letter: char) -> Answer<Visibility> {
    match letter {
        'e' => Ok(Visibility::Everyone),
        'c' => Ok(Visibility::Contacts),
        'n' => Ok(Visibility::Nobody),
        other => Err(unknown(other)),
    }
}

/// Two letters: who may see online, and last seen.
pub(super) fn privacy_text(privacy: Privacy) -> String {
    [privacy.online, privacy.last_seen].map(visibility_letter).iter().collect()
}

/// What [`privacy_text`] makes.
pub(super) fn privacy(text: &str) -> Answer<Privacy> {
    let mut letters = text.chars();
    match (letters.next(), letters.next(), letters.next()) {
        (Some(online), Some(last_seen), None) => {
            Ok(Privacy { online: visibility(online)?, last_seen: visibility(last_seen)? })
        }
        _ => Err(unknown(text)),
    }
}

/// A string in JSON without `|` and `,`: the scripts part a value by them.
fn quoted(text: Option<&String>) -> String {
    serde_json::json!(text).to_string().replace('|', "\\u007c").replace(',', "\\u002c")
}

fn words_text(words: Option<&Arc<Words>>) -> String {
    let Some(words) = words else { return String::new() };
    format!("{{\"text\":{},\"emoji\":{}}}", quoted(words.text.as_ref()), quoted(words.emoji.as_ref()))
}

/// What [`words_text`] makes.
pub(super) fn words(text: &str) -> Answer<Option<Arc<Words>>> {
    if text.is_empty() {
        return Ok(None);
    }
    let words: Words = serde_json::from_str(text).map_err(|_| unknown(text))?;
    Ok(Words::of(words.text, words.emoji))
}

/// `choice privacy|ends|words`, or nothing for a plain profile.
pub(super) fn profile_text(profile: &Profile) -> String {
    if profile.is_plain() {
        return String::new();
    }
    let Choice { shown: Shown { availability, words }, until } = &profile.choice;
    // An end before 1970 has long been, and one that a script can't count to will not come.
    let ends = until.filter(|_| !profile.choice.is_plain());
    let ends = ends.map_or(String::new(), |until| until.0.clamp(0, 1 << 53).to_string());
    format!("{}{}|{ends}|{}", letter(*availability), privacy_text(profile.privacy), words_text(words.as_ref()))
}

/// What [`profile_text`] makes.
pub(super) fn profile(text: &str) -> Answer<Profile> {
    if text.is_empty() {
        return Ok(Profile::default());
    }
    let bad = || unknown(text);
    let (letters, rest) = text.split_once('|').ok_or_else(bad)?;
    let (ends, said) = rest.split_once('|').ok_or_else(bad)?;
    let (choice, private) = letters.split_at_checked(1).ok_or_else(bad)?;
    let shown = Shown { availability: availability(choice)?, words: words(said)? };
    let until = if ends.is_empty() { None } else { Some(Timestamp(ends.parse().map_err(|_| bad())?)) };
    Ok(Profile { choice: Choice { shown, until }, privacy: privacy(private)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_as_it_was_written() {
        let said = [
            None,
            Words::of(Some("in Oslo, |11:5000| and ,11:5000".to_owned()), None),
            Words::of(None, Some("🌴".to_owned())),
            Words::of(Some("\"\\ \n".to_owned()), Some("🧑‍💻".to_owned())),
        ];
        for availability in [Availability::Available, Availability::Away, Availability::Dnd, Availability::Invisible]
        {
            for words in &said {
                for until in [None, Some(Timestamp(1_700_000_000_123))] {
                    for privacy in [
                        Privacy::default(),
                        Privacy { online: Visibility::Contacts, last_seen: Visibility::Nobody },
                        Privacy { online: Visibility::Nobody, last_seen: Visibility::Contacts },
                    ] {
                        let shown = Shown { availability, words: words.clone() };
                        let written = Profile { choice: Choice { shown, until }, privacy };
                        let text = profile_text(&written);
                        assert_eq!(profile(&text).unwrap(), written.at(Timestamp(0)), "{text}");
                        assert_eq!(text.is_empty(), written.is_plain());
                        assert!(!text.contains(",11:") && text.matches('|').count() <= 2, "{text}");
                    }
                }
            }
        }
    }
}
