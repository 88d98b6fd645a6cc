//! The commands against the stand-in service, right and wrong.

use std::time::Duration;

use clap::Parser;
use serde_json::Value;

use super::*;
use crate::fake::{Fake, Fault};

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    bench: Bench,
}

struct Fakes(Fault);

impl Ground for Fakes {
    async fn with_sessions(
        &self,
        sessions: u64,
        sample: u64,
        progress: &Progress,
    ) -> Result<PrivateService, Failure> {
        let fake = Fake::start(self.0, Duration::from_mins(10)).await;
        let tokens = fake.fill(sessions).into_iter().take(usize::try_from(sample)?).collect();
        progress.done(sessions);
        Ok(PrivateService { hosted: fake.hosted(), tokens, users: Vec::new(), meter: None })
    }

    async fn with_users(&self, users: u64, _: &Progress) -> Result<PrivateService, Failure> {
        let fake = Fake::start(self.0, Duration::from_mins(10)).await;
        let users = (0..users).map(|n| Fake::user(&format!("user{n}"))).collect();
        Ok(PrivateService { hosted: fake.hosted(), tokens: Vec::new(), users, meter: None })
    }

    async fn fill(&self, _: &Path, sessions: u64, sample: u64, _: &Progress) -> Result<Vec<String>, Failure> {
        let fake = Fake::start(self.0, Duration::from_mins(10)).await;
        Ok(fake.fill(sessions).into_iter().take(usize::try_from(sample)?).collect())
    }
}

async fn bench(fault: Fault, line: &str) -> (ExitCode, Value) {
    bench_until(fault, line, std::future::pending()).await
}

async fn bench_until(fault: Fault, line: &str, leave: impl Future<Output = ()>) -> (ExitCode, Value) {
    let line = Line::parse_from(format!("bench {line} --json").split_whitespace());
    let mut out = Vec::new();
    let code = run(&line.bench, &Fakes(fault), std::pin::pin!(leave), &mut out).await.unwrap();
    (code, serde_json::from_slice(&out).unwrap())
}

const SHORT: &str = "refresh --sessions 40 --active 20 --connections 4 --warm-up 100ms --duration 300ms";

#[tokio::test]
async fn a_right_service_passes() {
    for more in ["", "--endpoint oauth2", "--attempt-ids false"] {
        let (code, report) = bench(Fault::None, &format!("{SHORT} {more}")).await;
        assert_eq!(code, ExitCode::SUCCESS, "{report:#}");
        assert!(report["answers"].as_u64() > Some(100), "{report:#}");
        assert!(report["verified"].as_u64() > report["answers"].as_u64());
        assert!(report["signatures_checked"].as_u64() > Some(0));
        assert_eq!(report["working_set"]["active"], 20);
        assert_eq!(report["measured_s"], 0.3);
    }
}

#[tokio::test]
async fn a_wrong_answer_fails_the_run() {
    for (fault, kind) in [
        (Fault::SameToken, "same-token"),
        (Fault::SkipsGeneration, "generation"),
        (Fault::ForeignKey, "signature"),
    ] {
        let (code, report) = bench(fault, SHORT).await;
        assert_eq!(code, ExitCode::FAILURE);
        assert!(
            (4..=20).contains(&report["wrong"][kind].as_u64().unwrap()),
            "each chain fails once: {report:#}"
        );
    }
}

#[tokio::test]
async fn putting_off_is_counted_and_tried_again() {
    let (code, report) = bench(Fault::Busy, SHORT).await;
    assert_eq!(code, ExitCode::SUCCESS, "{report:#}");
    assert!(report["errors"]["503 temporarily_unavailable"].as_u64() > Some(10));
}

#[tokio::test]
async fn leaving_ends_the_run_with_its_report() {
    let line = SHORT.replace("300ms", "100s");
    let (code, report) =
        bench_until(Fault::None, &line, tokio::time::sleep(Duration::from_millis(500))).await;
    assert_eq!(code, ExitCode::SUCCESS, "{report:#}");
    assert!(report["measured_s"].as_f64() < Some(10.0));
}

