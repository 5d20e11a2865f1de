//! Where Redis is, as `REDIS_URL` says it: one server, nodes of a Cluster, or the Sentinels that know the master.

use percent_encoding::percent_decode_str;
use redis::{ConnectionInfo, IntoConnectionInfo};

/// A Sentinel's port, where none is named.
const SENTINEL_PORT: u16 = 26_379;
const SENTINEL: &str = "redis+sentinel://";

/// Where Redis is.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Server(ConnectionInfo),
    /// Some nodes of it: they know the others.
    Cluster(Vec<ConnectionInfo>),
    Sentinel(Sentinel),
}

/// A master that Sentinels watch over.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Sentinel {
    pub sentinels: Vec<(String, u16)>,
    /// What they call the master.
    pub master: String,
    pub db: i64,
    /// For the master.
    pub username: Option<String>,
    pub password: Option<String>,
    /// For the Sentinels.
    pub sentinel_username: Option<String>,
    pub sentinel_password: Option<String>,
}

// Without the passwords.
impl std::fmt::Debug for Sentinel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sentinels, master, db, .. } = self;
        f.debug_struct("Sentinel")
            .field("sentinels", sentinels)
            .field("master", master)
            .field("db", db)
            .finish_non_exhaustive()
    }
}

impl Address {
    /// Reads an address: `redis://…` or `rediss://…`; several of them, separated by commas, for a Cluster; or
    /// `redis+sentinel://[user:password@]host[:port][,host…]/master[/db]`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the address, without the password in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix(SENTINEL) {
            return Sentinel::parse(rest).map(Self::Sentinel);
        }
        let addresses: Vec<&str> = text.split(',').map(str::trim).collect();
        if let [address] = addresses.as_slice() {
            return server(address).map(Self::Server);
        }
        let nodes = addresses.into_iter().map(server).collect::<Result<Vec<_>, _>>()?;
        if nodes.iter().any(|node| node.redis_settings().db() != 0) {
            return Err("names a database of a Redis Cluster, which has only one".to_owned());
        }
        Ok(Self::Cluster(nodes))
    }
}

fn server(text: &str) -> Result<ConnectionInfo, String> {
    if !["redis://", "rediss://", "redis+unix://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Err("must begin with redis://, rediss:// or redis+sentinel://, each address of several".to_owned());
    }
    text.into_connection_info().map_err(|error| format!("is no address of a Redis server ({:?})", error.kind()))
}

impl Sentinel {
    fn parse(rest: &str) -> Result<Self, String> {
        const FORM: &str = "must be redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/db]";
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').ok_or(FORM)?;
        let (user, hosts) = authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        let (username, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            None => (None, None),
            Some((username, password)) => (plain(username)?, plain(password)?),
        };
        let sentinels = hosts.split(',').map(host).collect::<Option<Vec<_>>>().ok_or(FORM)?;
        let (master, db) = path.split_once('/').unwrap_or((path, "0"));
        let master = plain(master)?.ok_or(FORM)?;
        let db = db.parse().map_err(|_| "names a database that is no number".to_owned())?;
        let mut found =
            Self { sentinels, master, db, username, password, sentinel_username: None, sentinel_password: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sentinel_username", value)) => found.sentinel_username = plain(value)?,
                Some(("sentinel_password", value)) => found.sentinel_password = plain(value)?,
                _ => return Err("knows sentinel_username and sentinel_password behind the '?' only".to_owned()),
            }
        }
        Ok(found)
    }
}

/// Without the percent-encoding; `None` where nothing is left.
fn plain(text: &str) -> Result<Option<String>, String> {
    let text =
        percent_decode_str(text).decode_utf8().map_err(|_| "is no text behind its percent-encoding".to_owned())?;
    Ok((!text.is_empty()).then(|| text.into_owned()))
}

/// A host and its port; an IPv6 address stands in brackets.
fn host(text: &str) -> Option<(String, u16)> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok()?,
        None if port.is_empty() => SENTINEL_PORT,
        None => return None,
    };
    (!name.is_empty()).then(|| (name.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentinel(text: &str) -> Result<Sentinel, String> {
        match Address::parse(text)? {
            Address::Sentinel(sentinel) => Ok(sentinel),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_address_is_a_server_and_several_are_a_cluster() {
        assert!(matches!(Address::parse("redis://127.0.0.1:6379/1"), Ok(Address::Server(_))));
        let cluster = Address::parse("redis://a:1, redis://b:2,rediss://c:3").unwrap();
        assert!(matches!(cluster, Address::Cluster(nodes) if nodes.len() == 3));
    }

    #[test]
    fn a_sentinel_is_its_hosts_and_the_masters_name() {
        let found = sentinel("redis+sentinel://a,b:1,[::1]:2,[::2]/main").unwrap();
        let hosts =
            [("a", 26_379), ("b", 1), ("::1", 2), ("::2", 26_379)].map(|(name, port)| (name.to_owned(), port));
        assert_eq!((found.sentinels.as_slice(), found.master.as_str(), found.db), (&hosts[..], "main", 0));
        assert_eq!((found.username, found.password, found.sentinel_password), (None, None, None));
        let found =
            sentinel("redis+sentinel://me:p%40ss@a/main/7?sentinel_username=x&sentinel_password=y%26").unwrap();
        let texts = [found.username, found.password, found.sentinel_username, found.sentinel_password];
        assert_eq!(texts.map(Option::unwrap), ["me", "p@ss", "x", "y&"]);
        assert_eq!(found.db, 7);
        assert_eq!(sentinel("redis+sentinel://:secret@a/m").unwrap().password.as_deref(), Some("secret"));
    }

    #[test]
    fn what_is_no_address_is_said_without_its_password() {
        for wrong in [
            "",
            "127.0.0.1:6379",
            "http://a",
            "redis://a,b",
            "redis://:hunter2@a,http://b",
            "redis://a/1,redis://b/1",
            "redis+sentinel://:hunter2@a",
            "redis+sentinel://:hunter2@/main",
            "redis+sentinel://:hunter2@a:b/main",
            "redis+sentinel://:hunter2@[::1/main",
            "redis+sentinel://:hunter2@[::1]6/main",
            "redis+sentinel://:hunter2@a/",
            "redis+sentinel://:hunter2@a/main/x",
            "redis+sentinel://:hunter2@a/main?tls=1",
            "redis+sentinel://:hunter2%ff@a/main",
        ] {
            let error = Address::parse(wrong).expect_err(wrong);
            assert!(!error.contains("hunter2"), "{error}");
        }
        let shown = format!("{:?}", sentinel("redis+sentinel://:hunter2@a/m?sentinel_password=hunter2").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
