//! The problems of one integration. Pure.

use jiff::tz::TimeZone;

use super::{Cause, Draft, Many, OpenProblem, ProblemAction, Whose, day, dismiss};
use crate::clock::Time;
use crate::explain::{Role, Shape, State, count};
use crate::integrations::{Kind, words};
use crate::outcome::{Detail, Failure, Trouble};

/// How one integration stands, as far as problems follow from it.
#[derive(Debug, Clone)]
pub(crate) struct IntegrationFacts {
    pub(crate) kind: Kind,
    /// False: it is disconnected, or never was set up.
    pub(crate) is_configured: bool,
    /// What the provider last said, and since when it says nothing else.
    pub(crate) last_failure: Option<(Failure, Time)>,
    /// What the provider wants of the owner, even where nothing waits for it.
    pub(crate) needs: Option<Cause>,
    /// Held until the owner has seen to it.
    pub(crate) held: Vec<(Cause, Many)>,
    pub(crate) held_keychain: Option<(Many, Failure)>,
    /// Given up since that was dismissed.
    pub(crate) given_up: Option<Many>,
    /// The same, where sending again is no use or not wanted; and what the last of them met.
    pub(crate) hopeless: Option<Many>,
    /// Of these nobody knows whether they were done.
    pub(crate) unknown: Option<Many>,
}

pub(super) fn of(facts: &IntegrationFacts, now: Time, zone: &TimeZone) -> Vec<OpenProblem> {
    let mut causes = facts.held.clone();
    if let (Some(cause), Some((_, since))) = (facts.needs, &facts.last_failure)
        && causes.iter().all(|(known, _)| *known != cause)
    {
        let nothing = Many {
            n: 0,
            since: *since,
        };
        causes.push((cause, nothing));
    }
    let stopped = causes
        .into_iter()
        .map(|(cause, held)| stopped(facts, cause, held));
    let lost = facts
        .held_keychain
        .as_ref()
        .filter(|(_, failure)| failure.args.trouble == Some(Trouble::SecretMissing))
        .map(|(held, failure)| secret_missing(facts.kind, *held, failure));
    let given_up = facts
        .given_up
        .map(|many| given_up(facts.kind, many, now, zone));
    let unknown = facts.unknown.map(|many| unknown(facts.kind, many));
    stopped
        .chain(lost)
        .chain(given_up)
        .chain(facts.hopeless.map(|many| hopeless(facts.kind, many)))
        .chain(unknown)
        .map(Draft::done)
        .collect()
}

/// "3 emails wait and nothing is lost."
fn waits(kind: Kind, n: u64) -> String {
    let (one, many) = kind.nouns();
    let waiting = count(n, &format!("{one} waits"), &format!("{many} wait"));
    format!("{waiting} and nothing is lost.")
}

fn told_them() -> (ProblemAction, String) {
    (ProblemAction::ToldThem, "I told them myself".into())
}

/// The provider wants something of the owner, or the integration is disconnected.
fn stopped(facts: &IntegrationFacts, cause: Cause, held: Many) -> Draft {
    let (kind, who) = (facts.kind, facts.kind.provider_name());
    let failure = facts
        .last_failure
        .as_ref()
        .map(|(failure, _)| failure)
        .filter(|_| facts.is_configured);
    let is_gone = failure.is_some_and(|failure| failure.args.detail == Some(Detail::CalendarGone));
    let first = match (cause, facts.is_configured) {
        (Cause::NeedsSetup, true) if is_gone => {
            (ProblemAction::ChooseCalendar, "Choose calendar".into())
        }
        (_, false) if kind == Kind::Calendar => {
            (ProblemAction::Reconnect, format!("Connect {who}"))
        }
        (Cause::NeedsCredentials, true) if kind == Kind::Calendar => {
            (ProblemAction::Reconnect, "Reconnect".into())
        }
        (_, false) => (ProblemAction::ReplaceKey, format!("Set {who} up")),
        (Cause::NeedsSignIn, true) => (ProblemAction::Reconnect, "Reconnect".into()),
        (Cause::NeedsCredentials, true) => (ProblemAction::ReplaceKey, "Replace key".into()),
        _ => (ProblemAction::Release, "It is done, try again".into()),
    };
    let again = facts.is_configured && first.0 != ProblemAction::Release;
    let mut buttons = vec![first];
    if again {
        buttons.push((ProblemAction::Release, "Try again".into()));
    }
    if held.n > 0 {
        buttons.push(told_them());
    }
    buttons.push(dismiss());
    Draft {
        cause,
        whose: Whose::Integration(kind),
        since: held.since,
        waiting: held.n,
        failed: 0,
        state: State::new("Needs you", Shape::OctagonBang, Role::Failed),
        title: match (facts.is_configured, failure) {
            (false, _) => format!("{who} is disconnected."),
            (true, Some(failure)) => words::failure(kind, failure),
            (true, None) => format!("{who} needs you."),
        },
        effect: match held.n {
            0 => format!("Nothing waits for it yet. What comes in for {who} is held."),
            1 => format!(
                "{} It goes out by itself once this is done.",
                waits(kind, 1)
            ),
            n => format!(
                "{} They go out by themselves once this is done.",
                waits(kind, n)
            ),
        },
        buttons,
        link: failure.and_then(|failure| words::remedy(kind, failure)),
    }
}

fn secret_missing(kind: Kind, held: Many, failure: &Failure) -> Draft {
    Draft {
        cause: Cause::Keychain,
        whose: Whose::Integration(kind),
        since: held.since,
        waiting: held.n,
        failed: 0,
        state: State::new("Held", Shape::BarsSquareFilled, Role::Held),
        title: words::failure(kind, failure),
        effect: waits(kind, held.n),
        buttons: vec![
            match kind {
                Kind::Calendar => (ProblemAction::Reconnect, "Reconnect".into()),
                _ => (ProblemAction::ReplaceKey, "Enter the key again".into()),
            },
            (ProblemAction::Release, "Try again".into()),
        ],
        link: None,
    }
}

