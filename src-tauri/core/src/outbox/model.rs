//! The outbox against a small model: whatever happens, in whatever order, with time handed in.
//!
//! Nothing accepted is lost, a success is final, order holds per subject, no delivery is tried more
//! often than its schedule and its owner allow, none is under way twice, what is held uses no try.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::finish;
use super::lanes::Claim;
use super::worker::claim_for;
use super::{LEASE_MS, Outgoing, retry};
use crate::clock::{Clock, Time};
use crate::config::Config;
use crate::db::attempts::Ended;
use crate::db::deliveries::ORDER_WAIT_MS;
use crate::db::{self};
use crate::deliveries::{NewReplay, Reason, Status};
use crate::hub::Hub;
use crate::ids::{DeliveryId, EventId, WebhookId, WorkspaceId};
use crate::outcome::{Code, Failure, Trouble};
use crate::retention::{RetentionPatch, SettingsPatch};
use crate::webhooks::{NewWebhook, Settings, WebhookPatch};

const START: Time = Time::from_ms(1_795_493_359_000);
const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
const RETRIES: u32 = 3;

#[derive(Debug, Clone)]
enum Step {
    /// Something happens, about one of a few subjects or about none.
    Event(u8),
    /// What is due is taken under way.
    Tick,
    /// The n-th that is under way is answered.
    Answer(usize, Answer),
    /// An answer to a call of an earlier process comes after all.
    Late(usize, Answer),
    /// Time passes.
    Wait(i64),
    /// The clock is set.
    Jump(i64),
    /// The process ends without a word, and another takes over.
    Crash,
    Pause,
    Resume,
    /// What waits for the internet or the key store goes.
    LetGo,
    Rotate,
    /// The owner has the n-th tried once more.
    Retry(usize),
    Cancel(usize),
    Replay,
    CleanUp,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Ok,
    Status(u16),
    SlowDown(u32),
    TimedOut,
    Offline,
    Locked,
}

impl Answer {
    fn ended(self) -> (Ended, Option<String>) {
        let (failure, status, hint) = match self {
            Self::Ok => (None, Some(200), None),
            Self::Status(410) => (Some(Failure::status(Code::Rejected, 410)), Some(410), None),
            Self::Status(n) => (Some(Failure::status(Code::ProviderDown, n)), Some(n), None),
            Self::SlowDown(s) => (
                Some(Failure::status(Code::RateLimited, 429)),
                Some(429),
                Some(s.to_string()),
            ),
            Self::TimedOut => (Some(Failure::timed_out(15)), None, None),
            Self::Offline => (Some(Failure::new(Code::Offline)), None, None),
            Self::Locked => (
                Some(Failure::trouble(
                    Code::KeychainUnavailable,
                    Trouble::KeyStoreLocked,
                )),
                None,
                None,
            ),
        };
        let ended = Ended {
            failure,
            status,
            ..Ended::default()
        };
        (ended, hint)
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => Just(Answer::Ok),
        3 => Just(Answer::Status(500)),
        1 => Just(Answer::Status(410)),
        2 => (0_u32..200_000).prop_map(Answer::SlowDown),
        2 => Just(Answer::TimedOut),
        2 => Just(Answer::Offline),
        1 => Just(Answer::Locked),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..4).prop_map(Step::Event),
        6 => Just(Step::Tick),
        8 => (0_usize..8, answer()).prop_map(|(n, a)| Step::Answer(n, a)),
        2 => (0_usize..8, answer()).prop_map(|(n, a)| Step::Late(n, a)),
        5 => (1_i64..1_000_000).prop_map(Step::Wait),
        1 => (-3 * DAY_MS..5 * DAY_MS).prop_map(Step::Jump),
        1 => Just(Step::Crash),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
        2 => Just(Step::LetGo),
        1 => Just(Step::Rotate),
        1 => (0_usize..20).prop_map(Step::Retry),
        1 => (0_usize..20).prop_map(Step::Cancel),
        1 => Just(Step::Replay),
        1 => Just(Step::CleanUp),
    ]
}

/// A row as the model looks at it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    id: DeliveryId,
    event: i64,
    subject: Option<String>,
    status: Status,
    tries: u32,
    attempts: u32,
    running: u32,
    created_at: Time,
}

