//! *Needs you*: what stands in the way, grouped by cause, each with its effect and what can be done.
//!
//! Nothing keeps problems: they follow from how things stand (`of`, pure) and are gone when their
//! cause is. Kept is only what was dismissed, which stays away until the cause happens anew, and
//! for a week what was solved.

mod automation;
mod integration;
mod resolve;
pub(crate) use automation::AutomationFacts;
pub(crate) use integration::IntegrationFacts;
pub(crate) use resolve::{facts, open};

use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::deliveries::{Channel, DeliveryRow, Reason, Status};
use crate::explain::{self, Role, Shape, State, count};
use crate::ids::{AutomationId, WebhookId};
use crate::integrations::{Kind, Link};
use crate::outcome::{Failure, Trouble};
use crate::webhooks::PausedReason;

/// From this age on a signing secret should be changed.
pub(crate) const OLD_SECRET_DAYS: i64 = 180;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What *Needs you* shows.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problems {
    /// The most urgent first.
    pub problems: Vec<OpenProblem>,
    /// What was solved in the last seven days, newest first, 20 at most.
    pub solved: Vec<SolvedProblem>,
    /// All in one sentence.
    pub sentence: String,
}

/// One problem.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenProblem {
    /// The same for as long as the cause is.
    pub id: String,
    /// Why.
    pub cause: Cause,
    /// `webhooks`, or the kind of the integration.
    pub integration: String,
    /// The webhook, where it is one's.
    pub webhook_id: Option<WebhookId>,
    /// The automation, where it is one's.
    pub automation_id: Option<AutomationId>,
    /// Since when.
    pub since: Time,
    /// Deliveries that wait for it.
    pub waiting: u64,
    /// Deliveries that were given up because of it.
    pub failed: u64,
    /// What can be done.
    pub actions: Vec<ProblemAction>,
    /// Word, shape and role.
    pub state: State,
    /// What happened.
    pub title: String,
    /// What it means.
    pub effect: String,
    /// The actions as buttons.
    pub buttons: Vec<Button>,
    /// Where at the provider it can be mended, to be opened in a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// The oldest three it is about.
    pub first: Vec<DeliveryRow>,
    /// The filter of deliveries that shows all of them.
    pub filter: ProblemFilter,
}

/// Deliveries a problem is about: members of the query of `GET /api/deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProblemFilter {
    /// Statuses with commas.
    pub status: String,
    /// Where failures are among them: their reasons with commas. Those that were sent again since
    /// are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// The webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
    /// The automation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automation_id: Option<AutomationId>,
    /// The channel of the integration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Always false.
    pub test: bool,
}

/// An action as a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Button {
    /// What it does.
    pub action: ProblemAction,
    /// "Send the 37"
    pub label: String,
    /// The one to offer first.
    pub primary: bool,
}

/// Something that was a problem.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SolvedProblem {
    /// A sentence.
    pub title: String,
    /// When.
    pub at: Time,
}

/// What stands in the way, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Cause {
    /// The key store cannot be used, or lost a secret.
    Keychain,
    /// A provider does not accept the key.
    NeedsCredentials,
    /// A provider no longer grants access.
    NeedsSignIn,
    /// Something has to be set up at the provider, or the integration itself again.
    NeedsSetup,
    /// An automation wanted to send more than it may at once.
    OverLimit,
    /// An automation's texts lack a value.
    MissingValue,
    /// A receiver said stop.
    Gone,
    /// A receiver has failed for days and is paused.
    Failing,
    /// An address that is never called.
    BlockedAddress,
    /// Deliveries were given up.
    Failed,
    /// Deliveries were given up, and sending them again is no use or not wanted.
    Hopeless,
    /// Answers got lost: nobody knows whether it was done.
    Unknown,
    /// A signing secret is old.
    SecretOld,
}

/// What can be done about a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ProblemAction {
    /// Sign in again.
    Reconnect,
    /// Enter or make another key.
    ReplaceKey,
    /// Choose another calendar: the chosen one is gone.
    ChooseCalendar,
    /// One more attempt for all.
    RetryAll,
    /// Let go what is held.
    Release,
    /// Close them: "I told them myself".
    ToldThem,
    /// Call the receiver again, with all that it missed.
    Resume,
    /// Remove the webhook.
    Remove,
    /// Not now; until it happens anew.
    Dismiss,
}

