//! What is logged: each failed fetch once, and nothing secret.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use daypass_testkit::{AUDIENCE, Fault, ISSUER, JWKS_PATH, KeyServer};
use daypass_verify::{RemoteKeys, Verifier};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::harness::{COOL_DOWN, Harness, key};

/// Keeps the events of this crate that are worth somebody's attention.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("daypass_verify") && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

#[tokio::test]
async fn each_failed_fetch_is_logged_once_and_so_is_the_recovery() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (key, server) = (key(), KeyServer::start().await);
    server.publish(&[&key.verifying_key()]);
    server.faults().next_times(JWKS_PATH, 2, Fault::LoseRequest);
    let clock = daypass_ambient::ManualClock::new();
    let verifier = Verifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(RemoteKeys::new(format!("{}?secret=hunter2", server.url())))
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    let harness = Harness { clock, key, server, verifier };
    harness.until_task_rests().await;
    let token = harness.good();
    assert!(harness.verify(&token).await.is_err());
    harness.advance_to_fetch(COOL_DOWN).await;
    harness.advance_to_fetch(COOL_DOWN).await;
    harness.verify(&token).await.unwrap();
    assert!(harness.verify(&format!("{token}A")).await.is_err());

    let url = harness.server.url();
    let failed = format!(r#"WARN message=the issuer's keys cannot be fetched url="{url}" reason="connect""#);
    let mended = format!(r#"INFO message=the issuer's keys can be fetched again url="{url}""#);
    assert_eq!(*log.0.lock().unwrap(), [failed.clone(), failed, mended]);
    assert!(
        !format!("{:?} {:?}", harness.verifier, RemoteKeys::new("https://x/?secret=hunter2"))
            .contains("hunter2")
    );
}
