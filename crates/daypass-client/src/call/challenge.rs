//! Whether an answer says that the access token was at fault: a reader of `WWW-Authenticate` (RFC 9110 section
//! 11.6.1).

use std::borrow::Cow;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Whether one of the challenges in these header lines is a `Bearer` challenge with `error="invalid_token"`
/// (RFC 6750 section 3.1): the server wants another access token.
///
/// Challenges of other schemes may stand beside it, in the same line or in others. What cannot be read is passed
/// over, together with the parameters that belong to it; a challenge that gives two errors gives none. With status
/// 401 this is the only answer on which a call is replayed.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("www-authenticate", "Basic realm=\"a\", Bearer error=\"invalid_token\"".parse().unwrap());
/// assert!(daypass_client::call::refuses_token(&headers));
/// ```
pub fn refuses_token(headers: &HeaderMap) -> bool {
    headers.get_all(WWW_AUTHENTICATE).iter().any(|line| line_refuses_token(line.as_bytes()))
}

fn line_refuses_token(line: &[u8]) -> bool {
    let mut text = Text(line);
    let mut current = Challenge::default();
    let mut refuses = false;
    while !text.0.is_empty() {
        text.blanks();
        if text.eat(b',') {
            continue; // an empty element (RFC 9110 section 5.6.1.2)
        }
        match element(&mut text) {
            Some(Element::Challenge(scheme, parameter)) => {
                refuses |= current.refuses_token();
                current =
                    Challenge { bearer: scheme.eq_ignore_ascii_case(b"Bearer"), ..Challenge::default() };
                current.take(parameter);
            }
            Some(Element::Parameter(parameter)) => current.take(Some(parameter)),
            None => {
                // Whose the parameters are that follow cannot be told.
                refuses |= current.refuses_token();
                current = Challenge::default();
                text.skip_element();
            }
        }
    }
    refuses || current.refuses_token()
}

/// What has been read of one challenge.
#[derive(Default)]
struct Challenge {
    bearer: bool,
    errors: usize,
    invalid_token: bool,
}

impl Challenge {
    fn take(&mut self, parameter: Option<Parameter<'_>>) {
        if let Some(Parameter { name, value }) = parameter
            && name.eq_ignore_ascii_case(b"error")
        {
            self.errors += 1;
            self.invalid_token = *value == *b"invalid_token";
        }
    }

    fn refuses_token(&self) -> bool {
        self.bearer && self.errors == 1 && self.invalid_token
    }
}

/// What stands between two commas.
enum Element<'a> {
    /// A scheme, with the first of its parameters if it has any.
    Challenge(&'a [u8], Option<Parameter<'a>>),
    /// A further parameter of the last challenge.
    Parameter(Parameter<'a>),
}

struct Parameter<'a> {
    name: &'a [u8],
    value: Cow<'a, [u8]>,
}

/// `None` leaves the text somewhere in the element.
fn element<'a>(text: &mut Text<'a>) -> Option<Element<'a>> {
    let first = text.token()?;
    let apart = text.blanks();
    if text.at_end_of_element() {
        return Some(Element::Challenge(first, None));
    }
    if text.eat(b'=') {
        let value = text.value()?;
        return Some(Element::Parameter(Parameter { name: first, value }));
    }
    if !apart {
        return None;
    }
    // Other schemes may have a `token68` instead, whose challenge need not be understood.
    Some(Element::Challenge(first, Some(parameter(text)?)))
}

fn parameter<'a>(text: &mut Text<'a>) -> Option<Parameter<'a>> {
    let name = text.token()?;
    text.blanks();
    if !text.eat(b'=') {
        return None;
    }
    Some(Parameter { name, value: text.value()? })
}