/// What to do about a problem.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Resolve {
    /// One of the problem's `actions`.
    pub action: ProblemAction,
}

/// What was done about a problem.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Resolved {
    /// Always true.
    pub success: bool,
    /// A sentence.
    pub message: String,
    /// How many deliveries were moved.
    pub deliveries: u64,
}

/// How a problem was solved; with who and how many it makes a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Solution {
    SentAgain,
    ToldThem,
    CalledAgain,
    Removed,
    Unlocked,
    SecretChanged,
    Mended,
    LetGo,
    NotSent,
}

impl Solution {
    pub(crate) fn sentence(self, who: &str, n: u64) -> String {
        let calls = count(n, "call", "calls");
        match self {
            Self::SentAgain => format!("{who}: {calls} sent again."),
            Self::ToldThem => format!("{who}: {calls} closed, because you told them yourself."),
            Self::CalledAgain => format!("{who} is called again."),
            Self::Removed => format!("{who} was removed."),
            Self::Unlocked => format!("The key store can be used again: {calls} to {who} went on."),
            Self::Mended => format!("{who} works again: {n} went on."),
            Self::LetGo => format!("“{who}”: {n} that were held went out."),
            Self::NotSent => format!("“{who}”: {n} that were held are not sent."),
            Self::SecretChanged => format!("The secret of {who} was changed."),
        }
    }
}

/// How many, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Many {
    pub(crate) n: u64,
    pub(crate) since: Time,
}

impl Many {
    fn and(self, other: Self) -> Self {
        Self {
            n: self.n + other.n,
            since: self.since.min(other.since),
        }
    }
}

/// How one webhook stands, as far as problems follow from it.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) webhook: WebhookId,
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) paused: Option<(PausedReason, Time)>,
    pub(crate) failing_since: Option<Time>,
    pub(crate) secret_created_at: Time,
    pub(crate) held_paused: u64,
    /// Held for the key store, and what that last said.
    pub(crate) held_keychain: Option<(Many, Failure)>,
    /// Given up since that was dismissed; those to a blocked address apart.
    pub(crate) given_up: Option<Many>,
    pub(crate) blocked: Option<Many>,
}

/// Whose a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// All webhooks', or everybody's.
    Webhooks,
    Webhook(WebhookId),
    Integration(Kind),
    Automation(AutomationId, Kind),
}

impl Whose {
    fn suffix(self) -> String {
        match self {
            Self::Webhooks => String::new(),
            Self::Webhook(id) => format!(".{id}"),
            Self::Integration(kind) => format!(".{}", kind.as_str()),
            Self::Automation(id, _) => format!(".{id}"),
        }
    }

    fn integration(self) -> &'static str {
        match self {
            Self::Webhooks | Self::Webhook(_) => "webhooks",
            Self::Integration(kind) | Self::Automation(_, kind) => kind.as_str(),
        }
    }

    pub(crate) fn webhook(self) -> Option<WebhookId> {
        match self {
            Self::Webhook(id) => Some(id),
            Self::Webhooks | Self::Integration(_) | Self::Automation(..) => None,
        }
    }

    pub(crate) fn automation(self) -> Option<AutomationId> {
        match self {
            Self::Automation(id, _) => Some(id),
            Self::Webhooks | Self::Webhook(_) | Self::Integration(_) => None,
        }
    }

    pub(crate) fn kind(self) -> Option<Kind> {
        match self {
            Self::Integration(kind) => Some(kind),
            Self::Webhooks | Self::Webhook(_) | Self::Automation(..) => None,
        }
    }
}

impl OpenProblem {
    pub(crate) fn whose(&self) -> Whose {
        match (
            self.webhook_id,
            self.automation_id,
            Kind::named(&self.integration),
        ) {
            (Some(id), ..) => Whose::Webhook(id),
            (None, Some(id), Some(kind)) => Whose::Automation(id, kind),
            (None, _, Some(kind)) => Whose::Integration(kind),
            (None, _, None) => Whose::Webhooks,
        }
    }
}

