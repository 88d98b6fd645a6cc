//! People, their names and passwords, and what is recorded of subjects.

use daypass_core::guess::Guesses;
use daypass_core::{Claims, EndingReason, EventKind, NewSession, Origin, Refusal, Scope, Subject, SubjectId};

use super::Harness;
use super::stage::{BUILT_IN, Stage, from_test, hash, public, sub};
use crate::{AddClient, AddUser, Opened, PasswordChange, PasswordUse, SubjectChange, User, Username};

/// Claims of `name=value` pairs.
fn claims(pairs: &str) -> Claims {
    let mut members = Claims::default().members().clone();
    for (name, value) in pairs.split_whitespace().map(|pair| pair.split_once('=').unwrap()) {
        members.insert(name.to_owned(), value.into());
    }
    Claims::try_from(members).unwrap()
}

fn name(text: &str) -> Username {
    text.parse().unwrap()
}

/// Everything about a person comes back, by name and by `sub`; a subject alone is no person.
pub async fn a_person_comes_back_by_name_and_by_sub(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let subject = Subject {
        disabled: true,
        scope: "daypass:admin reports".parse::<Scope>().unwrap(),
        claims: claims("name=Änne email=a@example.org"),
        ..Subject::new(SubjectId::new("3f9c|7").unwrap())
    };
    let person = User { name: name("Änne Ørsted"), subject: subject.clone(), ..stage.person("x") };
    assert_eq!(stage.store.add_user(person.clone(), from_test()).await.unwrap(), AddUser::Added);
    let without_password = User { password: None, ..stage.person("robot") };
    stage.store.add_user(without_password, from_test()).await.unwrap();

    for found in [
        stage.store.user(&name("Änne Ørsted")).await.unwrap().unwrap(),
        stage.store.user_of(&subject.id).await.unwrap().unwrap(),
    ] {
        assert_eq!((&found.name, &found.subject), (&person.name, &subject));
        assert_eq!((&found.password, found.created_at), (&person.password, stage.now()));
    }
    assert_eq!(stage.store.user(&name("robot")).await.unwrap().unwrap().password, None);
    assert!(stage.store.user(&name("änne ørsted")).await.unwrap().is_none(), "names are compared exactly");
    stage.sign_in("visitor").await;
    assert!(stage.store.user_of(&sub("visitor")).await.unwrap().is_none());
    assert_eq!(stage.kinds().await[..2], [EventKind::UserAdded, EventKind::UserAdded]);
}

/// A name, and a `sub`, belong to whoever had them first.
pub async fn names_and_subjects_are_taken_once(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.add_person("sam").await;
    stage.sign_in("visitor").await;
    let add = async |name: &str, subject: &str| {
        let user = User { subject: Subject::new(sub(subject)), ..stage.person(name) };
        stage.store.add_user(user, from_test()).await.unwrap()
    };
    assert_eq!(add("sam", "other").await, AddUser::NameTaken);
    assert_eq!(add("other", "sam").await, AddUser::SubjectTaken);
    assert_eq!(add("other", "visitor").await, AddUser::SubjectTaken);
    assert_eq!(stage.store.users(None, 10).await.unwrap().len(), 1);
    assert_eq!(stage.kinds().await, [EventKind::UserAdded, EventKind::SignedIn]);
    assert_eq!(add("other", "other").await, AddUser::Added);
}

/// Page by page in the order of [`Username`], each person once.
pub async fn people_come_in_pages_by_name(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let mut names = ["zoe", "Zoe", "adam", "Ångström", "b c", "b-c", "bc", "ß", "研究", "10", "9"].map(name);
    for (n, name) in names.iter().enumerate() {
        let user =
            User { subject: Subject::new(sub(&format!("s{n}"))), name: name.clone(), ..stage.person("x") };
        stage.store.add_user(user, from_test()).await.unwrap();
    }
    names.sort();
    for limit in [1, 3, 11, 100] {
        let mut seen: Vec<Username> = Vec::new();
        loop {
            let page = stage.store.users(seen.last().cloned(), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|user| user.name));
        }
        assert_eq!(seen, names);
    }
}