struct World {
    home: tempfile::TempDir,
    clock: Clock,
    hub: Arc<Hub>,
    workspace: WorkspaceId,
    webhook: WebhookId,
    under_way: Vec<(Outgoing, Claim)>,
    ghosts: Vec<Outgoing>,
    accepted: BTreeMap<EventId, String>,
    succeeded: BTreeSet<i64>,
    by_hand: BTreeMap<i64, u32>,
    /// Since when a row may go: queued, or let go by the owner.
    behind_since: BTreeMap<i64, Time>,
}

async fn open(home: &std::path::Path, clock: &Clock) -> Arc<Hub> {
    let mut config = Config::new(home.to_owned());
    config.clock = clock.clone();
    Hub::open(config).await.unwrap()
}

impl World {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Clock::standing_at(START);
        let hub = open(home.path(), &clock).await;
        let workspace = hub.workspaces().await.unwrap()[0].id;
        let webhook = WebhookId::new();
        let settings = Settings::new(
            NewWebhook {
                name: "Cash desk".into(),
                url: "https://shop.example/".into(),
                events: vec!["*".into()],
                retry_attempts: Some(RETRIES),
                ..NewWebhook::default()
            },
            START,
        );
        hub.db
            .write(move |tx| {
                tx.webhooks_changed();
                db::webhooks::insert(tx.conn(), workspace, webhook, &settings, None)
            })
            .await
            .unwrap();
        let retention = RetentionPatch {
            texts_days: Some(1),
            facts_days: None,
        };
        hub.update_settings(SettingsPatch { retention })
            .await
            .unwrap();
        Self {
            home,
            clock,
            hub,
            workspace,
            webhook,
            under_way: Vec::new(),
            ghosts: Vec::new(),
            accepted: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            by_hand: BTreeMap::new(),
            behind_since: BTreeMap::new(),
        }
    }

    async fn rows(&self) -> BTreeMap<i64, Seen> {
        self.hub
            .db
            .read(|conn| {
                let mut statement = conn.prepare(
                    "SELECT seq, id, event_seq, subject, status, tries, attempts, created_at,
                       (SELECT count(*) FROM attempts a WHERE a.delivery_seq = d.seq AND a.finished_at IS NULL) FROM deliveries d",
                )?;
                let rows = statement.query_map([], |r| {
                    Ok((
                        r.get(0)?,
                        Seen {
                            id: r.get(1)?,
                            event: r.get(2)?,
                            subject: r.get(3)?,
                            status: r.get(4)?,
                            tries: r.get(5)?,
                            attempts: r.get(6)?,
                            created_at: r.get(7)?,
                            running: r.get(8)?,
                        },
                    ))
                })?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
            .unwrap()
    }

    async fn take(&mut self, step: Step) {
        let (now, workspace, webhook) = (self.clock.now(), self.workspace, self.webhook);
        let endpoint = webhook.to_string();
        let held = self.held().await;
        match step {
            Step::Event(about) => {
                let subject = match about {
                    0 => "{}".to_owned(),
                    n => format!(r#"{{"contactId":"{n}","at": {}}}"#, now.as_ms()),
                };
                let event = format!(r#"{{"type":"contact.created","data":{subject}}}"#);
                let event = serde_json::from_str(&event).unwrap();
                let recorded = self
                    .hub
                    .record_event(workspace, event, "test")
                    .await
                    .unwrap();
                assert_eq!(recorded.deliveries, 1);
                self.accepted.insert(recorded.event_id, subject);
            }
            Step::Tick => self.tick().await,
            Step::Answer(n, answer) if !self.under_way.is_empty() => {
                let (out, claim) = self.under_way.remove(n % self.under_way.len());
                self.answer(out, answer).await;
                drop(claim);
            }
            Step::Late(n, answer) if !self.ghosts.is_empty() => {
                let ghost = self.ghosts.remove(n % self.ghosts.len());
                let before = self.rows().await;
                self.answer(ghost, answer).await;
                assert_eq!(before, self.rows().await, "a late answer moves nothing");
            }
            Step::Answer(..) | Step::Late(..) => {}
            Step::Wait(ms) => self.clock.advance_ms(ms),
            Step::Jump(ms) => {
                self.clock.advance_ms(ms);
                let now = self.clock.now();
                // What waits since a moment that is yet to come has waited for nothing.
                for (seq, row) in self.rows().await {
                    let since = self.behind_since.entry(seq).or_insert(row.created_at);
                    *since = now.min(*since);
                }
                let furthest = retry::LONGEST_MS + retry::LONGEST_MS / 10 + LEASE_MS;
                let pulled = self
                    .hub
                    .db
                    .write(move |tx| db::deliveries::pull_in(tx.conn(), now, furthest));
                pulled.await.unwrap();
            }
            Step::Crash => {
                self.ghosts
                    .extend(self.under_way.drain(..).map(|(out, _)| out));
                self.hub.stop().await;
                self.hub = open(self.home.path(), &self.clock).await;
                self.hub.recover(None).await.unwrap();
            }
            Step::Pause | Step::Resume => {
                let is_active = Some(matches!(step, Step::Resume));
                let patch = WebhookPatch {
                    is_active,
                    ..WebhookPatch::default()
                };
                let changed = self.hub.update_webhook(workspace, webhook, patch);
                changed.await.unwrap();
            }
            Step::LetGo => {
                let released = self.hub.db.write(move |tx| {
                    for reason in [Reason::Offline, Reason::Keychain] {
                        db::deliveries::release_held(tx.conn(), &endpoint, reason, now)?;
                    }
                    Ok(())
                });
                released.await.unwrap();
            }
            Step::Rotate => {
                let rotated = self.hub.db.write(move |tx| {
                    db::webhooks::rotated(tx.conn(), webhook, now, Some(now.plus_ms(DAY_MS)))
                });
                rotated.await.unwrap();
            }
            Step::Retry(n) | Step::Cancel(n) => {
                let rows = self.rows().await;
                let Some((seq, row)) = rows.iter().nth(n % rows.len().max(1)) else {
                    return;
                };
                if matches!(step, Step::Cancel(_)) {
                    // Refused where it has ended or is under way.
                    let _ = self.hub.cancel_delivery(workspace, row.id, None).await;
                } else if self.hub.retry_delivery(workspace, row.id).await.is_ok() {
                    *self.by_hand.entry(*seq).or_default() += 1;
                    self.behind_since.insert(*seq, now);
                }
            }
            Step::Replay => self.replay().await,
            Step::CleanUp => {
                self.hub.clean_up(false).await.unwrap();
            }
        }
        // What was held waits its turn from now on.
        for seq in &held - &self.held().await {
            self.behind_since.insert(seq, now);
        }
    }

    async fn held(&self) -> BTreeSet<i64> {
        let rows = self.rows().await.into_iter();
        rows.filter(|(_, row)| row.status == Status::Held)
            .map(|(seq, _)| seq)
            .collect()
    }

    async fn tick(&mut self) {
        let before = self.rows().await;
        let (now, lanes) = (self.clock.now(), self.hub.lanes.clone());
        let endpoint: Arc<str> = self.webhook.to_string().into();
        let claims = lanes.claim_all(&endpoint);
        let claimed = self
            .hub
            .db
            .write(move |tx| claim_for(tx, &endpoint, claims, now, &lanes))
            .await
            .unwrap();
        for (out, claim) in claimed {
            let row = &before[&out.delivery];
            assert_eq!(row.status, Status::Pending, "only what is due is sent");
            let twice = self
                .under_way
                .iter()
                .any(|(o, _)| o.delivery == out.delivery);
            assert!(!twice, "{} is under way twice", out.id);
            assert!(!out.damaged, "{} was sent without its text", out.id);
            let earlier = before.iter().find(|(seq, other)| {
                **seq < out.delivery
                    && other.subject.is_some()
                    && other.subject == row.subject
                    && matches!(
                        other.status,
                        Status::Pending | Status::Sending | Status::Held | Status::Unknown
                    )
            });
            if let Some((earlier, _)) = earlier {
                let since = self.behind_since.get(&out.delivery);
                let waited = now.ms_since(since.copied().unwrap_or(row.created_at));
                assert!(
                    waited >= ORDER_WAIT_MS,
                    "{} overtook row {earlier} after {waited} ms",
                    out.id
                );
            }
            self.under_way.push((out, claim));
        }
    }

    async fn answer(&self, out: Outgoing, answer: Answer) {
        let (now, lanes) = (self.clock.now(), self.hub.lanes.clone());
        let (ended, hint) = answer.ended();
        let before = self.rows().await;
        let seq = out.delivery;
        let done = self
            .hub
            .db
            .write(move |tx| finish::finish(tx, &out, &ended, hint.as_deref(), now, 0.5, &lanes));
        done.await.unwrap();
        let after = self.rows().await;
        if after[&seq].status == Status::Held && matches!(answer, Answer::Offline | Answer::Locked)
        {
            assert_eq!(before[&seq].tries, after[&seq].tries, "held uses no try");
        }
    }

    async fn replay(&mut self) {
        let new = |dry_run| NewReplay {
            filter: crate::deliveries::DeliveryFilter::default(),
            content: crate::deliveries::Content::Original,
            dry_run,
            per_minute: None,
        };
        let before = self.rows().await.len();
        let dry = self.hub.replay_deliveries(self.workspace, new(true));
        let dry = dry.await.unwrap();
        let run = self.hub.replay_deliveries(self.workspace, new(false));
        let run = run.await.unwrap();
        assert_eq!((dry.matched, dry.queued), (run.matched, run.queued));
        while self.hub.go_on_replaying().await.unwrap().is_some() {}
        let queued = self.rows().await.len() - before;
        assert_eq!(queued as u64, dry.queued, "what a dry run counts is queued");
    }

    async fn holds(&mut self) {
        let rows = self.rows().await;
        for (id, data) in &self.accepted {
            let event = self.hub.event(self.workspace, *id).await.unwrap();
            match event.data {
                Some(kept) => assert_eq!(kept.get(), data, "the bytes are kept"),
                None => {
                    let mut of = rows.values().filter(|row| row.event == id.row());
                    assert!(
                        of.all(|row| matches!(
                            row.status,
                            Status::Success | Status::Failed | Status::Cancelled
                        )),
                        "what is not final keeps its text"
                    );
                }
            }
            assert!(event.deliveries.is_some_and(|rows| !rows.is_empty()));
        }
        for (seq, row) in &rows {
            let leases = u32::from(row.status == Status::Sending);
            assert_eq!(row.running, leases, "one attempt is open while it is sent");
            let most = 1 + RETRIES + self.by_hand.get(seq).copied().unwrap_or(0);
            assert!(row.tries <= most, "{} tries of {most}: {row:?}", row.tries);
            assert!(row.tries <= row.attempts);
            if row.status == Status::Success {
                self.succeeded.insert(*seq);
            } else {
                assert!(!self.succeeded.contains(seq), "a success is final: {row:?}");
            }
        }
    }

    /// Once all is well again, everything that was accepted comes to its end.
    async fn settles(&mut self) {
        for _ in 0..40 {
            self.take(Step::Resume).await;
            self.take(Step::LetGo).await;
            self.tick().await;
            while let Some((out, claim)) = self.under_way.pop() {
                self.answer(out, Answer::Ok).await;
                drop(claim);
            }
            self.holds().await;
            let open = |row: &Seen| {
                !matches!(
                    row.status,
                    Status::Success | Status::Failed | Status::Cancelled
                )
            };
            if !self.rows().await.values().any(open) {
                return;
            }
            self.clock.advance_ms(DAY_MS);
        }
        panic!("something never ended: {:?}", self.rows().await);
    }
}

/// Takes these steps, and lets all be well again.
fn lives_through(steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new().await;
        for step in steps {
            world.take(step).await;
            world.holds().await;
        }
        world.settles().await;
        world.hub.stop().await;
    });
}

#[test]
fn a_clock_that_is_set_back_by_days_lets_no_delivery_overtake() {
    lives_through(vec![
        Step::Event(1),
        Step::Event(1),
        Step::Jump(-3 * DAY_MS),
        Step::Tick,
    ]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_lost_doubled_or_out_of_order(steps in proptest::collection::vec(step(), 1..60)) {
        lives_through(steps);
    }
}