/// The name of a problem: its cause, and whose it is.
pub(crate) fn id(cause: Cause, whose: Whose) -> String {
    let cause = match cause {
        Cause::Keychain => "keychain",
        Cause::NeedsCredentials => "needs_credentials",
        Cause::NeedsSignIn => "needs_sign_in",
        Cause::NeedsSetup => "needs_setup",
        Cause::OverLimit => "over_limit",
        Cause::MissingValue => "missing_value",
        Cause::Gone => "gone",
        Cause::Failing => "failing",
        Cause::BlockedAddress => "blocked_address",
        Cause::Failed => "failed",
        Cause::Hopeless => "hopeless",
        Cause::Unknown => "unknown",
        Cause::SecretOld => "secret_old",
    };
    format!("{cause}{}", whose.suffix())
}

/// "Tuesday": since when, as people say it after "since".
fn day(at: Time, now: Time, zone: &TimeZone) -> String {
    let (at, now) = (
        at.to_timestamp().to_zoned_datetime(zone.clone()),
        now.to_timestamp().to_zoned_datetime(zone.clone()),
    );
    let days = now.date().duration_since(at.date()).as_hours() / 24;
    match days {
        ..1 => at.strftime("%H:%M").to_string(),
        1 => at.strftime("yesterday %H:%M").to_string(),
        2..7 => at.strftime("%A").to_string(),
        _ => at.strftime("%-d %B").to_string(),
    }
}

/// The age of a secret, in words.
pub(crate) fn secret_age(made: Time, who: &str, now: Time) -> (String, bool) {
    match now.ms_since(made) / DAY_MS {
        ..1 => ("Made today.".into(), false),
        1 => ("Made yesterday.".into(), false),
        n if n < OLD_SECRET_DAYS => (format!("Made {n} days ago."), false),
        n => (
            format!("Made {n} days ago. Time to change the secret of {who}."),
            true,
        ),
    }
}

/// The problems that follow from how things stand. Pure.
pub(crate) fn of(
    facts: &[Facts],
    integrations: &[IntegrationFacts],
    automations: &[AutomationFacts],
    dismissed: &HashMap<String, Time>,
    now: Time,
    zone: &TimeZone,
) -> Vec<OpenProblem> {
    let mut all = Vec::new();
    let mut locked: Option<(Many, Failure)> = None;
    for webhook in facts {
        all.extend(stopped(webhook, now, zone));
        if let Some((held, failure)) = &webhook.held_keychain {
            if matches!(
                failure.args.trouble,
                Some(Trouble::SecretMissing | Trouble::AddressMissing)
            ) {
                all.push(keychain(Some(webhook), *held, failure));
            } else {
                locked = Some(match locked {
                    None => (*held, failure.clone()),
                    Some((known, failure)) => (known.and(*held), failure),
                });
            }
        }
        let is_stopped = matches!(
            webhook.paused,
            Some((PausedReason::Gone | PausedReason::Failing, _))
        );
        // A receiver that was stopped has one card for all that it missed.
        if !is_stopped {
            all.extend(
                webhook
                    .blocked
                    .map(|many| given_up(webhook, many, true, now, zone)),
            );
            all.extend(
                webhook
                    .given_up
                    .map(|many| given_up(webhook, many, false, now, zone)),
            );
        }
        all.extend(old_secret(webhook, now));
    }
    for integration in integrations {
        all.extend(integration::of(integration, now, zone));
        if let Some((held, failure)) = &integration.held_keychain
            && failure.args.trouble != Some(Trouble::SecretMissing)
        {
            locked = Some(match locked {
                None => (*held, failure.clone()),
                Some((known, failure)) => (known.and(*held), failure),
            });
        }
    }
    all.extend(locked.map(|(held, failure)| keychain(None, held, &failure)));
    all.extend(automations.iter().flat_map(automation::of));
    all.retain(|problem| match problem.cause {
        // What was given up before is not counted any more.
        Cause::Failed
        | Cause::Hopeless
        | Cause::BlockedAddress
        | Cause::Keychain
        | Cause::OverLimit
        | Cause::MissingValue
        | Cause::Unknown => true,
        _ => dismissed
            .get(&problem.id)
            .is_none_or(|at| problem.since > *at),
    });
    all.sort_by(|a, b| a.cause.cmp(&b.cause).then(a.since.cmp(&b.since)));
    all
}

/// All problems in one sentence.
pub(crate) fn sentence(problems: &[OpenProblem]) -> String {
    match problems {
        [] => "Nothing needs you.".into(),
        [only] => only.title.clone(),
        many => format!("{} things need you.", many.len()),
    }
}