/// Nobody can be mistaken for a client, nor a client for a person.
pub async fn a_name_is_a_persons_or_a_clients(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.store.add_client(public("shop"), from_test()).await.unwrap();
    stage.add_person("sam").await;
    stage.sign_in("visitor").await;
    for subject in ["shop", BUILT_IN] {
        assert_eq!(
            stage.store.add_user(stage.person(subject), from_test()).await.unwrap(),
            AddUser::SubjectTaken
        );
        let new = NewSession { subject: sub(subject), ..stage.new_session("x", BUILT_IN) };
        let opened = stage.store.open_session(new, Origin::default(), None).await.unwrap();
        assert!(matches!(opened, Opened::SubjectIsClient), "{opened:?}");
    }
    for client in ["sam", "visitor"] {
        let added = stage.store.add_client(public(client), from_test()).await.unwrap();
        assert_eq!(added, AddClient::IsSubject);
    }
    assert_eq!(stage.store.session_count().await.unwrap(), 1);
    assert_eq!(stage.store.clients().await.unwrap().len(), 1);
}

/// What is recorded of a subject is read afresh at every rotation; what is not named stays.
pub async fn changed_claims_are_in_the_next_rotation(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    let change = async |change: SubjectChange| {
        stage.store.change_subject(sub("sam"), change, from_test()).await.unwrap()
    };
    let seen = async || {
        let g = stage.state(session.id).await.generation.0;
        let rotated = stage.ask(stage.request(session.id, g, &[])).await;
        rotated.row.unwrap().1
    };
    assert!(change(SubjectChange { claims: Some(claims("role=clerk")), ..SubjectChange::default() }).await);
    assert_eq!(seen().await.claims, claims("role=clerk"));
    let scope = "reports".parse::<Scope>().unwrap();
    assert!(change(SubjectChange { scope: Some(scope.clone()), ..SubjectChange::default() }).await);
    assert_eq!((seen().await.claims, seen().await.scope), (claims("role=clerk"), scope));
    assert!(change(SubjectChange { claims: Some(Claims::default()), ..SubjectChange::default() }).await);
    assert!(seen().await.claims.is_empty());
    let nobody =
        stage.store.change_subject(sub("nobody"), SubjectChange::default(), from_test()).await.unwrap();
    assert!(!nobody);
    assert_eq!(stage.endings().await, []);
    let mut expected = vec![EventKind::SignedIn];
    expected.extend([EventKind::UserChanged; 3]);
    assert_eq!(stage.kinds().await, expected);
}

/// A disabled subject can neither renew nor sign in; enabled again, it has to sign in.
pub async fn disabling_ends_and_enabling_revives_nothing(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let session = stage.sign_in("sam").await;
    let disable = async |disabled: bool| {
        let change = SubjectChange { disabled: Some(disabled), ..SubjectChange::default() };
        assert!(stage.store.change_subject(sub("sam"), change, from_test()).await.unwrap());
    };
    let sign_in = async || {
        stage.store.open_session(stage.new_session("sam", BUILT_IN), Origin::default(), None).await.unwrap()
    };
    let over = Err(Refusal::Ended(EndingReason::Disabled));
    disable(true).await;
    assert_eq!(stage.renew(&session, 0).await, over);
    assert!(matches!(sign_in().await, Opened::Disabled));
    assert_eq!(stage.store.session_count().await.unwrap(), 1);
    assert_eq!(stage.endings().await.len(), 1);
    disable(false).await;
    assert_eq!(stage.renew(&session, 0).await, over);
    let Opened::Session(again, subject) = sign_in().await else { panic!("still disabled") };
    assert!(!subject.disabled);
    assert_eq!(stage.renew(&again, 0).await, Ok(1));
    assert_eq!(stage.renew(&session, 0).await, over);
}

/// Another password ends the person's sessions, but for the one that changed it.
pub async fn a_new_password_ends_the_other_sessions(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.add_person("sam").await;
    let (kept, other) = (stage.sign_in("sam").await, stage.sign_in("sam").await);
    let set = async |whose: &str, to: &str, keep| {
        let change = PasswordChange::New { hash: hash(to), from: None, keep };
        stage.store.set_password(sub(whose), change, from_test()).await.unwrap()
    };
    let over = Err(Refusal::Ended(EndingReason::PasswordChanged));
    assert!(set("sam", "second", Some(kept.id)).await);
    assert_eq!(stage.renew(&other, 0).await, over);
    assert_eq!(stage.renew(&kept, 0).await, Ok(1));
    assert_eq!(stage.store.user(&name("sam")).await.unwrap().unwrap().password, Some(hash("second")));
    assert!(set("sam", "third", None).await);
    assert_eq!(stage.renew(&kept, 1).await, over);
    let after = stage.sign_in("sam").await;
    assert_eq!(stage.renew(&after, 0).await, Ok(1));
    assert!(!set("nobody", "x", None).await);
    stage.sign_in("visitor").await;
    assert!(!set("visitor", "x", None).await, "a subject without a name has no password");
    let changes = stage.kinds().await.into_iter().filter(|kind| *kind == EventKind::PasswordChanged).count();
    assert_eq!(changes, 2);
}

