//! Right and wrong verifiers, measured.

use daypass_verify::jwt::Algorithm;

use super::*;

fn args(algorithm: Algorithm) -> VerifyArgs {
    let duration = Duration::from_millis(1);
    VerifyArgs { tokens: 28, bad_every: 4, threads: 2.try_into().ok(), algorithm, duration, json: false }
}

async fn issuer(tokens: &Tokens, ended: &[uuid::Uuid]) -> Issuer {
    Issuer::serve(&JwkSet::new([&tokens.key().verifying_key()]).unwrap(), ended).await.unwrap()
}

/// A round each with and without counting.
async fn course(remembering: Verifier, forgetful: Verifier, tokens: Arc<Tokens>) -> Findings {
    let course = Course {
        bare: Bare::of(tokens.key()).unwrap(),
        remembering,
        forgetful,
        tokens,
        threads: NonZeroUsize::MIN,
        runtime: tokio::runtime::Handle::current(),
    };
    measured(course, Duration::ZERO, std::pin::pin!(std::future::pending())).await.unwrap()
}

#[tokio::test]
async fn a_right_verifier_passes_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let report = run(&args(algorithm), std::pin::pin!(std::future::pending())).await.unwrap();
        assert!(report.passed(), "{algorithm}: {}", report.text());
        let report: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert!(report["accepted"].as_u64() > Some(21 * 4), "{report:#}");
        for code in ["bad_signature", "expired", "audience", "revoked", "unknown_key"] {
            assert!(report["refused"][code].as_u64() >= Some(4), "{code}: {report:#}");
        }
        for figure in ["seen_ns", "together_per_s", "new_us", "bare_us"] {
            assert!(report[figure]["median"].as_f64() > Some(0.0), "{figure}: {report:#}");
        }
    }
}

#[tokio::test]
async fn a_verifier_that_lets_ended_sessions_pass_fails_the_run() {
    let tokens = Arc::new(Tokens::mint(Algorithm::HS256, 28, 4).unwrap());
    let silent = issuer(&tokens, &[]).await;
    let blind = verifier(&tokens, &silent, 0).await.unwrap();
    let telling = issuer(&tokens, tokens.ended()).await;
    let right = verifier(&tokens, &telling, memory_for(28)).await.unwrap();
    let findings = course(right, blind, tokens).await;
    let wrong: Vec<_> = findings.tally.wrong.keys().map(String::as_str).collect();
    assert_eq!(wrong, ["passed instead of revoked"]);
}

#[tokio::test]
async fn a_verifier_that_refuses_good_tokens_fails_the_run() {
    let tokens = Arc::new(Tokens::mint(Algorithm::HS256, 28, 4).unwrap());
    let telling = issuer(&tokens, tokens.ended()).await;
    let right = verifier(&tokens, &telling, memory_for(28)).await.unwrap();
    let others = Arc::new(Tokens::mint(Algorithm::HS256, 28, 4).unwrap());
    let strange = verifier(&others, &telling, 0).await.unwrap();
    let findings = course(right, strange, tokens).await;
    assert!(findings.tally.wrong["refused: unknown_key"] > 21, "{:?}", findings.tally);
    assert!(findings.tally.wrong["unknown_key instead of bad_signature"] > 0);
}

#[tokio::test]
async fn leaving_ends_the_run_with_its_report() {
    let long = VerifyArgs { duration: Duration::from_mins(40), ..args(Algorithm::HS256) };
    let report = run(&long, std::pin::pin!(std::future::ready(()))).await.unwrap();
    assert!(report.passed(), "{}", report.text());
    let too_long = VerifyArgs { duration: Duration::from_hours(1), ..args(Algorithm::HS256) };
    let refused = run(&too_long, std::pin::pin!(std::future::pending())).await;
    assert!(matches!(refused, Err(BenchError::TooLong(_))));
}
