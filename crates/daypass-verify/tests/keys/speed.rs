//! What the fast path costs: counted, never timed.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use crate::harness::{COOL_DOWN, Harness, key};

#[tokio::test]
async fn a_token_seen_before_costs_no_allocation_and_no_wait() {
    let harness = Harness::warm_with(|builder| builder.require_scope("orders").require_claim("jti")).await;
    let token = harness.minter().scope("read orders").mint(&harness.key);
    harness.verify(&token).await.unwrap();
    // The first look of a thread makes what the thread keeps.
    harness.verifier.verify_now(&token).unwrap();

    let now = allocation_counter::measure(|| {
        harness.verifier.verify_now(&token).unwrap();
    });
    assert_eq!((now.count_total, now.bytes_total), (0, 0));
    let later = allocation_counter::measure(|| {
        let judged = pin!(harness.verifier.verify(&token)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(judged, Poll::Ready(Ok(_))));
    });
    assert_eq!((later.count_total, later.bytes_total), (0, 0));
    let judged_anew = harness.minter().scope("orders").mint(&harness.key);
    let anew = allocation_counter::measure(|| {
        harness.verifier.verify_now(&judged_anew).unwrap();
    });
    assert!(anew.count_total > 0, "the measure measures");
}

#[tokio::test]
async fn eight_threads_are_never_refused_while_keys_change() {
    let harness = Harness::warm().await;
    let tokens: Arc<Vec<String>> = Arc::new((0..16).map(|_| harness.good()).collect());
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..8)
        .map(|thread| {
            let (verifier, tokens) = (harness.verifier.clone(), Arc::clone(&tokens));
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                let mut judged = 0_u64;
                while !done.load(Ordering::Relaxed) || judged == 0 {
                    for token in tokens.iter().cycle().skip(thread).take(100) {
                        verifier.verify_now(token).unwrap();
                        judged += 1;
                    }
                }
            })
        })
        .collect();
    // Twenty sets, each with the old key and another new one; the time stays within the tokens' life.
    for _ in 0..20 {
        let new = key();
        harness.server.publish(&[&harness.key.verifying_key(), &new.verifying_key()]);
        harness.verify(&harness.minter().mint(&new)).await.unwrap();
        harness.clock.advance(COOL_DOWN);
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(harness.server.requests(), 21);
}
