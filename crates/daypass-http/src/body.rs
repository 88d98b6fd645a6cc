//! Reading a request's body, as much of it as there may be.

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};

use crate::fault::Fault;
use crate::options::HttpOptions;

/// The whole body, collected once. A body that arrives in one piece is not copied.
pub(crate) async fn collect(body: Body, options: &HttpOptions) -> Result<Bytes, Fault> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    // What announces that it is too large is refused before it is read.
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > options.body_limit) {
        return Err(Fault::TooLarge);
    }
    let collecting = Limited::new(body, options.body_limit).collect();
    match tokio::time::timeout(options.body_timeout, collecting).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Fault::TooLarge),
        Ok(Err(_)) => Err(Fault::Broken),
        Err(_) => Err(Fault::Slow),
    }
}

/// Whether the body is of the media type `expected`, whatever its parameters. `None` if the request
/// does not say, or says so twice.
pub(crate) fn is_of_type(headers: &HeaderMap, expected: &str) -> Option<bool> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let value = values.next()?.to_str().unwrap_or_default();
    if values.next().is_some() {
        return None;
    }
    let essence = value.split_once(';').map_or(value, |(essence, _)| essence).trim();
    Some(essence.eq_ignore_ascii_case(expected))
}
