//! One request again and again, one after the other on one connection: how long each took, and how much of the processors'
//! time it cost the API, Redis and PostgreSQL. Prints a line of JSON.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::{Failed, number, of, text};

/// Requests before those that count.
const WARM_UP: usize = 20;

/// The subcommand.
pub fn command() -> Command {
    let id = |name: &'static str| number(name, "The process whose time is read, with its children's").required(false);
    Command::new("reads")
        .about("Send one request again and again, and tell what it takes")
        .arg(text("address", "host:port of the API"))
        .arg(text("token", "An access token"))
        .arg(text("path", "What to ask for"))
        .arg(text("what", "Its name in the answer"))
        .arg(number("count", "How many requests").required(false).default_value("300"))
        .arg(number("seconds", "…but none is begun after so many seconds").required(false).default_value("60"))
        .arg(number("ids", "Ask by POST for the presence of so many users, others each time").required(false))
        .arg(number("of", "…of users up to this id").required(false).default_value("1000"))
        .arg(
            text("body", "Ask by POST with this body; {} in it is a number from 1 to `of`, another each time")
                .required(false),
        )
        .arg(number("digits", "…with so many digits").required(false).default_value("1"))
        .arg(
            Arg::new("revalidate")
                .long("revalidate")
                .action(ArgAction::SetTrue)
                .help("Send the answer's ETag: expect 304"),
        )
        .arg(id("api"))
        .arg(id("redis"))
        .arg(id("postgres"))
}

struct Answer {
    status: u16,
    etag: Option<String>,
    body: Vec<u8>,
}

struct Client {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Client {
    fn connect(address: &str) -> Result<Self, Failed> {
        let writer = TcpStream::connect(address)?;
        writer.set_nodelay(true)?;
        writer.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 16, writer.try_clone()?), writer })
    }

    /// Sends a request, and reads all of its answer.
    fn ask(&mut self, request: &[u8]) -> Result<Answer, Failed> {
        self.writer.write_all(request)?;
        let (mut line, mut status, mut length, mut etag) = (String::new(), 0, 0, None);
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err("the API hung up".into());
            }
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if status == 0 {
                status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("no HTTP")?;
            } else if let Some((name, value)) = text.split_once(':') {
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse()?,
                    "etag" => etag = Some(value.trim().to_owned()),
                    _ => {}
                }
            }
        }
        let mut body = vec![0; if status == 304 { 0 } else { length }];
        self.reader.read_exact(&mut body)?;
        Ok(Answer { status, etag, body })
    }
}

/// What a process has had of the processors, in µs: all of its threads, and its children (PostgreSQL works in those).
fn cpu_us(process: i64) -> f64 {
    let of_task = |task: &std::path::Path| {
        let text = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e3
    };
    let mut all = 0.0;
    for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        all += of_task(&task.path());
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all += children.split_whitespace().map(|child| of_task(format!("/proc/{child}").as_ref())).sum::<f64>();
    }
    all
}

/// The request of a turn. The numbers are the same in every run.
fn request(matches: &ArgMatches, turn: usize, etag: Option<&str>) -> String {
    let name = |name: &str| matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let (last, digits) = (of(matches, "of").max(1), usize::try_from(of(matches, "digits")).unwrap_or(1));
    let mut number = turn as i64 * 7_919 + 1;
    let mut next = || {
        number = (number * 1_103_515_245 + 12_345).rem_euclid(1 << 31);
        number % last + 1
    };
    let ids = matches.get_one::<i64>("ids").map(|ids| {
        let ids: Vec<String> = (0..*ids).map(|_| next().to_string()).collect();
        format!("{{\"ids\":[{}]}}", ids.join(","))
    });
    let body = ids.or_else(|| {
        matches.get_one::<String>("body").map(|body| body.replace("{}", &format!("{:0digits$}", next())))
    });
    let (method, more) = match &body {
        Some(body) => ("POST", format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())),
        None => ("GET", etag.map(|etag| format!("If-None-Match: {etag}\r\n")).unwrap_or_default()),
    };
    let (path, token, body) = (name("path"), name("token"), body.unwrap_or_default());
    format!("{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n{more}\r\n{body}")
}

/// Runs the subcommand.
pub fn run(matches: &ArgMatches) -> Result<(), Failed> {
    let address = matches.get_one::<String>("address").map(String::as_str).unwrap_or_default();
    let mut client = Client::connect(address)?;
    let revalidate = matches.get_flag("revalidate");
    let expected = if revalidate { 304 } else { 200 };
    let mut etag = None;
    let mut ask = |turn: usize, expected: u16, etag: Option<&str>| {
        let request = request(matches, turn, etag);
        let begin = Instant::now();
        let answer = client.ask(request.as_bytes())?;
        let took = begin.elapsed();
        if answer.status != expected {
            return Err(Failed::from(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body))));
        }
        Ok((took, answer))
    };
    if revalidate {
        etag = ask(0, 200, None)?.1.etag;
    }
    let begin = Instant::now();
    let within = Duration::from_secs(of(matches, "seconds").unsigned_abs());
    for turn in 0..WARM_UP {
        ask(turn, expected, etag.as_deref())?;
        if begin.elapsed() > within / 10 {
            break;
        }
    }
    let processes = ["api", "redis", "postgres"].map(|name| matches.get_one::<i64>(name).copied());
    let read = || processes.map(|process| process.map_or(0.0, cpu_us));
    let (before, begin) = (read(), Instant::now());
    let (mut times, mut bytes) = (Vec::new(), 0);
    for turn in 0..usize::try_from(of(matches, "count"))? {
        let (took, answer) = ask(turn + WARM_UP, expected, etag.as_deref())?;
        times.push(took.as_secs_f64() * 1e3);
        bytes = answer.body.len();
        if begin.elapsed() > within {
            break;
        }
    }
    let after = read();
    times.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() as f64 * part) as usize).min(times.len() - 1)];
    let mut line = serde_json::json!({
        "what": matches.get_one::<String>("what"), "requests": times.len(), "bytes": bytes,
        "median_ms": rounded(at(0.5)), "p99_ms": rounded(at(0.99)),
    });
    for ((name, before), after) in ["api_cpu_us", "redis_cpu_us", "postgres_cpu_us"].iter().zip(before).zip(after) {
        line[*name] = ((after - before) / times.len() as f64).round().into();
    }
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// How long a password's hash of a cost takes: the median of a hundred, in ms.
pub fn hash(cost: i64) -> Result<(), Failed> {
    let stored = bcrypt::hash("correct horse battery staple", u32::try_from(cost)?)?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let begin = Instant::now();
        if !bcrypt::verify("correct horse battery staple", &stored)? {
            return Err("bcrypt does not know its own hash".into());
        }
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_unstable_by(f64::total_cmp);
    writeln!(std::io::stdout(), "{}", rounded(times[times.len() / 2]))?;
    Ok(())
}

fn rounded(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}
