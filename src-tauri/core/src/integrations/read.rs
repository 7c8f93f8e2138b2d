//! How the integrations stand: `GET /api/integrations`.

use jiff::tz::TimeZone;
use rusqlite::Connection;
use serde::Serialize;

use super::calendar::{NextEntry, google};
use super::storage::presets::{PRESETS, Preset};
use super::{Field, Kind, Settings, WhenPaused, words};
use crate::clock::Time;
use crate::db::integrations::IntegrationRow;
use crate::db::{self, deliveries};
use crate::deliveries::Reason;
use crate::error::Result;
use crate::explain::{self, Role, Shape, State};
use crate::hub::Hub;
use crate::ids::WorkspaceId;
use crate::problems;
use crate::webhooks::{Day, store};

/// Entries that are shown of those to come.
const NEXT: u32 = 10;
/// A percentage is shown only from so many items on.
const FEWEST_FOR_RATE: u64 = 20;

/// `GET /api/integrations`
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Integrations {
    /// SendGrid.
    pub email: EmailIntegration,
    /// Twilio.
    pub sms: SmsIntegration,
    /// Google Calendar.
    pub calendar: CalendarIntegration,
    /// S3 or compatible.
    pub storage: StorageIntegration,
    /// How many webhooks there are.
    pub webhooks: WebhookCounts,
}

/// How many webhooks there are.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WebhookCounts {
    /// All.
    pub total: u64,
    /// Not paused.
    pub active: u64,
}

/// What is true of an integration of any kind.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = IntegrationStanding))]
pub struct Standing {
    /// Whether it was set up.
    pub is_configured: bool,
    /// Whether it is switched on.
    pub is_active: bool,
    /// Who provides it.
    pub provider: String,
    /// The same for people: "SendGrid".
    pub provider_name: String,
    /// What becomes of what comes in while it is not active.
    pub when_paused: WhenPaused,
    /// When it was last tested.
    pub last_tested: Option<Time>,
    /// `success` or `failed`.
    pub test_status: Option<String>,
    /// Why the test failed.
    pub test_error: Option<String>,
    /// Word, shape and role.
    pub state: State,
    /// What is true, in words.
    pub sentence: String,
    /// Deliveries that wait for a cause to go away.
    pub held: u64,
    /// Deliveries that are due now or later.
    pub waiting: u64,
    /// Deliveries that were given up.
    pub failed: u64,
    /// When the last one got through.
    pub last_success: Option<Time>,
    /// Share of deliveries that got through, 0 to 1; from 20 ended deliveries on.
    pub success_rate: Option<f64>,
    /// The last seven days, oldest first, in the workspace's zone.
    pub days: Vec<Day>,
    /// What of it needs the owner most, if anything does.
    pub problem_id: Option<String>,
    /// What has to be filled in to set it up.
    pub fields: Vec<Field>,
}