/// What has not been read yet.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.0.iter().position(|byte| !fits(*byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn eat(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Whether there were any.
    fn blanks(&mut self) -> bool {
        !self.take_while(is_blank).is_empty()
    }

    fn at_end_of_element(&self) -> bool {
        self.0.first().is_none_or(|byte| *byte == b',')
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let token = self.take_while(is_tchar);
        (!token.is_empty()).then_some(token)
    }

    /// The value of a parameter, to the end of its element.
    fn value(&mut self) -> Option<Cow<'a, [u8]>> {
        self.blanks();
        let value = if self.eat(b'"') { self.quoted()?.into() } else { self.token()?.into() };
        self.blanks();
        self.at_end_of_element().then_some(value)
    }

    /// The rest of a quoted string (RFC 9110 section 5.6.4).
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        loop {
            value.extend_from_slice(self.take_while(|byte| byte != b'"' && byte != b'\\'));
            if self.eat(b'"') {
                return Some(value);
            }
            self.eat(b'\\');
            let (escaped, rest) = self.0.split_first()?;
            value.push(*escaped);
            self.0 = rest;
        }
    }

    /// Goes on to the next comma outside a quoted string.
    fn skip_element(&mut self) {
        while !self.at_end_of_element() {
            self.take_while(|byte| byte != b'"' && byte != b',');
            if self.eat(b'"') && self.quoted().is_none() {
                self.0 = &[];
            }
        }
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// RFC 9110 section 5.6.2.
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YES: [&str; 19] = [
        r#"Bearer error="invalid_token""#,
        "Bearer error=invalid_token",
        r#"bEaReR ERROR="invalid_token""#,
        r#"Bearer realm="daypass", error="invalid_token", error_description="it has expired""#,
        r#"Bearer error_description="a, \"b\" error=\"x\", c", error="invalid_token""#,
        r#"Bearer error="in\valid_token""#,
        "Bearer \t error \t=\t \"invalid_token\" \t",
        r#", ,Bearer ,, error="invalid_token", ,"#,
        r#"Basic realm="a", Bearer error="invalid_token""#,
        r#"Bearer error="invalid_token", Basic realm="a", error="other""#,
        r#"Negotiate, Bearer error="invalid_token""#,
        r#"Negotiate YWJj+/-._~==, Bearer error="invalid_token""#,
        r#"Negotiate YWJj=, Bearer error="invalid_token""#,
        r#"Bearer error="invalid_request", Bearer error="invalid_token""#,
        r#"Bearer error="invalid_token", Bearer error="invalid_request""#,
        r#"Custom @@@"a, b"@, Bearer error="invalid_token""#,
        r#"Bearer error="invalid_token", @@@ "unclosed"#,
        r#"Bearer scope="a b",error="invalid_token""#,
        r#"Newauth realm="apps", type=1, title="Login to \"apps\"", Bearer error="invalid_token""#,
    ];

    const NO: [&str; 24] = [
        "",
        " ,, \t",
        "Bearer",
        r#"Bearer realm="daypass""#,
        r#"Bearer error="insufficient_scope""#,
        r#"Bearer error="Invalid_Token""#,
        r#"Bearer error="invalid_token "#,
        "Bearer error=\"invalid_token",
        r#"Bearer realm="a", Custom @, error="invalid_token""#,
        r#"Bearer error="invalid_token\""#,
        "Bearer error='invalid_token'",
        r#"Bearer error="invalid_token" x"#,
        r#"Bearer error_description="error=\"invalid_token\"""#,
        r#"Bearer error_description=", Bearer error=invalid_token""#,
        r#"Bearer realm="Bearer error=invalid_token""#,
        r#"Basic error="invalid_token""#,
        r#"DPoP error="invalid_token", algs="ES256""#,
        r#"Bearer realm="a", Basic realm="b", error="invalid_token""#,
        r#"error="invalid_token""#,
        r#"Bearererror="invalid_token""#,
        r#"Bearer: error="invalid_token""#,
        r#"Bearer error="invalid_token", error="invalid_token""#,
        r#"Bearer @, error="invalid_token""#,
        r#"Bearer YWJj==, error="invalid_token""#,
    ];

    #[test]
    fn a_bearer_challenge_with_invalid_token_is_found_among_others() {
        for line in YES {
            assert!(line_refuses_token(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        for line in NO {
            assert!(!line_refuses_token(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn several_header_lines_are_read_each_by_itself() {
        let mut headers = HeaderMap::new();
        assert!(!refuses_token(&headers));
        headers.append(WWW_AUTHENTICATE, r"Bearer".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, r#"error="invalid_token""#.parse().unwrap());
        assert!(!refuses_token(&headers), "a parameter belongs to its own line");
        headers.append(WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#.parse().unwrap());
        assert!(refuses_token(&headers));
    }

    /// A challenge, and whether it is the one that is looked for.
    fn a_challenge() -> impl Strategy<Value = (String, bool)> {
        const OTHERS: [&str; 3] = [
            "(Basic|Digest|Bearer)( realm=a)?",
            "(Basic|Bearer) realm=\"([a-z ,=]|\\\\\"|\\\\\\\\){0,12}\", title=[a-z]{1,5}",
            "Negotiate [a-zA-Z0-9+/]{1,12}={0,2}",
        ];
        let other = prop::sample::select(&OTHERS[..]).prop_flat_map(|pattern| pattern);
        let wanted = Just((r#"Bearer error="invalid_token""#.to_owned(), true));
        prop_oneof![wanted, other.prop_map(|text| (text, false))]
    }

    proptest! {
        #[test]
        fn any_list_of_challenges_is_told_apart(challenges in prop::collection::vec(a_challenge(), 0..6)) {
            let line: Vec<_> = challenges.iter().map(|(text, _)| text.as_str()).collect();
            let wanted = challenges.iter().any(|(_, wanted)| *wanted);
            prop_assert_eq!(line_refuses_token(line.join(", ").as_bytes()), wanted);
        }

        #[test]
        fn no_bytes_make_it_panic_or_hang(line in prop::collection::vec(any::<u8>(), 0..200)) {
            line_refuses_token(&line);
        }

        #[test]
        fn no_broken_challenge_makes_it_panic_or_hang(line in "([Bb]earer|error|=|\"|\\\\|,| |\t|invalid_token|@){0,40}") {
            line_refuses_token(line.as_bytes());
        }

        #[test]
        fn what_follows_never_unsays_a_challenge(rest in "[ -~]{0,60}") {
            let line = format!("Bearer error=\"invalid_token\", Basic, {rest}");
            prop_assert!(line_refuses_token(line.as_bytes()));
        }
    }
}
