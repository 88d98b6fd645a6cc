//! The report as a table.

use daypass_chaos::table::{GREEN, RED, Table, grouped};

use super::{BUDGET, Report};
use crate::account::{PHASES, Phase, ZEROS, Zero};

/// What became of the run in lines, with colours if they are wanted.
pub(super) fn of(report: &Report, colours: bool) -> String {
    let mut table = Table::new(colours);
    let of = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    table.row("sessions that renew", of(report.sessions), None, "");
    table.row("renewals", report.refreshes, None, "");
    for (status, count) in &report.errors {
        table.row(&format!("  answered with {status}"), *count, None, "");
    }
    table.row("clients told to try later", report.told_later, None, "");
    let known: usize = report.phases.values().map(|phase| phase.ends).sum();
    let remark = format!("{known} known to all of {} verifiers before the run's last look", report.verifiers);
    table.row("ends of sessions", of(report.revocations), None, &remark);
    table.row("later sign-ins that stay", of(report.later_sign_ins), None, "");
    let remark = format!("{} by what the nodes count", report.healed_by_metric);
    table.row("lost rotations healed", report.healed, None, &remark);
    table.row("superseded", report.superseded, None, "");
    table.line("");
    table.line(
        "                  renewals  errors  passed on  without service   known to the last verifier after, in ms",
    );
    table.line(
        "                                                         ms     ends      p50       p99       max",
    );
    for phase in PHASES {
        let Some(told) = report.phases.get(phase) else { continue };
        let p99 = format!("{:>9.1}", told.p99);
        let p99 = match phase {
            Phase::Quiet => table.coloured(&p99, if report.in_time { GREEN } else { RED }),
            _ => p99,
        };
        table.line(&format!(
            "{:<16}{:>10}{:>8}{:>11}{:>17}{:>9}{:>9.1} {p99} {:>9.1}",
            name(*phase),
            grouped(told.refreshes),
            told.errors,
            told.passed_on,
            grouped(told.without_service),
            told.ends,
            told.p50,
            told.most
        ));
    }
    table.line(&format!(
        "\nIn a quiet phase p99 may be {BUDGET} ms; that fails a run only if it is --strict.\n"
    ));
    for zero in ZEROS {
        let count = report.zeros.get(zero).copied().unwrap_or_default();
        table.row(meaning(*zero), count, Some(count > 0), "");
    }
    for (_, what) in &report.objections {
        table.line(&format!("\nwrong: {what}"));
    }
    if let Some(folder) = &report.folder {
        table.line(&format!("\nthe logs are in {}", folder.display()));
    }
    let verdict = table.verdict(report.passed);
    table.line(&format!("\n{verdict} after {:.1} s; such a run again: {}", report.seconds, report.again));
    table.into_text()
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Quiet => "quiet",
        Phase::NodeKilled => "node killed",
        Phase::NodePaused => "node paused",
        Phase::StoreCutOff => "store cut off",
        Phase::RollingRestart => "rolling restart",
        Phase::FailOver => "fail-over",
    }
}

fn meaning(zero: Zero) -> &'static str {
    match zero {
        Zero::SignOuts => "honest sign-outs",
        Zero::FailedInRollingRestart => "failed renewals in a rolling restart",
        Zero::RevocationsLost => "acknowledged ends lost",
        Zero::RevocationsMissed => "acknowledged ends missed by a verifier",
        Zero::FalseAlarms => "false alarms",
        Zero::Panics => "panics",
        Zero::Others => "anything else that is wrong",
    }
}