macro_rules! integration {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct $name {
            /// What is true of an integration of any kind.
            #[serde(flatten)]
            pub standing: Standing,
            $($(#[$field_doc])* pub $field: $kind),*
        }
    };
}

integration!(
    /// Email through SendGrid.
    EmailIntegration {
        /// The sender's address.
        from_email: Option<String>,
        /// The sender's name.
        from_name: Option<String>,
        /// Where SendGrid is.
        api_base_url: Option<String>,
    }
);
integration!(
    /// Texts through Twilio.
    SmsIntegration {
        /// The account.
        account_sid: Option<String>,
        /// The sender's number.
        from_number: Option<String>,
        /// The messaging service that chooses the number instead.
        messaging_service_sid: Option<String>,
        /// Where numbers belong that do not say so.
        country: Option<String>,
        /// Where Twilio is.
        api_base_url: Option<String>,
    }
);
integration!(
    /// Google Calendar.
    CalendarIntegration {
        /// The chosen calendar.
        calendar_id: Option<String>,
        /// The account's primary calendar.
        account: Option<String>,
        /// What was permitted.
        scopes: Vec<String>,
        /// What was permitted, in words.
        permissions: Vec<String>,
        /// The name of the chosen calendar.
        calendar_name: Option<String>,
        /// When the owner signed in last.
        connected_at: Option<Time>,
        /// The owner's own client at Google; null for the publisher's.
        client_id: Option<String>,
        /// Whether this build brings a client, so that one button is enough.
        has_publisher_client: bool,
        /// Entries that we made and that are to come, ten at most.
        next_entries: Vec<NextEntry>,
    }
);
integration!(
    /// File storage.
    StorageIntegration {
        /// The bucket.
        bucket_name: Option<String>,
        /// Its region.
        region: Option<String>,
        /// Where it is, if not AWS.
        endpoint: Option<String>,
        /// Whether the bucket stands in the path.
        path_style: Option<bool>,
        /// Whether it may be on the own network or computer.
        allow_private_network: Option<bool>,
        /// Storages that are well known, with what to fill in for them.
        presets: Vec<Preset>,
    }
);

impl Hub {
    /// What is set up, and how it stands.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn integrations(&self, workspace: WorkspaceId) -> Result<Integrations> {
        let now = self.now();
        let has_publisher_client =
            self.google_client.is_some() || self.practises(workspace).is_some();
        self.db
            .read(move |conn| {
                let (total, active) = db::webhooks::counts(conn, workspace)?;
                let zone = store::zone(conn, workspace)?;
                let open = problems::open(conn, workspace, now)?;
                let look = |kind: Kind| -> Result<(Standing, Option<Settings>)> {
                    let row = db::integrations::get(conn, workspace, kind)?;
                    let settings = row.as_ref().map(|row| row.settings.clone());
                    let mut standing = standing(conn, workspace, kind, row.as_ref(), now, &zone)?;
                    standing.problem_id = open
                        .iter()
                        .find(|problem| problem.integration == kind.as_str())
                        .map(|problem| problem.id.clone());
                    Ok((standing, settings))
                };
                let (email, settings) = look(Kind::Email)?;
                let settings = match settings {
                    Some(Settings::Email(settings)) => Some(settings),
                    _ => None,
                };
                let (sms, texts) = look(Kind::Sms)?;
                let texts = texts.and_then(Settings::into_sms);
                let (storage, bucket) = look(Kind::Storage)?;
                let bucket = match bucket {
                    Some(Settings::Storage(settings)) => Some(settings),
                    _ => None,
                };
                let (calendar, connected) = look(Kind::Calendar)?;
                let connected = match connected {
                    Some(Settings::Calendar(settings)) => Some(settings),
                    _ => None,
                };
                Ok(Integrations {
                    email: EmailIntegration {
                        standing: email,
                        from_email: settings.as_ref().map(|s| s.from_email.clone()),
                        from_name: settings.as_ref().and_then(|s| s.from_name.clone()),
                        api_base_url: settings.map(|s| s.api_base_url),
                    },
                    sms: SmsIntegration {
                        standing: sms,
                        account_sid: texts.as_ref().map(|s| s.account_sid.clone()),
                        from_number: texts.as_ref().and_then(|s| s.from_number.clone()),
                        messaging_service_sid: texts
                            .as_ref()
                            .and_then(|s| s.messaging_service_sid.clone()),
                        country: texts.as_ref().and_then(|s| s.country().map(str::to_owned)),
                        api_base_url: texts.map(|s| s.api_base_url),
                    },
                    calendar: CalendarIntegration {
                        standing: calendar,
                        calendar_id: connected.as_ref().map(|c| c.calendar_id.clone()),
                        account: connected.as_ref().and_then(|c| c.account.clone()),
                        permissions: google::permissions(connected.as_ref()),
                        calendar_name: connected.as_ref().and_then(|c| c.calendar_name.clone()),
                        connected_at: connected.as_ref().map(|c| c.connected_at),
                        client_id: connected.as_ref().and_then(|c| c.client_id.clone()),
                        scopes: connected.map(|c| c.scopes).unwrap_or_default(),
                        has_publisher_client,
                        next_entries: db::calendar_entries::next(conn, workspace, now, NEXT)?
                            .into_iter()
                            .map(|(event_id, row)| NextEntry {
                                event_id,
                                title: row.title,
                                starts_at: row.starts_at,
                                html_link: row.link,
                            })
                            .collect(),
                    },
                    storage: StorageIntegration {
                        standing: storage,
                        bucket_name: bucket.as_ref().map(|s| s.bucket_name.clone()),
                        region: bucket.as_ref().map(|s| s.region.clone()),
                        endpoint: bucket.as_ref().and_then(|s| s.endpoint.clone()),
                        path_style: bucket.as_ref().map(|s| s.path_style),
                        allow_private_network: bucket.as_ref().map(|s| s.allow_private_network),
                        presets: PRESETS.to_vec(),
                    },
                    webhooks: WebhookCounts { total, active },
                })
            })
            .await
    }
}

