//! Answers.

use std::io::{self, Write};

use bytes::Bytes;
use http::{Extensions, HeaderMap, StatusCode};
use reqwest::Url;
use serde::de::DeserializeOwned;

use super::worker::Worker;
use crate::call::CallError;

/// The answer to a call: its head is there, its body is waited for.
#[derive(Debug)]
pub struct Response {
    response: reqwest::Response,
    worker: Worker,
}

impl Response {
    pub(super) fn new(response: reqwest::Response, worker: Worker) -> Self {
        Self { response, worker }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The header lines.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// What was answered: the URL of the last request of the call.
    pub fn url(&self) -> &Url {
        self.response.url()
    }

    /// What was noted about the answer, for [`not_replayed`](crate::call::not_replayed).
    pub fn extensions(&self) -> &Extensions {
        self.response.extensions()
    }

    /// Makes an error of a status from 400 to 599.
    pub fn error_for_status(self) -> Result<Self, CallError> {
        let Self { response, worker } = self;
        Ok(Self { response: response.error_for_status()?, worker })
    }

    /// The whole body.
    pub fn bytes(self) -> Result<Bytes, CallError> {
        Ok(self.worker.wait(self.response.bytes())?)
    }

    /// The whole body as text. What is no UTF-8 is replaced with U+FFFD.
    pub fn text(self) -> Result<String, CallError> {
        Ok(self.worker.wait(self.response.text())?)
    }

    /// The whole body, read as JSON.
    pub fn json<T: DeserializeOwned + Send + 'static>(self) -> Result<T, CallError> {
        Ok(self.worker.wait(self.response.json())?)
    }

    /// Writes the whole body, as it arrives, and tells how many bytes it has. Errors of the connection and of `to`.
    pub fn copy_to(self, to: &mut impl Write) -> io::Result<u64> {
        let Self { mut response, worker } = self;
        let mut written = 0;
        loop {
            let (rest, chunk) = worker.wait(async move {
                let chunk = response.chunk().await;
                (response, chunk)
            });
            let Some(chunk) = chunk.map_err(io::Error::other)? else { return Ok(written) };
            to.write_all(&chunk)?;
            written += chunk.len() as u64;
            response = rest;
        }
    }
}