fn given_up(kind: Kind, many: Many, now: Time, zone: &TimeZone) -> Draft {
    let (n, (one, more)) = (many.n, kind.nouns());
    let since = day(many.since, now, zone);
    Draft {
        cause: Cause::Failed,
        whose: Whose::Integration(kind),
        since: many.since,
        waiting: 0,
        failed: n,
        state: State::new("Failed", Shape::OctagonBar, Role::Failed),
        title: format!("{} did not get through.", count(n, one, more)),
        effect: match n {
            1 => format!(
                "It was given up at {since}. Look why; then send it again, or tell them yourself."
            ),
            _ => format!(
                "They were given up since {since}. Look why; then send them again, or tell them yourself."
            ),
        },
        buttons: vec![
            (ProblemAction::RetryAll, format!("Send the {n} again")),
            told_them(),
            dismiss(),
        ],
        link: None,
    }
}

fn hopeless(kind: Kind, many: Many) -> Draft {
    let (n, (one, more)) = (many.n, kind.nouns());
    Draft {
        cause: Cause::Hopeless,
        whose: Whose::Integration(kind),
        since: many.since,
        waiting: 0,
        failed: n,
        state: State::new("Failed", Shape::OctagonBar, Role::Failed),
        title: format!("{} will not get through.", count(n, one, more)),
        effect: "The person answered STOP, the number takes no texts, or the carrier blocks the words. Sending again is no use: look why, and tell them another way.".into(),
        buttons: vec![told_them(), dismiss()],
        link: None,
    }
}

fn unknown(kind: Kind, many: Many) -> Draft {
    let (who, (one, more)) = (kind.provider_name(), kind.nouns());
    Draft {
        cause: Cause::Unknown,
        whose: Whose::Integration(kind),
        since: many.since,
        waiting: 0,
        failed: 0,
        state: State::new("Not known", Shape::DiamondQuestion, Role::Unknown),
        title: format!(
            "It is not known whether {who} took {}.",
            count(many.n, one, more)
        ),
        effect: "The answer got lost. Nothing is sent again by itself, so that nobody gets it twice. Look there, then close it or send it again.".into(),
        buttons: vec![
            told_them(),
            (ProblemAction::RetryAll, format!("Send the {} again", many.n)),
            dismiss(),
        ],
        link: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Code;

    const NOW: Time = Time::from_ms(1_795_780_800_000);

    fn email() -> IntegrationFacts {
        IntegrationFacts {
            kind: Kind::Email,
            is_configured: true,
            last_failure: None,
            needs: None,
            held: Vec::new(),
            held_keychain: None,
            given_up: None,
            hopeless: None,
            unknown: None,
        }
    }

    fn many(n: u64) -> Many {
        Many { n, since: NOW }
    }

    fn only(facts: &IntegrationFacts) -> OpenProblem {
        let mut all = of(facts, NOW, &TimeZone::UTC);
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn a_refused_key_is_one_card_with_one_button_that_says_how_many_wait() {
        assert!(of(&email(), NOW, &TimeZone::UTC).is_empty());
        let refused = Failure::status(Code::CredentialsRejected, 401);
        let facts = IntegrationFacts {
            last_failure: Some((refused, NOW)),
            needs: Some(Cause::NeedsCredentials),
            held: vec![(Cause::NeedsCredentials, many(7))],
            ..email()
        };
        let card = only(&facts);
        assert_eq!(card.id, "needs_credentials.email");
        assert_eq!(card.integration, "email");
        assert_eq!(
            card.title,
            "SendGrid no longer accepts your key. Replace it."
        );
        assert_eq!(
            card.effect,
            "7 emails wait and nothing is lost. They go out by themselves once this is done."
        );
        assert_eq!(card.buttons[0].label, "Replace key");
        let nothing_waits = IntegrationFacts {
            held: Vec::new(),
            ..facts
        };
        assert_eq!(only(&nothing_waits).waiting, 0);
    }

    #[test]
    fn what_is_mended_at_the_provider_has_a_link_to_it() {
        for (detail, label) in [
            (Detail::OutOfCredits, "Open billing"),
            (Detail::SenderUnknown, "Verify sender"),
        ] {
            let failure = Failure::status(Code::Rejected, 403).with(detail);
            let card = only(&IntegrationFacts {
                last_failure: Some((failure, NOW)),
                needs: Some(Cause::NeedsSetup),
                held: vec![(Cause::NeedsSetup, many(1))],
                ..email()
            });
            assert_eq!(card.link.unwrap().label, label);
            assert_eq!(card.actions[0], ProblemAction::Release);
        }
    }

    #[test]
    fn what_waits_for_a_disconnected_integration_is_not_forgotten() {
        let card = only(&IntegrationFacts {
            is_configured: false,
            held: vec![(Cause::NeedsSetup, many(2))],
            ..email()
        });
        assert_eq!(card.title, "SendGrid is disconnected.");
        assert_eq!(card.buttons[0].label, "Set SendGrid up");
    }

    #[test]
    fn what_is_not_known_is_offered_to_be_closed_before_it_is_sent_again() {
        let card = only(&IntegrationFacts {
            unknown: Some(many(2)),
            ..email()
        });
        assert_eq!(
            card.title,
            "It is not known whether SendGrid took 2 emails."
        );
        assert_eq!(card.actions[0], ProblemAction::ToldThem);
        assert_eq!(card.filter.status, "unknown");
    }
}