struct Draft {
    cause: Cause,
    whose: Whose,
    since: Time,
    waiting: u64,
    failed: u64,
    state: State,
    title: String,
    effect: String,
    buttons: Vec<(ProblemAction, String)>,
    link: Option<Link>,
}

impl Draft {
    /// The first button is the one to offer first.
    fn done(self) -> OpenProblem {
        let webhook_id = self.whose.webhook();
        let unknown = self.cause == Cause::Unknown;
        let statuses: Vec<&str> = [
            unknown.then_some(Status::Unknown.as_str()),
            (self.waiting > 0).then_some(Status::Held.as_str()),
            (!unknown && (self.failed > 0 || self.waiting == 0)).then_some(Status::Failed.as_str()),
        ]
        .into_iter()
        .flatten()
        .collect();
        // What was given up and sent again since is told by its new delivery.
        let own = match self.cause {
            Cause::OverLimit => Some(Reason::OverLimit),
            Cause::MissingValue => Some(Reason::MissingValue),
            _ => None,
        };
        let status_reason = match (statuses.contains(&Status::Failed.as_str()), self.waiting) {
            (false, _) => None,
            (true, 0) => Some("none".to_owned()),
            (true, _) => Some(format!("none,{}", Reason::Paused.as_str())),
        };
        OpenProblem {
            id: id(self.cause, self.whose),
            cause: self.cause,
            integration: self.whose.integration().into(),
            webhook_id,
            automation_id: self.whose.automation(),
            since: self.since,
            waiting: self.waiting,
            failed: self.failed,
            actions: self.buttons.iter().map(|(action, _)| *action).collect(),
            state: self.state,
            title: self.title,
            effect: self.effect,
            buttons: self
                .buttons
                .into_iter()
                .enumerate()
                .map(|(i, (action, label))| Button {
                    action,
                    label,
                    primary: i == 0,
                })
                .collect(),
            link: self.link,
            first: Vec::new(),
            filter: ProblemFilter {
                status: statuses.join(","),
                status_reason: own
                    .map(|reason| reason.as_str().to_owned())
                    .or(status_reason),
                webhook_id,
                automation_id: self.whose.automation(),
                channel: self.whose.kind().map(Kind::channel),
                test: false,
            },
        }
    }
}

fn dismiss() -> (ProblemAction, String) {
    (ProblemAction::Dismiss, "Not now".into())
}

fn remove(webhook: &Facts) -> (ProblemAction, String) {
    (ProblemAction::Remove, format!("Remove {}", webhook.name))
}

fn stopped(webhook: &Facts, now: Time, zone: &TimeZone) -> Option<OpenProblem> {
    let (reason, since) = webhook.paused?;
    let failed = [webhook.given_up, webhook.blocked]
        .iter()
        .flatten()
        .map(|many| many.n)
        .sum();
    let (waiting, missed) = (webhook.held_paused, webhook.held_paused + failed);
    let (name, host) = (&webhook.name, &webhook.host);
    let state = State::new("Paused", Shape::OctagonBang, Role::Failed);
    let send = if missed > 0 {
        format!("Send the {missed}")
    } else {
        "Call it again".into()
    };
    Some(
        match reason {
            PausedReason::ByOwner => return None,
            PausedReason::Gone => Draft {
                cause: Cause::Gone,
                whose: Whose::Webhook(webhook.webhook),
                since,
                waiting,
                failed,
                state,
                title: format!("{host} says: stop. It wants no more calls."),
                effect: match missed {
                    0 => format!("{name} is paused. Nothing waits for it."),
                    n => format!(
                        "{name} is paused. {} kept for it; nothing is lost.",
                        count(n, "call is", "calls are")
                    ),
                },
                buttons: vec![
                    remove(webhook),
                    (
                        ProblemAction::Resume,
                        if missed > 0 { format!("Keep it, send the {missed}") } else { "Keep it".into() },
                    ),
                    dismiss(),
                ],
                link: None,
            },
            PausedReason::Failing => Draft {
                cause: Cause::Failing,
                whose: Whose::Webhook(webhook.webhook),
                since,
                waiting,
                failed,
                state,
                title: format!(
                    "{host} has been down since {}. {missed} kept.",
                    day(webhook.failing_since.unwrap_or(since), now, zone)
                ),
                effect: format!(
                    "{name} is paused and does not know what happened since. Nothing is lost; send it once {host} answers again."
                ),
                buttons: vec![(ProblemAction::Resume, send), remove(webhook), dismiss()],
                link: None,
            },
        }
        .done(),
    )
}