fn standing(
    conn: &Connection,
    workspace: WorkspaceId,
    kind: Kind,
    row: Option<&IntegrationRow>,
    now: Time,
    zone: &TimeZone,
) -> Result<Standing> {
    let endpoint = kind.endpoint(workspace);
    let counts = deliveries::standing(conn, workspace, Some(&endpoint))?;
    let offline = counts.held > 0
        && db::problems::held(conn, &endpoint)?
            .iter()
            .any(|(reason, _)| *reason == Reason::Offline);
    let total = row.map_or(0, |row| row.succeeded + row.failed);
    #[allow(clippy::cast_precision_loss)]
    let success_rate = row
        .filter(|_| total >= FEWEST_FOR_RATE)
        .map(|row| row.succeeded as f64 / total as f64);
    let test = row.and_then(|row| row.test.as_ref());
    Ok(Standing {
        is_configured: row.is_some(),
        is_active: row.is_some_and(|row| row.is_active),
        provider: kind.provider().into(),
        provider_name: kind.provider_name().into(),
        when_paused: row.map(|row| row.when_paused).unwrap_or_default(),
        last_tested: row.and_then(|row| row.last_tested),
        test_status: test.map(|test| if test.is_ok() { "success" } else { "failed" }.into()),
        test_error: test
            .and_then(|test| test.as_ref().err())
            .map(|failure| words::failure(kind, failure)),
        state: state(row, counts, offline),
        sentence: sentence(kind, row, counts, offline),
        held: counts.held,
        waiting: counts.waiting,
        failed: counts.failed,
        last_success: row.and_then(|row| row.last_success_at),
        success_rate,
        days: store::days(conn, &endpoint, now, zone)?,
        problem_id: None,
        fields: kind.fields(),
    })
}

/// How an integration stands, as plate and word. Pure.
fn state(row: Option<&IntegrationRow>, counts: deliveries::Standing, offline: bool) -> State {
    let Some(row) = row else {
        return match counts.held {
            0 => State::new("Not set up", Shape::DashedRound, Role::Muted),
            n => State::new(
                format!("Needs you, {n} held"),
                Shape::OctagonBang,
                Role::Failed,
            ),
        };
    };
    let held = |word: &str| match counts.held {
        0 => word.to_owned(),
        n => format!("{word}, {n} held"),
    };
    if !row.is_active {
        return State::new(held("Paused"), Shape::BarsSquareOpen, Role::Held);
    }
    if row.needs.is_some() {
        return State::new(held("Needs you"), Shape::OctagonBang, Role::Failed);
    }
    if counts.held > 0 {
        return if offline {
            State::new(
                format!("Offline, {} waiting", counts.held),
                Shape::GapSquare,
                Role::Waiting,
            )
        } else {
            State::new(
                format!("Held, {}", counts.held),
                Shape::BarsSquareFilled,
                Role::Held,
            )
        };
    }
    if row.failing_tries > 0 || matches!(row.test, Some(Err(_))) {
        return State::new("Trouble", Shape::TriangleBang, Role::Held);
    }
    if row.last_success_at.is_some() {
        State::new("Working", Shape::TickFilled, Role::Success)
    } else {
        State::new("Ready", Shape::DotOpen, Role::Success)
    }
}

/// What is true of it, first. Pure.
fn sentence(
    kind: Kind,
    row: Option<&IntegrationRow>,
    counts: deliveries::Standing,
    offline: bool,
) -> String {
    let who = kind.provider_name();
    let (one, many) = kind.nouns();
    let held = explain::count(counts.held, one, many);
    let Some(row) = row else {
        return match counts.held {
            0 => "Not set up yet.".into(),
            _ => format!(
                "{who} is disconnected. {held} held; set it up again and they go out, or close them."
            ),
        };
    };
    if !row.is_active {
        return match (row.when_paused, counts.held) {
            (WhenPaused::Skip, 0) => {
                format!("You paused {who}. What comes in meanwhile is not sent.")
            }
            (WhenPaused::Hold, 0) => {
                format!("You paused {who}. What comes in meanwhile waits.")
            }
            _ => format!("You paused {who}. {held} waiting; they go out when you resume."),
        };
    }
    match (&row.last_failure, row.needs, &row.test) {
        (Some(failure), Some(_), _) => words::failure(kind, failure),
        (_, Some(_), _) => format!("{who} needs you."),
        _ if offline => format!("No internet. {held} waiting; they go out by themselves."),
        (Some(failure), ..) => words::failure(kind, failure),
        (None, None, Some(Err(failure))) => words::failure(kind, failure),
        (None, None, _) if row.last_success_at.is_some() => format!("{who} works."),
        (None, None, _) => format!("{who} is ready. Nothing has been sent yet."),
    }
}
