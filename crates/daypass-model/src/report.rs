//! What a run prints.

use std::io::{IsTerminal as _, Write};
use std::time::Duration;

use serde::Serialize;

use crate::check::Outcome;
use crate::setting::Setting;
use crate::tally::ANSWERS;

/// What was found, line by line.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    settings: Vec<Checked>,
    limits: Vec<Found>,
    mutants: Vec<Found>,
    /// How often each answer was given, in all settings.
    answers: Vec<(&'static str, u64)>,
    /// What is not as it should be.
    failures: Vec<String>,
}

/// A setting that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) properties: Vec<&'static str>,
    pub(crate) states: usize,
    pub(crate) depth: usize,
    /// False: only as deep as that.
    pub(crate) exhausted: bool,
    pub(crate) seconds: f64,
    /// The most turns that owner and thief took, without a fail-over after the theft, with one, with two.
    pub(crate) turns: Option<[u8; 3]>,
    pub(crate) broken: Vec<Broken>,
}

/// A promise that does not hold.
#[derive(Debug, Serialize)]
pub(crate) struct Broken {
    pub(crate) property: &'static str,
    pub(crate) steps: Vec<String>,
}

/// Something that goes wrong where it was expected to.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) setting: &'static str,
    pub(crate) property: &'static str,
    /// How many steps it took; none if it was not found.
    pub(crate) steps: Option<usize>,
    pub(crate) states: usize,
    pub(crate) seconds: f64,
}

impl Checked {
    pub(crate) fn new(setting: &Setting, outcome: &Outcome) -> Self {
        let broken = outcome.broken.iter().map(|(property, steps)| Broken { property, steps: steps.clone() });
        Self {
            name: setting.name,
            about: setting.about,
            properties: setting.properties.iter().map(|property| property.name()).collect(),
            states: outcome.states,
            depth: outcome.depth,
            exhausted: outcome.exhausted,
            seconds: seconds(outcome.took),
            turns: setting.thief.map(|_| outcome.turns),
            broken: broken.collect(),
        }
    }
}

impl Found {
    /// What was found of a property that was meant to break.
    pub(crate) fn new(
        name: String,
        setting: &'static str,
        property: &'static str,
        outcome: &Outcome,
    ) -> Self {
        let steps = outcome.broken.iter().find(|(name, _)| *name == property).map(|(_, steps)| steps.len());
        let seconds = seconds(outcome.took);
        Self { name, setting, property, steps, states: outcome.states, seconds }
    }
}

fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 100.0).round() / 100.0
}

/// Colours, where there is a terminal that wants them.
pub(crate) struct Paint(bool);

impl Paint {
    /// For standard output.
    pub(crate) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(std::io::stdout().is_terminal() && !unwanted)
    }

    fn verdict(&self, good: bool, text: &str) -> String {
        let colour = if good { 32 } else { 31 };
        if self.0 { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

impl Report {
    /// Whether all is as it should be.
    pub(crate) const fn is_good(&self) -> bool {
        self.failures.is_empty()
    }

    /// Takes note of a setting, which states how many turns there are at most: no fewer are taken.
    pub(crate) fn checked(&mut self, checked: Checked, bounds: Option<[u8; 3]>, answers: &[u64; 12]) {
        if !checked.exhausted {
            self.failures.push(format!("{}: there is more to look at than was allowed", checked.name));
        }
        if bounds.is_some_and(|bounds| Some(bounds) != checked.turns) {
            self.failures.push(format!("{}: the turns that it states are not what was seen", checked.name));
        }
        for property in &checked.broken {
            self.failures.push(format!("{}: {} does not hold", checked.name, property.property));
        }
        if self.answers.is_empty() {
            self.answers = ANSWERS.iter().map(|answer| (*answer, 0)).collect();
        }
        for ((_, sum), count) in self.answers.iter_mut().zip(answers) {
            *sum += count;
        }
        self.settings.push(checked);
    }

    pub(crate) fn limit(&mut self, found: Found) {
        if found.steps.is_none() {
            self.failures.push(format!("limit \"{}\" was not found", found.name));
        }
        self.limits.push(found);
    }

    pub(crate) fn mutant(&mut self, found: Found) {
        if found.steps.is_none() {
            self.failures.push(format!("mutant {} was not noticed in \"{}\"", found.name, found.setting));
        }
        self.mutants.push(found);
    }

    /// An answer that never occurred was not checked.
    pub(crate) fn all_answers_occur(&mut self) {
        let never = self.answers.iter().filter(|(answer, count)| *count == 0 && *answer != "unknown");
        self.failures.extend(never.map(|(answer, _)| format!("the answer \"{answer}\" never occurred")));
    }

    /// Prints what goes wrong, and what it comes to.
    pub(crate) fn end(&self, paint: &Paint, out: &mut impl Write) -> std::io::Result<()> {
        let states: usize = self.settings.iter().map(|setting| setting.states).sum();
        let bounded = self.settings.iter().filter(|setting| !setting.exhausted).count();
        let answers: Vec<_> =
            self.answers.iter().map(|(answer, count)| format!("{answer} {count}")).collect();
        writeln!(out, "\nanswers: {}", answers.join(", "))?;
        for failure in &self.failures {
            writeln!(out, "{}", paint.verdict(false, failure))?;
        }
        let found = |list: &[Found]| list.iter().filter(|found| found.steps.is_some()).count();
        let summary = format!(
            "{} settings, {states} states, {bounded} not exhausted; {} of {} limits and {} of {} mutants found",
            self.settings.len(),
            found(&self.limits),
            self.limits.len(),
            found(&self.mutants),
            self.mutants.len(),
        );
        writeln!(out, "{}", paint.verdict(self.is_good(), &summary))
    }
}

/// The line of a setting.
pub(crate) fn setting_line(checked: &Checked, paint: &Paint) -> String {
    let reach = if checked.exhausted { "all" } else { "first" };
    let good = checked.broken.is_empty();
    let verdict = paint.verdict(good, if good { "holds" } else { "BROKEN" });
    let turns = checked.turns.map(|[none, one, two]| format!("  turns {none}/{one}/{two}"));
    format!(
        "{:<34} {reach:>5} {:>10} states  depth {:>4}  {:>7.2} s  {verdict}{}",
        checked.name,
        checked.states,
        checked.depth,
        checked.seconds,
        turns.unwrap_or_default(),
    )
}

/// The line of something that was meant to be found.
pub(crate) fn found_line(kind: &str, found: &Found, paint: &Paint) -> String {
    let verdict = match found.steps {
        Some(steps) => paint.verdict(true, &format!("found in {steps} steps")),
        None => paint.verdict(false, "NOT FOUND"),
    };
    format!(
        "{kind:<6} {:<24} {:<32} {:<30} {:>8} states {:>6.2} s  {verdict}",
        found.name, found.setting, found.property, found.states, found.seconds
    )
}
