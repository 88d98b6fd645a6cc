//! Queries of `/v1`, as strict as its bodies.

use std::borrow::Cow;

use http::Uri;

use crate::fault::Fault;
use crate::form;

/// The parameters called `names`, in that order: each once, none unknown, an empty value as none.
pub(crate) fn read<'u, const N: usize>(
    uri: &'u Uri,
    names: [&'static str; N],
) -> Result<[Option<Cow<'u, str>>; N], Fault> {
    let mut parameters = [const { None }; N];
    for pair in form::pairs(uri.query().unwrap_or_default().as_bytes()) {
        let (name, value) = pair?;
        match names.iter().zip(&mut parameters).find(|(known, _)| **known == name) {
            None => return Err(Fault::Unknown(name.into_owned())),
            Some((known, slot)) => {
                if slot.replace(value).is_some() {
                    return Err(Fault::Repeated((*known).to_owned()));
                }
            }
        }
    }
    Ok(parameters.map(|value| value.filter(|value: &Cow<'_, str>| !value.is_empty())))
}

/// Refuses parameters in the query that belong into the body, secrets above all.
pub(crate) fn must_not_hold(uri: &Uri, names: &[&'static str]) -> Result<(), Fault> {
    let Some(query) = uri.query() else { return Ok(()) };
    for pair in form::pairs(query.as_bytes()) {
        let (name, _) = pair?;
        if let Some(known) = names.iter().find(|known| **known == name) {
            return Err(Fault::InQuery(known));
        }
    }
    Ok(())
}