fn given_up(webhook: &Facts, many: Many, blocked: bool, now: Time, zone: &TimeZone) -> OpenProblem {
    let (name, host, n) = (&webhook.name, &webhook.host, many.n);
    let calls = count(n, "call", "calls");
    let send = if webhook.paused.is_some() {
        (ProblemAction::Resume, format!("Resume and send the {n}"))
    } else {
        (ProblemAction::RetryAll, format!("Send the {n}"))
    };
    let told = (ProblemAction::ToldThem, "I told them myself".into());
    let (title, effect, cause) = if blocked {
        (
            format!("{name} leads to an address that is never called."),
            format!("{calls} did not go out. Correct its address or give your consent, then send."),
            Cause::BlockedAddress,
        )
    } else {
        let title = match webhook.failing_since {
            Some(since) => format!(
                "{host} has been down since {}. {n} did not get through.",
                day(since, now, zone)
            ),
            None => format!("{calls} did not get through to {name}."),
        };
        let effect = format!(
            "{name} does not know of {}. Nothing is lost.",
            if n == 1 { "it" } else { "them" }
        );
        (title, effect, Cause::Failed)
    };
    Draft {
        cause,
        whose: Whose::Webhook(webhook.webhook),
        since: many.since,
        waiting: 0,
        failed: n,
        state: State::new("Failed", Shape::OctagonBar, Role::Failed),
        title,
        effect,
        buttons: vec![send, told, dismiss()],
        link: None,
    }
    .done()
}

fn keychain(webhook: Option<&Facts>, held: Many, failure: &Failure) -> OpenProblem {
    Draft {
        cause: Cause::Keychain,
        whose: webhook.map_or(Whose::Webhooks, |w| Whose::Webhook(w.webhook)),
        since: held.since,
        waiting: held.n,
        failed: 0,
        state: State::new("Held", Shape::BarsSquareFilled, Role::Held),
        title: explain::failure(failure, webhook.map_or("a webhook", |w| &w.name)),
        effect: format!(
            "{} and nothing is lost.",
            count(held.n, "call waits", "calls wait")
        ),
        buttons: match webhook {
            // The address is entered in its settings, and what waits goes out with that.
            Some(_) if failure.args.trouble == Some(Trouble::AddressMissing) => {
                vec![(ProblemAction::Release, "Try again".into())]
            }
            Some(_) => vec![
                (ProblemAction::ReplaceKey, "Make a new secret".into()),
                (ProblemAction::Release, "Try again".into()),
            ],
            None => vec![(ProblemAction::Release, "Try again".into())],
        },
        link: None,
    }
    .done()
}

