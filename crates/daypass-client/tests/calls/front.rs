//! The fronts, behind one face.

use bytes::Bytes;
use daypass_client::call::{NotReplayed, SessionClient, not_replayed};
use daypass_client::{AccessToken, Credentials, Session, SessionBuilder, SessionError};
use http::{HeaderMap, HeaderName, Method};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Wrap,
    #[cfg(feature = "reqwest-middleware")]
    Middleware,
    #[cfg(feature = "tower")]
    Tower,
    #[cfg(feature = "blocking")]
    Blocking,
}

#[derive(Clone)]
pub(crate) enum Front {
    Wrap(Session, SessionClient),
    #[cfg(feature = "reqwest-middleware")]
    Middleware(Session, reqwest_middleware::ClientWithMiddleware),
    #[cfg(feature = "tower")]
    Tower(Session, crate::tower::Stack),
    #[cfg(feature = "blocking")]
    Blocking(daypass_client::blocking::Session, daypass_client::blocking::SessionClient),
}

/// A call that a test makes.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body is sent as a stream.
    pub(crate) stream: bool,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) marked: Option<NotReplayed>,
}

impl Call {
    pub(crate) fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: HeaderMap::new(), body: Bytes::new(), stream: false }
    }

    pub(crate) fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    pub(crate) fn post(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::new(Method::POST, url) }
    }

    pub(crate) fn stream(self) -> Self {
        Self { stream: true, ..self }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }

    pub(crate) fn into_request(self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method, self.url.parse().unwrap());
        *request.headers_mut() = self.headers;
        if self.stream {
            *request.body_mut() = Some(reqwest::Body::wrap(http_body_util::Full::new(self.body)));
        } else if !self.body.is_empty() {
            *request.body_mut() = Some(self.body.into());
        }
        request
    }
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let (status, marked) = (response.status().as_u16(), not_replayed(response.extensions()));
        Self { status, marked, body: response.text().await.unwrap() }
    }
}

impl Front {
    pub(crate) async fn new(kind: Kind, described: SessionBuilder) -> Self {
        #[cfg(feature = "blocking")]
        if kind == Kind::Blocking {
            return tokio::task::spawn_blocking(move || {
                let session = daypass_client::blocking::Session::open(described).unwrap();
                let client = session.wrap(http()).unwrap();
                Self::Blocking(session, client)
            })
            .await
            .unwrap();
        }
        let session = described.build().await.unwrap();
        match kind {
            #[cfg(feature = "reqwest-middleware")]
            Kind::Middleware => {
                let (http, middleware) = session.middleware(http()).unwrap();
                let client = reqwest_middleware::ClientBuilder::new(http).with(middleware).build();
                Self::Middleware(session, client)
            }
            #[cfg(feature = "tower")]
            Kind::Tower => Self::Tower(session.clone(), crate::tower::Stack::new(session)),
            _ => {
                let client = session.wrap(http()).unwrap();
                Self::Wrap(session, client)
            }
        }
    }

    /// Makes a call. The error is the text of the whole chain.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, String> {
        match self {
            Self::Wrap(_, client) => match client.execute(call.into_request()).await {
                Ok(response) => Ok(Answer::of(response).await),
                Err(error) => Err(chain(&error)),
            },
            #[cfg(feature = "reqwest-middleware")]
            Self::Middleware(_, client) => match client.execute(call.into_request()).await {
                Ok(response) => Ok(Answer::of(response).await),
                Err(error) => Err(chain(&error)),
            },
            #[cfg(feature = "tower")]
            Self::Tower(_, stack) => stack.call(call).await.map_err(|error| chain(&*error)),
            #[cfg(feature = "blocking")]
            Self::Blocking(_, client) => {
                let client = client.clone();
                let waiting = move || {
                    let response = client.execute(call.into_request()).map_err(|error| chain(&error))?;
                    let (status, marked) = (response.status().as_u16(), not_replayed(response.extensions()));
                    Ok(Answer { status, marked, body: response.text().unwrap() })
                };
                tokio::task::spawn_blocking(waiting).await.unwrap()
            }
        }
    }

    pub(crate) async fn access_token(&self) -> Result<AccessToken, SessionError> {
        match self {
            Self::Wrap(session, _) => session.access_token().await,
            #[cfg(feature = "reqwest-middleware")]
            Self::Middleware(session, _) => session.access_token().await,
            #[cfg(feature = "tower")]
            Self::Tower(session, _) => session.access_token().await,
            #[cfg(feature = "blocking")]
            Self::Blocking(session, _) => {
                let session = session.clone();
                tokio::task::spawn_blocking(move || session.access_token()).await.unwrap()
            }
        }
    }

    pub(crate) fn session_id(&self) -> Option<String> {
        match self {
            Self::Wrap(session, _) => session.session_id(),
            #[cfg(feature = "reqwest-middleware")]
            Self::Middleware(session, _) => session.session_id(),
            #[cfg(feature = "tower")]
            Self::Tower(session, _) => session.session_id(),
            #[cfg(feature = "blocking")]
            Self::Blocking(session, _) => session.session_id(),
        }
    }

    /// What `Debug` shows of everything.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Wrap(session, client) => format!("{session:?} {client:?} {:?}", client.get("http://a/")),
            #[cfg(feature = "reqwest-middleware")]
            Self::Middleware(session, client) => {
                format!("{session:?} {client:?} {:?}", session.middleware(http()).unwrap().1)
            }
            #[cfg(feature = "tower")]
            Self::Tower(session, stack) => format!("{session:?} {stack:?}"),
            #[cfg(feature = "blocking")]
            Self::Blocking(session, client) => {
                format!("{session:?} {client:?} {:?}", client.get("http://a/"))
            }
        }
    }

    pub(crate) async fn sign_in(&self, credentials: Credentials) -> Result<(), SessionError> {
        match self {
            Self::Wrap(session, _) => session.sign_in(credentials).await,
            #[cfg(feature = "reqwest-middleware")]
            Self::Middleware(session, _) => session.sign_in(credentials).await,
            #[cfg(feature = "tower")]
            Self::Tower(session, _) => session.sign_in(credentials).await,
            #[cfg(feature = "blocking")]
            Self::Blocking(session, _) => {
                let session = session.clone();
                tokio::task::spawn_blocking(move || session.sign_in(credentials)).await.unwrap()
            }
        }
    }
}

/// What a client is made of: no proxy of whoever runs the tests.
pub(crate) fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}

pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut error = error.source();
    while let Some(source) = error {
        text = format!("{text}: {source}");
        error = source.source();
    }
    text
}

/// Makes a test of each function, for each front.
macro_rules! on_every_front {
    ($($name:ident),+ $(,)?) => {
        mod wrap {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::world::watched(super::$name(crate::front::Kind::Wrap)).await;
            })+
        }
        #[cfg(feature = "reqwest-middleware")]
        mod middleware {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::world::watched(super::$name(crate::front::Kind::Middleware)).await;
            })+
        }
        #[cfg(feature = "tower")]
        mod tower {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::world::watched(super::$name(crate::front::Kind::Tower)).await;
            })+
        }
        #[cfg(feature = "blocking")]
        mod blocking {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::world::watched(super::$name(crate::front::Kind::Blocking)).await;
            })+
        }
    };
}
pub(crate) use on_every_front;
