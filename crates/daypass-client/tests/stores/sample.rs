//! Sessions to keep, and an end to waiting.

use std::time::Duration;

use daypass_client::{Access, AccessToken, Attempt, Record, RefreshToken};

/// A session in this generation, as large as they are in service.
pub(crate) fn record(generation: u32) -> Record {
    Record {
        service: "https://id.example".to_owned(),
        client_id: None,
        session_id: "0197f6a0-0000-7000-8000-000000000000".to_owned(),
        generation,
        refresh_token: RefreshToken::from("r".repeat(120)),
        attempts: vec![Attempt { generation, id: "i".repeat(22) }],
        access: Some(Access {
            token: AccessToken::from("a".repeat(700)),
            requested_at_ms: 1_800_000_000_000,
            expires_in: 600,
            refresh_in: Some(540),
        }),
        ends_at_ms: None,
    }
}

/// Waits for what has to happen, and fails rather than hang.
pub(crate) async fn watched<T>(happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), happens).await.unwrap()
}
