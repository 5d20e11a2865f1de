//! The board as a page: plain HTML that asks for itself anew, without a script.

use std::fmt::Write;

use lastseen_shared::queue::runs::{DeadTask, KindOfJob};

use super::Shown;

/// Nothing from elsewhere, no scripts, in nobody's frame.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="10">
<title>Jobs · Lastseen</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.error { overflow-wrap: anywhere; } code { font-size: .9em; overflow-wrap: anywhere; }
button { font: inherit; padding: .1rem .7rem; }
</style>
</head>
<body>
<h1>Jobs</h1>
"#;

/// The page.
pub(super) fn render(shown: &Shown) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(
        "<div class=\"wide\"><table><thead><tr><th>Job<th class=\"number\">Waiting<th class=\"number\">Running\
         <th class=\"number\">Retrying<th class=\"number\">Dead<th class=\"number\">Succeeded<th class=\"number\">Retries\
         <th class=\"number\">Given up<th>Last run<th>Last error</tr></thead><tbody>\n",
    );
    for (name, kind) in &shown.queue.jobs {
        page.push_str(&job(name, kind));
    }
    page.push_str("</tbody></table></div>\n<h2>Dead letters</h2>\n");
    if shown.queue.dead.is_empty() {
        page.push_str("<p>There are none.</p>\n");
    } else {
        page.push_str(
            "<div class=\"wide\"><table><thead><tr><th>Job<th>Given up at<th>Payload<th>Error<th></tr></thead><tbody>\n",
        );
        shown.queue.dead.iter().for_each(|task| page.push_str(&dead(task)));
        page.push_str("</tbody></table></div>\n");
    }
    let webhooks = &shown.webhooks;
    let oldest = webhooks.oldest_due.map(|at| format!(", the oldest since {at}")).unwrap_or_default();
    // Writing to a text can't fail.
    let _ = write!(
        page,
        "<h2>Deliveries to webhooks</h2>\n<p>{} due{oldest}; {} retrying; {} dead. Each webhook's are among its own, \
         where they can be sent again.</p>\n</body>\n</html>\n",
        webhooks.due, webhooks.retrying, webhooks.dead
    );
    page
}

fn job(name: &str, kind: &KindOfJob) -> String {
    let KindOfJob { waiting, running, retrying, dead, attempts, last } = kind;
    let (run, error) = last.as_ref().map_or((String::new(), ""), |last| {
        let run = format!("{} {} ({} ms)", last.at, last.outcome, last.took_ms);
        (run, last.error.as_deref().unwrap_or(""))
    });
    let numbers = [waiting, running, retrying, dead, &attempts.succeeded, &attempts.retrying, &attempts.failed];
    let numbers = numbers.map(|number| format!("<td class=\"number\">{number}")).concat();
    let (name, run, error) = (escape(name), escape(&run), escape(error));
    format!("<tr><td>{name}{numbers}<td>{run}<td class=\"error\">{error}</tr>\n")
}

fn dead(task: &DeadTask) -> String {
    let (job, payload, error, id) = (escape(&task.job), escape(&task.payload), escape(&task.error), escape(&task.id));
    format!(
        "<tr><td>{job}<td>{}<td><code>{payload}</code><td class=\"error\">{error}\
         <td><form method=\"post\" action=\"/board/jobs/{id}/retry\"><button>Retry</button></form></tr>\n",
        task.at
    )
}

/// A text within HTML, also within quotes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use lastseen_shared::queue::runs::Board;
    use lastseen_shared::timestamp::Timestamp;

    use super::super::Webhooks;
    use super::*;

    #[test]
    fn what_others_have_written_is_text() {
        let evil = "<script>alert('1')</script>\"&";
        let task = DeadTask {
            id: evil.to_owned(),
            job: evil.to_owned(),
            payload: evil.to_owned(),
            error: evil.to_owned(),
            at: Timestamp(0),
        };
        let queue = Board { dead: vec![task], ..Board::default() };
        let webhooks = Webhooks { due: 0, oldest_due: None, retrying: 0, dead: 0 };
        let page = render(&Shown { queue, webhooks });
        assert!(!page.contains("<script") && !page.contains("alert('"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;").count(), 4);
    }
}
