//! How a run went.

use daypass_testkit::Renewals;
use serde_json::json;

use crate::far::Disturbances;
use crate::memory::Growth;

/// What is told at the end.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) calls: u64,
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
    pub(crate) simulated_seconds: u64,
    /// Programs, and sessions of people among them.
    pub(crate) size: (usize, usize),
    /// How often a call had to be made again later.
    pub(crate) waited: u64,
    pub(crate) disturbances: Disturbances,
    pub(crate) renewals: Renewals,
    /// What the service's audit says of its alarms.
    pub(crate) alarms: Option<String>,
    pub(crate) memory: Growth,
    pub(crate) tasks_left: usize,
    pub(crate) failure: Option<String>,
}

impl Report {
    /// Comes to a verdict: what was noticed on the way comes first.
    pub(crate) fn judge(&mut self, noticed: Option<String>) {
        let renewals = || self.objection_to_renewals();
        let tasks = || (self.tasks_left > 0).then(|| format!("{} tasks are left over", self.tasks_left));
        self.failure = noticed.or_else(renewals).or_else(|| self.memory.objection()).or_else(tasks);
    }

    /// An honest client's renewals are rotations and repeats. One that the network delivered late may be superseded,
    /// which ends nothing.
    fn objection_to_renewals(&self) -> Option<String> {
        let Renewals { rotated, reused, mismatch, healed, .. } = self.renewals;
        let Renewals { expired, revoked, unknown, wrong_client, invalid, .. } = self.renewals;
        let counts = [
            (reused, "theft alarms were raised"),
            (mismatch, "renewals came without the attempt id of their generation"),
            (healed, "rotations were lost by the service"),
            (expired, "sessions were taken to have expired"),
            (revoked, "renewals met with an ended session"),
            (unknown, "renewals met with no session"),
            (wrong_client, "renewals were taken for another client's"),
            (invalid, "renewals were not understood"),
        ];
        let bad = counts.into_iter().find(|(count, _)| *count > 0);
        let bad = bad.map(|(count, what)| format!("{count} {what}"));
        bad.or_else(|| (rotated == 0).then(|| "nothing was renewed, so nothing was tested".to_owned()))
    }

    /// Tells it on the standard output.
    #[expect(clippy::print_stdout, reason = "this is the program's output")]
    pub(crate) fn tell(&self, json: bool) {
        println!("{}", if json { self.json() } else { self.text() });
    }

    fn text(&self) -> String {
        let Disturbances { restarts, new_keys, renewals_arrived, renewals_served, keys_asked } =
            self.disturbances;
        let Renewals { rotated, repeated, superseded, mismatch, reused, .. } = self.renewals;
        let mebibytes = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |bytes| (bytes >> 20).to_string());
        let (programs, sessions) = self.size;
        let mut text = format!(
            "{} calls by {programs} programs in {sessions} sessions took {:.1} s, {} s of simulated time\n\
             renewals: {renewals_arrived} requests, {renewals_served} served: {rotated} rotations, {repeated} \
             repeats, {superseded} superseded, {mismatch} mismatched, {reused} alarms\n\
             disturbed by {restarts} restarts and {new_keys} changes of keys; keys were asked for {keys_asked} times\n\
             {} calls were made again later for lack of a token or of keys\n\
             memory: {} MiB in the second quarter, {} MiB at the end; {} tasks left\n",
            self.calls,
            self.seconds,
            self.simulated_seconds,
            self.waited,
            mebibytes(self.memory.warm),
            mebibytes(self.memory.end),
            self.tasks_left,
        );
        match &self.failure {
            None => text.push_str("passed: nobody was signed out, no answer was wrong"),
            Some(failure) => text.push_str(&failed(failure, self.seed)),
        }
        if let Some(alarms) = &self.alarms {
            text.push_str("\nthe service's alarms: ");
            text.push_str(alarms);
        }
        text
    }

    fn json(&self) -> String {
        let Renewals { rotated, repeated, superseded, mismatch, healed, unavailable, .. } = self.renewals;
        let value = json!({
            "passed": self.failure.is_none(),
            "failure": self.failure,
            "alarms": self.alarms,
            "calls": self.calls,
            "seed": self.seed,
            "seconds": self.seconds,
            "simulated_seconds": self.simulated_seconds,
            "programs": self.size.0,
            "sessions": self.size.1,
            "made_again_later": self.waited,
            "disturbances": self.disturbances,
            "renewals": {
                "rotated": rotated,
                "repeated": repeated,
                "superseded": superseded,
                "mismatch": mismatch,
                "healed": healed,
                "unavailable": unavailable,
                "reused": self.renewals.reused,
                "refused": self.renewals.refused(),
            },
            "memory_bytes": { "warm": self.memory.warm, "end": self.memory.end },
            "tasks_left": self.tasks_left,
        });
        format!("{value:#}")
    }
}

fn failed(why: &str, seed: u64) -> String {
    format!("FAILED: {why}\nrepeat with --seed {seed}")
}
