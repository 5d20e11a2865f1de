use super::*;

fn check(form: Form, changes: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let mut values = vec![];
    if form == Form::Distributed {
        values.extend([
            ("DATABASE_URL", "postgres://localhost/lastseen"),
            ("REDIS_URL", "redis://localhost"),
            ("LASTSEEN_JWT_SECRET", "0123456789abcdef0123456789abcdef"),
        ]);
    }
    values.extend(changes);
    Settings::check(&Raw::new(values.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()))), form)
}

#[test]
fn stand_alone_needs_nothing() {
    let settings = check(Form::StandAlone, &[]).unwrap();
    assert_eq!(settings.presence.heartbeat_interval, Duration::from_secs(30));
    assert_eq!(settings.presence.timeout_max, Duration::from_secs(3_600));
    assert_eq!(settings.presence.shards, 1);
    assert_eq!(settings.database.address, Address::Sqlite("data/lastseen.db".into()));
}

#[test]
fn distributed_names_all_that_is_missing() {
    let error = Settings::check(&Raw::default(), Form::Distributed).unwrap_err().to_string();
    for variable in ["DATABASE_URL", "REDIS_URL", "LASTSEEN_JWT_SECRET"] {
        assert!(error.contains(variable), "{error}");
    }
    assert!(check(Form::Distributed, &[]).is_ok());
}

#[test]
fn every_bad_value_is_named() {
    let rows = [
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_URL", "sqlite://x.db"),
        ("REDIS_URL", "http://x"),
        ("REDIS_URL", "redis://"),
        ("LASTSEEN_BIND", "here"),
        ("LASTSEEN_BIND", "127.0.0.1:99999"),
        ("LASTSEEN_WORKER_BIND", "127.0.0.1"),
        ("LASTSEEN_JWT_SECRET", "short"),
        ("LASTSEEN_JWT_PREVIOUS_SECRETS", "short,too"),
        ("LASTSEEN_ADMIN_USERNAME", "a b"),
        ("LASTSEEN_ADMIN_PASSWORD", "short"),
        ("LASTSEEN_ADMIN_EMAIL", "nobody"),
        ("LASTSEEN_HEARTBEAT_INTERVAL", "30"),
        ("LASTSEEN_HEARTBEAT_INTERVAL", "0s"),
        ("LASTSEEN_INACTIVITY_TIMEOUT", "59s"),
        ("LASTSEEN_TIMEOUT_MIN", "soon"),
        ("LASTSEEN_TIMEOUT_MIN", "1s"),
        ("LASTSEEN_TIMEOUT_MAX", "1m"),
        ("LASTSEEN_ORPHAN_TIMEOUT", "-5s"),
        ("LASTSEEN_SWEEP_CRON", "every minute"),
        ("LASTSEEN_SWEEP_CRON", "99 * * * * *"),
        ("LASTSEEN_ADMIN_REFRESH", "x"),
        ("LASTSEEN_AWAY_AFTER", "29s"),
        ("LASTSEEN_AWAY_AFTER", "25h"),
        ("LASTSEEN_HIDDEN_FROM_ADMINS", "everything"),
        ("LASTSEEN_HIDDEN_FROM_ADMINS", "online,none"),
        ("LASTSEEN_HIDDEN_FROM_ADMINS", "online,,invisible"),
        ("LASTSEEN_NOTIFY_AGAIN", "999ms"),
        ("LASTSEEN_NOTIFY_AGAIN", "0s"),
        ("LASTSEEN_ACCESS_TTL", "1y"),
        ("LASTSEEN_REFRESH_TTL", "1m"),
        ("LASTSEEN_REGISTRATION", "maybe"),
        ("LASTSEEN_CORS_ORIGINS", "*"),
        ("LASTSEEN_CORS_ORIGINS", "example.org"),
        ("LASTSEEN_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("LASTSEEN_TRUSTED_PROXIES", "proxy"),
        ("LASTSEEN_TLS_CERTIFICATE", "cert.pem"),
        ("LASTSEEN_TLS_KEY", "key.pem"),
        ("LASTSEEN_BCRYPT_COST", "3"),
        ("LASTSEEN_BCRYPT_COST", "16"),
        ("LASTSEEN_BCRYPT_COST", "9"),
        ("LASTSEEN_HISTORY_RETENTION", "forever"),
        ("LASTSEEN_RATE_LIMITS", "maybe"),
        ("LASTSEEN_WEBHOOK_ALLOW_PRIVATE", "perhaps"),
        ("LASTSEEN_SHARDS", "0"),
        ("LASTSEEN_SHARDS", "1025"),
        ("LASTSEEN_RESUME_WINDOW", "-"),
        ("LASTSEEN_KEY_PREFIX", "{x}"),
        ("LASTSEEN_THREADS", "0"),
        ("LASTSEEN_DATABASE_CONNECTIONS", "none"),
        ("LASTSEEN_WORKER_CONCURRENCY", "0"),
        ("LASTSEEN_LOG_FORMAT", "xml"),
    ];
    for (variable, value) in rows {
        let error = check(Form::Distributed, &[(variable, value)]).expect_err(variable).to_string();
        assert!(error.lines().any(|line| line.starts_with(variable)), "{variable}={value}: {error}");
    }
    for setting in table::SETTINGS.iter().filter(|setting| setting.variable != "RUST_LOG") {
        assert!(rows.iter().any(|(variable, _)| *variable == setting.variable), "no row for {}", setting.variable);
    }
}

#[test]
fn secrets_are_not_printed() {
    let settings = check(Form::Distributed, &[("LASTSEEN_ADMIN_PASSWORD", "correct horse battery")]).unwrap();
    let printed = format!("{settings:?}");
    for secret in ["0123456789abcdef", "correct horse", "postgres://"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