/// Whoever has to know the password has to know the one that is in place when the change is made.
pub async fn a_new_password_replaces_the_one_that_was_proven(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.add_person("sam").await;
    let (owner, thief) = (stage.sign_in("sam").await, stage.sign_in("sam").await);
    let change = async |from: &str, to: &str, keep| {
        let change = PasswordChange::New { hash: hash(to), from: Some(hash(from)), keep: Some(keep) };
        stage.store.set_password(sub("sam"), change, from_test()).await.unwrap()
    };
    assert!(change("first", "second", owner.id).await);
    assert!(!change("first", "third", thief.id).await);
    assert_eq!(stage.store.user(&name("sam")).await.unwrap().unwrap().password, Some(hash("second")));
    assert_eq!(stage.renew(&owner, 0).await, Ok(1));
}

/// Nobody is signed in by a password that was replaced meanwhile.
pub async fn a_sign_in_by_a_password_is_overtaken_by_a_new_one(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.add_person("sam").await;
    let sign_in = async |whose: &str, password: &str| {
        let new = stage.new_session(whose, BUILT_IN);
        stage.store.open_session(new, Origin::default(), Some(hash(password))).await.unwrap()
    };
    assert!(matches!(sign_in("sam", "first").await, Opened::Session(..)));
    let change = PasswordChange::New { hash: hash("second"), from: None, keep: None };
    assert!(stage.store.set_password(sub("sam"), change, from_test()).await.unwrap());
    assert!(matches!(sign_in("sam", "first").await, Opened::PasswordChanged));
    assert!(matches!(sign_in("sam", "second").await, Opened::Session(..)));
    let visitor = sign_in("visitor", "first").await;
    assert!(matches!(visitor, Opened::PasswordChanged), "who has no name has no password");
}

/// The same password under other parameters: only if nobody was faster.
pub async fn a_rehash_ends_nothing_and_replaces_only_what_it_saw(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    stage.add_person("sam").await;
    let session = stage.sign_in("sam").await;
    let rehash = async |from: &str, to: &str| {
        let change = PasswordChange::Rehash { from: hash(from), to: hash(to) };
        stage.store.set_password(sub("sam"), change, from_test()).await.unwrap()
    };
    assert!(rehash("first", "stronger").await);
    assert!(!rehash("first", "stale").await);
    assert_eq!(stage.store.user(&name("sam")).await.unwrap().unwrap().password, Some(hash("stronger")));
    assert_eq!(stage.renew(&session, 0).await, Ok(1));
    assert_eq!(stage.endings().await, []);
}

/// Wrong passwords count up, a right one forgets them, and each account has its own.
pub async fn wrong_passwords_are_counted_until_a_right_one(harness: impl Harness) {
    let stage = Stage::set(harness).await;
    let (sam, kim) = ([1; 32], [2; 32]);
    let record = async |account, outcome| stage.store.record_password_use(account, outcome).await.unwrap();
    assert_eq!(stage.store.guesses(sam).await.unwrap(), Guesses::default());
    for failures in 1..4 {
        stage.clock.step(1_000);
        record(sam, PasswordUse::Wrong).await;
        assert_eq!(stage.store.guesses(sam).await.unwrap(), Guesses { failures, last: stage.now() });
    }
    assert_eq!(stage.store.guesses(kim).await.unwrap(), Guesses::default());
    record(kim, PasswordUse::Right).await;
    assert_eq!(stage.store.guesses(sam).await.unwrap().failures, 3);
    record(sam, PasswordUse::Right).await;
    assert_eq!(stage.store.guesses(sam).await.unwrap().failures, 0);
    record(sam, PasswordUse::Wrong).await;
    stage.clock.step(25 * 60 * 60 * 1000);
    record(sam, PasswordUse::Wrong).await;
    assert_eq!(stage.store.guesses(sam).await.unwrap().failures, 1, "after a day they are forgotten");
    assert_eq!(stage.kinds().await, []);
}
