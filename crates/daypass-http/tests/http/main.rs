//! The service over HTTP, endpoint by endpoint: snapshots of every good and bad answer, and the
//! rules that hold across endpoints. The files mirror the routes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops where it is; clippy.toml allows it in the test functions alone"
)]

mod harness;
mod parts;
mod shown;

mod login;
mod refresh;

mod logout;
mod me;
mod sessions;

mod revocations;
mod stream;
mod well_known;

mod introspect;
mod revoke;
mod token;

mod operations;

mod cookies;
mod cors;
mod issuer_path;
mod limits;
mod logs;
mod served;
mod table;
mod unavailable;