#[tokio::test]
async fn a_killed_service_loses_nothing() {
    let fake = Fake::start(Fault::None, Duration::from_mins(10)).await;
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    tokens::write(&first, fake.fill(20).into_iter()).unwrap();
    let load = format!(
        "refresh --target {} --tokens {} --tokens-out {} --until-lost --warm-up 0s --duration 60s",
        fake.base_url,
        first.display(),
        second.display()
    );
    let kill = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fake.kill();
    };
    let ((code, report), ()) = tokio::join!(bench(Fault::None, &load), kill);
    assert_eq!(code, ExitCode::SUCCESS, "{report:#}");
    assert_eq!((&report["lost"], &report["chains_written"]), (&true.into(), &20.into()));
    let written = tokens::read(&second).unwrap();
    assert_eq!(written.len(), 20);
    assert!(written.iter().any(|chain| chain.unanswered().is_some()), "some were in flight");
    assert!(written.iter().all(|chain| chain.held().generation() > 0));
    let again = fake.again().await;
    let once = format!("refresh --target {} --tokens {} --once", again.base_url, second.display());
    let (code, report) = bench(Fault::None, &once).await;
    assert_eq!((code, &report["verified"]), (ExitCode::SUCCESS, &20.into()), "{report:#}");
}

#[tokio::test]
async fn each_token_is_presented_once() {
    let fake = Fake::start(Fault::None, Duration::from_mins(10)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    tokens::write(&file, fake.fill(30).into_iter()).unwrap();
    let (target, name) = (&fake.base_url, file.display());
    let once = format!("refresh --target {target} --tokens {name} --once");
    let (code, report) = bench(Fault::None, &format!("{once} --tokens-out {name}")).await;
    assert_eq!(code, ExitCode::SUCCESS, "{report:#}");
    assert_eq!((&report["verified"], fake.presented()), (&30.into(), 30));
    let (code, _) = bench(Fault::None, &format!("{once} --active 7")).await;
    assert_eq!((code, fake.presented()), (ExitCode::SUCCESS, 37), "without writing down the successors");
    let (code, report) = bench(Fault::None, &once).await;
    assert_eq!(code, ExitCode::FAILURE, "so seven are old now, and other ids than before");
    assert!(report["wrong"]["400 invalid_grant reused"].as_u64() > Some(0), "{report:#}");
    fake.kill();
    let (code, report) = bench(Fault::None, &format!("{once} --connections 2")).await;
    assert_eq!((code, &report["wrong"]["unanswered"]), (ExitCode::FAILURE, &30.into()));
}

#[tokio::test]
async fn people_sign_in() {
    let line = "login --users 3 --connections 2 --warm-up 0s --duration 200ms";
    let (code, report) = bench(Fault::None, line).await;
    assert_eq!(code, ExitCode::SUCCESS, "{report:#}");
    assert!(report["answers"].as_u64() > Some(10));
    let fake = Fake::start(Fault::None, Duration::from_mins(10)).await;
    let line = format!(
        "login --target {} --username a --password shut --warm-up 0s --duration 100ms",
        fake.base_url
    );
    let (code, report) = bench(Fault::None, &line).await;
    assert_eq!(code, ExitCode::FAILURE);
    assert!(report["wrong"]["401 invalid-credentials"].as_u64() > Some(0));
}

#[tokio::test]
async fn a_store_is_filled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let line = format!("prepare --data x --sessions 9 --sample 4 --tokens {}", file.display());
    let (code, report) = bench(Fault::None, &line).await;
    assert_eq!((code, &report["tokens"]), (ExitCode::SUCCESS, &4.into()));
    assert_eq!(tokens::read(&file).unwrap().len(), 4);
}
