//! Access tokens without a service.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_ambient::Clock;
use daypass_jwt::SigningKey;
use daypass_service::core::{SessionId, Timestamp};
use serde_json::{Map, Value, json};

/// The issuer of minted tokens, if none is named.
pub const ISSUER: &str = "https://id.example";

/// The audience of minted tokens, if none is named.
pub const AUDIENCE: &str = "https://api.example";

/// Signs access tokens as a service does: RFC 9068, each with a `jti` of its own.
///
/// ```
/// # fn shown() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use daypass_ambient::ManualClock;
/// use daypass_jwt::{Algorithm, SigningKey};
/// use daypass_testkit::Minter;
///
/// let (key, clock) = (SigningKey::generate(Algorithm::ES256)?, ManualClock::new());
/// let usual = Minter::new(&clock).mint(&key);
/// let stale = Minter::new(&clock).lifetime(Duration::ZERO).scope("orders").mint(&key);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Minter {
    typ: String,
    claims: Map<String, Value>,
}

impl Minter {
    /// Tokens of `ada` at the client `daypass`, issued at the clock's time of day for ten minutes, in a session
    /// that started at the same moment, without scope.
    pub fn new(clock: &dyn Clock) -> Self {
        let now = clock.wall();
        let claims = json!({
            "iss": ISSUER,
            "sub": "ada",
            "aud": AUDIENCE,
            "client_id": "daypass",
            "scope": "",
        });
        let Value::Object(claims) = claims else { unreachable!("it is an object") };
        let minter = Self { typ: "at+jwt".to_owned(), claims };
        minter.issued_at(now).lifetime(Duration::from_mins(10)).session_started(now)
    }

    /// Another `iss`.
    #[must_use]
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// Another `aud`.
    #[must_use]
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Another `sub`.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// Another `scope`.
    #[must_use]
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// A `sid` that says that the session started at `wall`, a time since the Unix epoch. The same time gives the
    /// same session.
    #[must_use]
    pub fn session_started(self, wall: Duration) -> Self {
        let start = Timestamp::from_millis(i64::try_from(wall.as_millis()).unwrap());
        self.session(&SessionId::new(start, [7; 10]).to_string())
    }

    /// Another `sid`.
    #[must_use]
    pub fn session(self, sid: &str) -> Self {
        self.claim("sid", sid)
    }

    /// Another `iat`, a time since the Unix epoch; `exp` moves along.
    #[must_use]
    pub fn issued_at(self, wall: Duration) -> Self {
        let life = self.number("exp") - self.number("iat");
        let iat = i64::try_from(wall.as_secs()).unwrap();
        self.claim("iat", iat).claim("exp", iat + life)
    }

    /// Sets `exp` to `iat` and so much.
    #[must_use]
    pub fn lifetime(self, life: Duration) -> Self {
        let exp = self.number("iat") + i64::try_from(life.as_secs()).unwrap();
        self.claim("exp", exp)
    }

    /// Another `exp`, in Unix seconds.
    #[must_use]
    pub fn expires_at(self, exp: i64) -> Self {
        self.claim("exp", exp)
    }

    /// Another `typ` in the header.
    #[must_use]
    pub fn typ(mut self, typ: &str) -> Self {
        typ.clone_into(&mut self.typ);
        self
    }

    /// Sets any claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Signs a token.
    pub fn mint(&self, key: &SigningKey) -> String {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut claims = self.claims.clone();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        claims.entry("jti").or_insert_with(|| Value::from(format!("minted-{number}")));
        key.sign(&self.typ, &claims).unwrap()
    }

    fn number(&self, name: &str) -> i64 {
        self.claims.get(name).and_then(Value::as_i64).unwrap_or_default()
    }
}

/// The token with another `kid` in its header. The signature does not fit any more.
pub fn with_key_id(token: &str, kid: &str) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header.as_object_mut().unwrap().insert("kid".to_owned(), kid.into());
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// The token with another signature of the same length, which does not fit.
pub fn with_other_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let last = signature.last_mut().unwrap();
    *last ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
