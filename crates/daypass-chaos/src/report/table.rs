//! The report as a table.

use daypass_chaos::table::Table;

use super::Report;
use crate::account::{What, ZEROS, Zero};

/// What became of the run in lines, with colours if they are wanted.
pub(super) fn of(report: &Report, colours: bool) -> String {
    let mut table = Table::new(colours);
    table.row("rotations", report.rotations, None, "as clients were told of them");
    table.row(
        "rotations in the store",
        report.store.rotations,
        None,
        "also those whose answer was lost with the service",
    );
    table.row("sessions", report.store.sessions, None, "");
    table.row("thefts", report.thefts, None, &format!("noticed after {} turns at most", report.most_turns));
    table.row("alarms in the store", report.store.alarms, None, "");
    table.row("slowest start after a kill, in ms", report.slowest_start, None, "");
    table.line("");
    for (what, count) in &report.counts {
        if *what != What::Rotations {
            let wrong = report.missing.contains(what).then_some("this was due");
            table.row(name(*what), *count, wrong.map(|_| true), wrong.unwrap_or_default());
        }
    }
    table.line("");
    for zero in ZEROS {
        let count = report.zeros.get(zero).copied().unwrap_or_default();
        table.row(meaning(*zero), count, Some(count > 0), "");
    }
    conclude(&mut table, report);
    table.into_text()
}

fn conclude(table: &mut Table, report: &Report) {
    for told in &report.objections {
        let session = told.objection.session.map(|session| format!(" (session {session})"));
        table.line(&format!("\nwrong: {}{}", told.objection.what, session.unwrap_or_default()));
        for line in &told.past {
            table.line(&format!("    {line}"));
        }
    }
    if let Some(folder) = &report.folder {
        table.line(&format!("\nthe store and the logs are in {}", folder.display()));
    }
    let verdict = table.verdict(report.passed);
    table.line(&format!(
        "\n{verdict} after {:.1} s; the same faults again, request by request: {}",
        report.seconds, report.again
    ));
}

fn meaning(zero: Zero) -> &'static str {
    match zero {
        Zero::SignOuts => "honest sign-outs",
        Zero::FalseAlarms => "false alarms",
        Zero::Unnoticed => "thefts unnoticed (of clients with ids)",
        Zero::Twins => "lineages with two live successors",
        Zero::LostRotations => "acknowledged rotations lost",
        Zero::Panics => "panics",
        Zero::Others => "anything else that is wrong",
    }
}

fn name(what: What) -> &'static str {
    match what {
        What::Requests => "requests for renewal",
        What::Rotations => "rotations",
        What::Repeats => "repeats",
        What::GraceRepeats => "  of them on grace",
        What::Superseded => "superseded",
        What::Mismatches => "cookies that were newer than their ids",
        What::Busy => "answered with 429 or 503",
        What::Unknown => "unanswered when it was killed",
        What::RequestsLost => "requests lost",
        What::AnswersLost => "answers lost",
        What::RequestsDelayed => "requests delayed",
        What::AnswersDelayed => "answers delayed",
        What::RequestsTwice => "requests sent twice",
        What::RequestsCut => "requests cut short",
        What::AnswersCut => "answers cut short",
        What::Resets => "connections reset",
        What::SignInFaults => "faults at sign-in and sign-out",
        What::LateCopies => "second copies delivered",
        What::CopiesDiscarded => "second copies too late to deliver",
        What::DelayedTooLong => "requests delayed too long to deliver",
        What::HeldUpTooLong => "requests that the machine held up too long",
        What::Waited => "requests that waited for an older copy",
        What::ServiceKills => "kills of the service",
        What::KillsInMidStart => "  more while it started",
        What::DatabaseKills => "kills of its database",
        What::ClientKills => "kills of client processes",
        What::NodeRenewals => "renewals told of by Node programs",
        What::BrowserRenewals => "renewals told of by a browser's tabs",
        What::TabsReopened => "tabs closed and opened again",
        What::Unavailable => "clients told to try later",
        What::GivenUp => "sessions past their grace given up",
        What::TokenThefts => "thefts of the current token",
        What::OldTokenThefts => "thefts of an old token",
        What::StoreThefts => "thefts of a store",
        What::TheftsNoticed => "  noticed by the alarm",
        What::NothingGained => "  superseded, nothing gained",
        What::TurnsTogether => "turns of thief and owner at once",
    }
}
