//! Attempt ids: in the `Daypass-Attempt` header or in the body, one way of saying it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use crate::fault::Fault;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("daypass-attempt");

const INVALID: Fault = Fault::Malformed("the Daypass-Attempt header holds other characters than ASCII");
const DIFFERENT: Fault = Fault::Malformed("the Daypass-Attempt header and 'attempt' differ");

/// The attempt ids of a request, if there are any. Several header lines are one list (RFC 9110
/// section 5.3).
pub(crate) fn read<'r>(
    headers: &'r HeaderMap,
    member: Option<Cow<'r, str>>,
) -> Result<Option<Cow<'r, str>>, Fault> {
    let mut header: Option<Cow<'r, str>> = None;
    for line in headers.get_all(HEADER) {
        let line = line.to_str().map_err(|_| INVALID)?;
        header = Some(match header {
            None => Cow::Borrowed(line),
            Some(before) => Cow::Owned(format!("{before},{line}")),
        });
    }
    match (header, member) {
        (Some(header), Some(member)) if header != member => Err(DIFFERENT),
        (header, member) => Ok(header.or(member)),
    }
}