fn old_secret(webhook: &Facts, now: Time) -> Option<OpenProblem> {
    let days = now.ms_since(webhook.secret_created_at) / DAY_MS;
    (days >= OLD_SECRET_DAYS).then(|| {
        Draft {
            cause: Cause::SecretOld,
            whose: Whose::Webhook(webhook.webhook),
            since: webhook.secret_created_at.plus_ms(OLD_SECRET_DAYS * DAY_MS),
            waiting: 0,
            failed: 0,
            state: State::new("Old secret", Shape::TriangleBang, Role::Held),
            title: format!("Time to change the secret of {}.", webhook.name),
            effect: format!(
                "It is {days} days old. While it is changed both are valid, so nothing is missed."
            ),
            buttons: vec![(ProblemAction::ReplaceKey, "Change it".into()), dismiss()],
            link: None,
        }
        .done()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Code;

    /// Friday 27 November 2026, 12:00 UTC.
    const NOW: Time = Time::from_ms(1_795_780_800_000);

    fn ago(days: i64) -> Time {
        NOW.plus_ms(-days * DAY_MS)
    }

    fn shop() -> Facts {
        Facts {
            webhook: WebhookId::new(),
            name: "Cash desk".into(),
            host: "shop.example".into(),
            paused: None,
            failing_since: None,
            secret_created_at: ago(3),
            held_paused: 0,
            held_keychain: None,
            given_up: None,
            blocked: None,
        }
    }

    fn found(facts: &[Facts]) -> Vec<OpenProblem> {
        of(facts, &[], &[], &HashMap::new(), NOW, &TimeZone::UTC)
    }

    fn many(n: u64, days: i64) -> Many {
        Many {
            n,
            since: ago(days),
        }
    }

    #[test]
    fn where_all_is_well_nothing_needs_you() {
        assert!(found(&[shop()]).is_empty());
        assert_eq!(sentence(&[]), "Nothing needs you.");
        let paused = Facts {
            paused: Some((PausedReason::ByOwner, ago(2))),
            held_paused: 5,
            ..shop()
        };
        assert!(found(&[paused]).is_empty(), "the owner knows");
    }

    #[test]
    fn a_receiver_that_was_down_for_days_has_one_card_for_all_that_it_missed() {
        let facts = Facts {
            paused: Some((PausedReason::Failing, ago(0))),
            failing_since: Some(ago(3)),
            held_paused: 200,
            given_up: Some(many(12, 3)),
            ..shop()
        };
        let all = found(&[facts]);
        assert_eq!(all.len(), 1);
        assert_eq!(
            all[0].title,
            "shop.example has been down since Tuesday. 212 kept."
        );
        assert_eq!(all[0].buttons[0].label, "Send the 212");
        assert!(all[0].buttons[0].primary);
        assert_eq!(all[0].filter.status, "held,failed");
        assert_eq!(all[0].filter.status_reason.as_deref(), Some("none,paused"));
    }

    #[test]
    fn what_was_given_up_is_grouped_by_webhook() {
        let facts = Facts {
            given_up: Some(many(37, 1)),
            ..shop()
        };
        let other = Facts {
            given_up: Some(many(1, 2)),
            failing_since: Some(ago(8)),
            ..shop()
        };
        let all = found(&[facts, other]);
        assert_eq!(
            all.iter().map(|p| p.title.as_str()).collect::<Vec<_>>(),
            [
                "shop.example has been down since 19 November. 1 did not get through.",
                "37 calls did not get through to Cash desk."
            ]
        );
        assert_eq!(all[1].buttons[0].label, "Send the 37");
        assert_eq!(sentence(&all), "2 things need you.");
    }

    #[test]
    fn a_locked_key_store_is_one_problem_and_a_lost_secret_is_its_webhook_s() {
        let held = |n, trouble| Facts {
            held_keychain: Some((
                many(n, 0),
                Failure::trouble(Code::KeychainUnavailable, trouble),
            )),
            ..shop()
        };
        let all = found(&[
            held(3, Trouble::KeyStoreLocked),
            held(4, Trouble::KeyStoreLocked),
            held(1, Trouble::SecretMissing),
        ]);
        assert_eq!(all.len(), 2);
        let locked = all.iter().find(|p| p.webhook_id.is_none()).unwrap();
        assert_eq!(locked.waiting, 7);
        assert!(
            locked
                .title
                .starts_with("This computer's key store is locked.")
        );
        let lost = all.iter().find(|p| p.webhook_id.is_some()).unwrap();
        assert!(lost.title.contains("Cash desk"));
    }

    #[test]
    fn an_old_secret_is_said_in_words_from_180_days_on() {
        let aged = |days| Facts {
            secret_created_at: ago(days),
            ..shop()
        };
        assert!(found(&[aged(179)]).is_empty());
        assert_eq!(
            found(&[aged(180)])[0].title,
            "Time to change the secret of Cash desk."
        );
        assert_eq!(
            secret_age(ago(12), "Cash desk", NOW),
            ("Made 12 days ago.".into(), false)
        );
        assert!(secret_age(ago(200), "Cash desk", NOW).1);
    }

    #[test]
    fn what_was_dismissed_stays_away_until_it_happens_anew() {
        let mut facts = Facts {
            paused: Some((PausedReason::Gone, ago(2))),
            ..shop()
        };
        let open = found(std::slice::from_ref(&facts));
        let dismissed = HashMap::from([(open[0].id.clone(), ago(1))]);
        let left = of(
            std::slice::from_ref(&facts),
            &[],
            &[],
            &dismissed,
            NOW,
            &TimeZone::UTC,
        );
        assert!(left.is_empty());
        facts.paused = Some((PausedReason::Gone, ago(0)));
        assert_eq!(
            of(&[facts], &[], &[], &dismissed, NOW, &TimeZone::UTC).len(),
            1
        );
    }
}
