//! The problems of one automation: it sends too much at once, or its texts lack a value. Pure.

use super::{Cause, Draft, Many, OpenProblem, ProblemAction, Whose, dismiss};
use crate::explain::{Role, Shape, State, count};
use crate::ids::AutomationId;
use crate::integrations::Kind;

/// How one automation stands, as far as problems follow from it.
#[derive(Debug, Clone)]
pub(crate) struct AutomationFacts {
    pub(crate) id: AutomationId,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// How many messages in ten minutes it may send.
    pub(crate) limit: u32,
    /// Held because it wanted to send more.
    pub(crate) over_limit: Option<Many>,
    /// Held for a value, and which.
    pub(crate) missing: Option<(Many, Vec<String>)>,
}

pub(super) fn of(facts: &AutomationFacts) -> Vec<OpenProblem> {
    let over_limit = facts.over_limit.map(|many| over_limit(facts, many));
    let missing = facts
        .missing
        .as_ref()
        .map(|(many, names)| missing(facts, *many, names));
    over_limit
        .into_iter()
        .chain(missing)
        .map(Draft::done)
        .collect()
}

fn held(facts: &AutomationFacts, n: u64) -> String {
    let (one, many) = facts.kind.nouns();
    count(n, &format!("{one} is held"), &format!("{many} are held"))
}

fn over_limit(facts: &AutomationFacts, many: Many) -> Draft {
    let (name, n, limit) = (&facts.name, many.n, facts.limit);
    Draft {
        cause: Cause::OverLimit,
        whose: Whose::Automation(facts.id, facts.kind),
        since: many.since,
        waiting: n,
        failed: 0,
        state: State::new("Needs you", Shape::OctagonBang, Role::Failed),
        title: format!("“{name}” wanted to send more than {limit} in ten minutes."),
        effect: format!(
            "{}, in case that is a mistake. Send all of them, none, or look at them and choose.",
            held(facts, n)
        ),
        buttons: vec![
            (ProblemAction::Release, format!("Send all {n}")),
            (ProblemAction::ToldThem, "Send none".into()),
            dismiss(),
        ],
        link: None,
    }
}

fn missing(facts: &AutomationFacts, many: Many, names: &[String]) -> Draft {
    let name = &facts.name;
    Draft {
        cause: Cause::MissingValue,
        whose: Whose::Automation(facts.id, facts.kind),
        since: many.since,
        waiting: many.n,
        failed: 0,
        state: State::new("Needs you", Shape::OctagonBang, Role::Failed),
        title: match names {
            [] => format!("A text of “{name}” cannot be made."),
            [one] => format!("“{name}” waits for a value: {one}."),
            many => format!("“{name}” waits for values: {}.", many.join(", ")),
        },
        effect: format!(
            "{}. Change its text so that it goes without, with a default for what may be absent; what is held then goes out by itself.",
            held(facts, many.n)
        ),
        buttons: vec![
            (ProblemAction::ToldThem, "I told them myself".into()),
            dismiss(),
        ],
        link: None,
    }
}
