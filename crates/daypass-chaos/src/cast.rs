//! Everybody in a run, signed in before anything goes wrong.

use std::sync::Arc;

use daypass_client::SessionError;

use crate::account::What;
use crate::clients::{Client, Family, Kind, PLAIN, Plain, Programs, Tabs};
use crate::run::Run;
use crate::thieves::{ONE_ENDS, Victim};
use daypass_chaos::service::{Service, ServiceError};

/// A run of so many rotations is a long one.
const LONG: u64 = 50_000;

/// Honest clients share so many people: if one of their sessions raised an alarm, all of that person's would end.
const PEOPLE: u64 = 3;

/// How many there are of each.
#[derive(Clone, Copy, Debug)]
struct Size {
    tabs: u64,
    families: u64,
    plain: u64,
    victims: u64,
}

impl Size {
    fn of(rotations: u64) -> Self {
        if rotations < LONG {
            Self { tabs: 10, families: 2, plain: 3, victims: 4 }
        } else {
            Self { tabs: 40, families: 3, plain: 6, victims: 6 }
        }
    }
}

/// Everybody.
pub(crate) struct Cast {
    pub(crate) honest: Vec<Arc<dyn Client>>,
    pub(crate) victims: Vec<Arc<Victim>>,
}

/// Why somebody is missing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CastError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("nobody can sign in: {0}")]
    Session(#[from] SessionError),
    #[error("a client without ids cannot sign in")]
    Plain,
}

/// Writes into the store of a service that does not run yet whoever will sign in.
pub(crate) async fn enlist(run: &Run, service: &Service) -> Result<(), ServiceError> {
    for number in 0..PEOPLE {
        service.add_person(&honest(number)).await?;
    }
    for number in 0..Size::of(run.target).victims {
        service.add_person(&victim(number)).await?;
    }
    service.add_client(PLAIN).await?;
    service.add_client(ONE_ENDS).await
}

/// Signs everybody in at `service`, through the proxy.
pub(crate) async fn gather(run: &Arc<Run>, service: &str, programs: &Programs) -> Result<Cast, CastError> {
    let size = Size::of(run.target);
    let mut honest_ones: Vec<Arc<dyn Client>> = Vec::new();
    // Streams of chance: one for each, above those of the run's own parts.
    let mut streams = 100..;
    let mut stream = || streams.next().unwrap_or_default();
    for number in 0..size.tabs {
        let (person, count) = (honest(number), 2 + number % 3);
        let tabs = Tabs::open(run, service, &person, count, stream()).await?;
        honest_ones.push(Arc::new(tabs));
    }
    for number in 0..size.families {
        let (person, count) = (honest(number), 2 + number % 2);
        let family = Family::found(run, service, programs, Kind::Rust, (&person, count, stream())).await?;
        honest_ones.push(Arc::new(family));
    }
    if programs.javascript.is_some() {
        // A browser is one process, and has its tabs itself.
        for (kind, count, due) in
            [(Kind::Node, 2, What::NodeRenewals), (Kind::Browser, 1, What::BrowserRenewals)]
        {
            run.account.expect(due);
            let person = honest(stream());
            let family = Family::found(run, service, programs, kind, (&person, count, stream())).await?;
            honest_ones.push(Arc::new(family));
        }
    }
    for number in 0..size.plain {
        let plain = Plain::sign_in(run, service, &honest(number), stream()).await;
        honest_ones.push(Arc::new(plain.ok_or(CastError::Plain)?));
    }
    let mut victims = Vec::new();
    for number in 0..size.victims {
        let client = (number % 2 == 1).then_some(ONE_ENDS.id);
        let victim = Victim::new(run, service, (&victim(number), client), stream()).await?;
        victims.push(Arc::new(victim));
    }
    Ok(Cast { honest: honest_ones, victims })
}

fn honest(number: u64) -> String {
    format!("honest{}", number % PEOPLE)
}

fn victim(number: u64) -> String {
    format!("victim{number}")
}
