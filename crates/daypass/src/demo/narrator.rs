//! Tells the story on the terminal: what is about to happen, what goes over the wire, and whether it came out as
//! promised. Nothing that it prints is of use to anybody: tokens are shortened, passwords left out.

use std::io::{self, IsTerminal as _, Write};

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::Value;

use super::actor::{Call, Server};
use crate::wire::Answer;

/// Where sentences are broken, and bodies and headers, which stand further in.
const WIDTH: usize = 100;
const DETAIL_WIDTH: usize = 88;
/// Members whose value is never shown, however it looks.
const PASSWORDS: [&str; 3] = ["password", "current", "new"];
/// Members and headers that hold tokens, whatever these look like.
const TOKENS: [&str; 2] = ["access_token", "refresh_token"];

/// Writes to `out`, with colours or without.
pub(crate) struct Narrator<'a> {
    out: &'a mut dyn Write,
    colours: bool,
}

#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Faint,
    Green,
    Red,
}

impl<'a> Narrator<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, colours: bool) -> Self {
        Self { out, colours }
    }

    /// A heading.
    pub(crate) fn walk(&mut self, number: u8, title: &str) -> io::Result<()> {
        let title = self.inked(Ink::Bold, &format!("{number}. {title}"));
        writeln!(self.out, "\n{title}")
    }

    /// A sentence or two.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        for line in wrapped(text.split(' '), WIDTH) {
            writeln!(self.out, "   {line}")?;
        }
        self.out.flush()
    }

    /// Lines as they are.
    pub(crate) fn plain(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// What somebody sends.
    pub(crate) fn request(&mut self, who: &str, call: &Call) -> io::Result<()> {
        let line = format!("{} {}", call.method, call.path);
        let line = self.inked(Ink::Bold, &line);
        let place = match call.to {
            Server::Service => "",
            Server::Api => " at the API",
        };
        writeln!(self.out, "   {who:>8} → {line}{place}")?;
        for (name, value) in &call.headers {
            self.detail(&[format!("{name}: {}", safe_header(value))])?;
        }
        match &call.body {
            Some(body) => self.body(body),
            None => Ok(()),
        }
    }

    /// What comes back.
    pub(crate) fn answer(&mut self, who: &str, answer: &Answer) -> io::Result<()> {
        let status = self.inked(Ink::Bold, &answer.status.to_string());
        writeln!(self.out, "   {who:>8} ← {status}")?;
        for name in [WWW_AUTHENTICATE, RETRY_AFTER] {
            if let Some(value) = answer.header(name.clone()) {
                self.detail(&wrapped(format!("{name}: {value}").split(' '), DETAIL_WIDTH))?;
            }
        }
        match answer.json::<Value>() {
            Ok(body) => self.body(&body),
            Err(_) if answer.body.is_empty() => Ok(()),
            Err(_) => self.detail(&[format!("({} bytes that are not JSON)", answer.body.len())]),
        }
    }

    /// That what would have come back did not arrive.
    pub(crate) fn lost(&mut self, who: &str) -> io::Result<()> {
        let lost = self.inked(Ink::Red, "lost");
        writeln!(self.out, "   {who:>8} ← {lost}")
    }

    /// A promise that was kept.
    pub(crate) fn kept(&mut self, promise: &str) -> io::Result<()> {
        let tick = self.inked(Ink::Green, "✓");
        writeln!(self.out, "   {tick} {promise}")
    }

    /// A promise that was not.
    pub(crate) fn broken(&mut self, promise: &str, expected: &str, came: &str) -> io::Result<()> {
        let cross = self.inked(Ink::Red, "✗");
        writeln!(self.out, "   {cross} {promise}\n     expected: {expected}\n     came:     {came}")
    }

    fn body(&mut self, body: &Value) -> io::Result<()> {
        self.detail(&wrapped_json(&safe(body)))
    }

    fn detail(&mut self, lines: &[String]) -> io::Result<()> {
        for line in lines {
            let line = self.inked(Ink::Faint, line);
            writeln!(self.out, "              {line}")?;
        }
        self.out.flush()
    }

    fn inked(&self, ink: Ink, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Bold => 1,
            Ink::Faint => 2,
            Ink::Green => 32,
            Ink::Red => 31,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Whether standard output is a terminal whose user wants colours.
pub(crate) fn colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    io::stdout().is_terminal() && !refused && !dumb
}

/// The beginning and the end of a token, too little of it to use.
fn shortened(token: &str) -> String {
    let characters: Vec<char> = token.chars().collect();
    match (characters.get(..8), characters.len().checked_sub(4).and_then(|from| characters.get(from..))) {
        (Some(first), Some(last)) if characters.len() >= 24 => {
            first.iter().chain(&['…']).chain(last).collect()
        }
        _ => "…".to_owned(),
    }
}

/// A header's value: a scheme and a token, or a list of attempts.
fn safe_header(value: &str) -> String {
    if let Some(token) = value.strip_prefix("Bearer ") {
        return format!("Bearer {}", shortened(token));
    }
    let entry = |entry: &str| match entry.split_once(':') {
        Some((label, id)) => format!("{label}:{}…", id.chars().take(4).collect::<String>()),
        None => shortened(entry),
    };
    value.split(", ").map(entry).collect::<Vec<_>>().join(", ")
}

/// The same body without secrets.
fn safe(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| (name.clone(), safe_member(name, value));
            Value::Object(members.iter().map(member).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(safe).collect()),
        Value::String(text) if looks_like_a_token(text) => shortened(text).into(),
        other => other.clone(),
    }
}

