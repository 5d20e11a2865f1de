//! What kind of device a session is on.

/// What kind of device a session is on, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// A browser, on whatever device.
    Web,
    /// An app on iOS.
    Ios,
    /// An app on Android.
    Android,
    /// A program on Windows.
    Windows,
    /// A program on macOS.
    Macos,
    /// A program on Linux.
    Linux,
    /// Anything else.
    Other,
}

impl Platform {
    /// Each.
    pub const ALL: [Self; 7] =
        [Self::Web, Self::Ios, Self::Android, Self::Windows, Self::Macos, Self::Linux, Self::Other];

    /// The word for it, in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Ios => "ios",
            Self::Android => "android",
            Self::Windows => "windows",
            Self::Macos => "macos",
            Self::Linux => "linux",
            Self::Other => "other",
        }
    }

    /// What a client's own words say: a browser calls itself Mozilla, apps name the system or the library that they
    /// send by. The user agent outranks the device's name where it is a browser's.
    #[must_use]
    pub fn of(device: &str, agent: &str) -> Self {
        if agent.starts_with("Mozilla/") {
            return Self::Web;
        }
        Self::named_in(device).or_else(|| Self::named_in(agent)).unwrap_or(Self::Other)
    }

    fn named_in(text: &str) -> Option<Self> {
        // In this order: what runs on Android says Linux too, and what runs on iOS Darwin.
        const WORDS: [(&str, Platform); 15] = [
            ("iphone", Platform::Ios),
            ("ipad", Platform::Ios),
            ("ios", Platform::Ios),
            ("cfnetwork", Platform::Ios),
            ("android", Platform::Android),
            ("dalvik", Platform::Android),
            ("okhttp", Platform::Android),
            ("windows", Platform::Windows),
            ("macos", Platform::Macos),
            ("mac", Platform::Macos),
            ("macbook", Platform::Macos),
            ("macintosh", Platform::Macos),
            ("imac", Platform::Macos),
            ("darwin", Platform::Macos),
            ("linux", Platform::Linux),
        ];
        let text = text.to_lowercase();
        let words: Vec<&str> = text.split(|c: char| !c.is_alphabetic()).collect();
        if ["firefox", "chrome", "chromium", "safari", "edge", "browser"].iter().any(|name| words.contains(name)) {
            return Some(Self::Web);
        }
        WORDS.iter().find(|(word, _)| words.contains(word)).map(|(_, platform)| *platform)
    }
}

impl std::str::FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.iter().map(|one| one.as_str()).collect();
            format!("must be one of {}", words.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_apart_by_what_they_say() {
        for (device, agent, expected) in [
            ("", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15", Platform::Web),
            ("Kim's iPhone", "Mozilla/5.0", Platform::Web),
            ("Firefox on Linux", "", Platform::Web),
            ("Kim's iPhone", "Chat/7 CFNetwork/1410 Darwin/22.6.0", Platform::Ios),
            ("", "Chat/7 CFNetwork/1410 Darwin/22.6.0", Platform::Ios),
            ("", "Dalvik/2.1.0 (Linux; U; Android 15)", Platform::Android),
            ("", "okhttp/4.12", Platform::Android),
            ("MacBook Pro", "curl/8", Platform::Macos),
            ("Windows 11", "", Platform::Windows),
            ("linux box", "python-requests/2", Platform::Linux),
            ("curios", "curl/8", Platform::Other),
            ("", "", Platform::Other),
        ] {
            assert_eq!(Platform::of(device, agent), expected, "{device} {agent}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for platform in Platform::ALL {
            assert_eq!(platform.as_str().parse(), Ok(platform));
        }
        assert!("all".parse::<Platform>().is_err());
    }
}