fn safe_member(name: &str, value: &Value) -> Value {
    match value {
        _ if PASSWORDS.contains(&name) => "…".into(),
        Value::String(text) if TOKENS.contains(&name) => shortened(text).into(),
        other => safe(other),
    }
}

fn looks_like_a_token(text: &str) -> bool {
    text.starts_with("dpr_") || (text.starts_with("ey") && text.matches('.').count() == 2)
}

/// One line where it fits, else broken between members.
fn wrapped_json(value: &Value) -> Vec<String> {
    let Value::Object(members) = value else { return vec![value.to_string()] };
    let count = members.len();
    let members = members.iter().enumerate().map(|(index, (name, value))| {
        let comma = if index + 1 < count { "," } else { "" };
        format!("{}: {value}{comma}", Value::from(name.as_str()))
    });
    let members: Vec<String> = members.collect();
    let mut lines = wrapped(members.iter().map(String::as_str), DETAIL_WIDTH);
    if let Some(first) = lines.first_mut() {
        first.insert(0, '{');
    }
    for line in lines.iter_mut().skip(1) {
        line.insert(0, ' ');
    }
    match lines.last_mut() {
        Some(last) => last.push('}'),
        None => lines.push("{}".to_owned()),
    }
    lines
}

fn wrapped<'t>(words: impl Iterator<Item = &'t str>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method, StatusCode};
    use serde_json::json;

    use super::*;
    use crate::pair::tests::token;

    fn told(colours: bool, tell: impl FnOnce(&mut Narrator<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        tell(&mut Narrator::new(&mut out, colours)).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn jwt() -> String {
        format!("eyJhbGciOiJFUzI1NiJ9.{}.{}", "a".repeat(200), "b".repeat(86))
    }

    fn story(narrator: &mut Narrator<'_>) -> io::Result<()> {
        narrator.walk(3, "Renew")?;
        narrator.say(
            "The access token has expired, so the laptop renews it and goes on with what it was doing.",
        )?;
        let call = Call {
            to: Server::Service,
            method: Method::POST,
            path: "/v1/refresh".into(),
            headers: vec![
                ("authorization", format!("Bearer {}", jwt())),
                ("daypass-attempt", format!("12:{}, 11:{}", "Xk3".repeat(8), "p0Q".repeat(8))),
            ],
            body: Some(json!({"refresh_token": token(7, 5), "password": "correct horse", "label": "laptop"})),
        };
        narrator.request("laptop", &call)?;
        let body = json!({"access_token": jwt(), "refresh_token": token(7, 6), "generation": 6, "expires_in": 3,
            "session_id": "07070707-0707-0707-0707-070707070707", "nested": [{"deep": token(7, 6)}]});
        let mut headers = HeaderMap::new();
        headers.insert("www-authenticate", "Bearer error=\"invalid_token\"".parse().unwrap());
        let answer = Answer { status: StatusCode::OK, headers, body: Bytes::from(body.to_string()) };
        narrator.answer("laptop", &answer)?;
        narrator.kept("a new pair")?;
        narrator.broken("the calls continue", "200", "401")
    }

    #[test]
    fn a_page_of_the_story() {
        insta::assert_snapshot!(told(false, story));
    }

    #[test]
    fn colours_are_all_that_colours_change() {
        let coloured = told(true, story);
        assert!(coloured.contains("\u{1b}[32m✓\u{1b}[0m"));
        let mut plain = coloured.clone();
        for code in [0, 1, 2, 31, 32] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(plain, told(false, story));
    }

    #[test]
    fn secrets_are_shortened_wherever_they_stand() {
        let story = told(false, story);
        for secret in
            [jwt(), token(7, 5), token(7, 6), "Xk3".repeat(8), "p0Q".repeat(8), "correct horse".into()]
        {
            assert!(!story.contains(&secret), "{secret}");
            assert!(!story.contains(&secret[secret.len() / 2..]), "half of {secret}");
        }
        for short in ["", "a", "dpr_AAAA", "0123456789abcdefghijklm"] {
            assert_eq!(shortened(short), "…", "{short}");
        }
        assert_eq!(shortened(&token(7, 5)).chars().count(), 13);
    }
}
