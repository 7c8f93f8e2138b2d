//! The worker: claims what is due, sends it outside any transaction, records how it went.
//!
//! It sleeps to the next due time, and is woken every 30 s, by a commit, a freed slot or a change of
//! the network. Times due are wall clock; a jump of it is noticed at the latest after 30 s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::lanes::{Claim, Lanes};
use super::{LEASE_MS, Outgoing, Target, finish, lease_until, network, retry, target};
use crate::automations;
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::attempts::Ended;
use crate::db::{self, Tx};
use crate::deliveries::{Reason, Trigger};
use crate::error::Result;
use crate::hub::Hub;
use crate::ids::WorkspaceId;
use crate::integrations::Kind;
use crate::outcome::{Code, Failure, Trouble};
use crate::secrets::SecretError;
use crate::webhooks::kept::Kept;
use crate::webhooks::send::{self, Message, Sent};

/// How often clock, leases and network are looked at.
const TICK: Duration = Duration::from_secs(30);
/// A tick that comes a little early counts.
const EARLY: Duration = Duration::from_secs(1);
/// While something waits for the internet, the network is looked at this often, for not every
/// change of it (a route, a name server) is announced.
const OFFLINE_TICK: Duration = Duration::from_secs(5);
/// When a final status is asked for again of which nothing was heard.
const CHECK_AGAIN_MS: i64 = 60_000;
/// A wall clock that moves so much more, or less, than the time that passed was set, or the
/// computer slept.
const JUMP_MS: i64 = 5_000;

/// Runs until the lanes are closed and everything under way has been recorded.
pub(crate) async fn run(
    hub: Arc<Hub>,
    mut claimed_at_intake: mpsc::UnboundedReceiver<(Outgoing, Claim)>,
    mut stop: tokio::sync::watch::Receiver<bool>,
) {
    if let Err(error) = hub.recover(None).await {
        tracing::error!(%error, "what was under way at the last end could not be taken up");
    }
    let watch = {
        let hub = hub.clone();
        netwatcher::watch_interfaces_with_callback(move |_| {
            hub.network_changed();
        })
        .inspect_err(|error| {
            tracing::warn!(
                ?error,
                "changes of the network are not announced here; they are noticed within 30 s"
            )
        })
        .ok()
    };
    let _ticking = ticking(hub.lanes.clone());
    let mut looked = (Instant::now(), hub.now());
    let mut offline = true;
    loop {
        let now = hub.now();
        let passed_ms = i64::try_from(looked.0.elapsed().as_millis()).unwrap_or(i64::MAX);
        let jumped = (now.ms_since(looked.1) - passed_ms).abs() > JUMP_MS;
        let tick = if offline { OFFLINE_TICK } else { TICK };
        if jumped || looked.0.elapsed() + EARLY >= tick || hub.take_network_changed() {
            looked = (Instant::now(), now);
            offline = hub.look_around(jumped).await;
        }
        while let Ok((out, claim)) = claimed_at_intake.try_recv() {
            hub.dispatch_one(out, claim);
        }
        let next_check = match hub.lanes.to_check(now) {
            Ok(room) => {
                hub.check_final(now, room).await;
                continue;
            }
            Err(next) => next,
        };
        let (ready, next) = hub.lanes.to_claim(now);
        if !ready.is_empty() {
            hub.claim(&ready, now).await;
            // What was found changes when the next one is due.
            continue;
        }
        let until_due = next
            .into_iter()
            .chain(next_check)
            .min()
            .map(|at| Duration::from_millis(at.ms_since(hub.now()).max(0).cast_unsigned()));
        let until_looked = offline.then(|| tick.saturating_sub(looked.0.elapsed()));
        let due = async {
            match until_due.into_iter().chain(until_looked).min() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            out = claimed_at_intake.recv() => match out {
                Some((out, claim)) => hub.dispatch_one(out, claim),
                None => break,
            },
            _ = stop.changed() => break,
            () = hub.lanes.woken() => {}
            () = due => {}
        }
    }
    // Its end is awaited by its drop, and never comes where a process that the window started has
    // inherited the pipe: that is nobody's to wait for.
    std::thread::spawn(move || drop(watch));
}

/// Wakes the worker every [`TICK`] until what this gives is dropped. A thread of its own, for a timer
/// of the runtime that is so far ahead wakes it twice on the way there.
fn ticking(lanes: Lanes) -> std::sync::mpsc::Sender<()> {
    let (running, ended) = std::sync::mpsc::channel();
    let ticks = move || {
        while ended.recv_timeout(TICK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            lanes.wake();
        }
    };
    let started = std::thread::Builder::new().name("tick".into()).spawn(ticks);
    if let Err(error) = started {
        tracing::error!(%error, "jumps of the clock are noticed only when something happens");
    }
    running
}

impl Hub {
    fn dispatch_one(self: &Arc<Self>, out: Outgoing, claim: Claim) {
        let hub = self.clone();
        tokio::spawn(async move { hub.deliver(out, claim).await });
    }

    /// Sends one and records how it went.
    async fn deliver(self: Arc<Self>, out: Outgoing, claim: Claim) {
        self.lanes
            .pace(&out.endpoint, out.target.rate_limit())
            .await;
        let slot = self.lanes.slot(&out.endpoint).await;
        let sent = self.send(&out).await;
        let slow = sent
            .ended
            .failure
            .as_ref()
            .is_some_and(|f| f.code == Code::TimedOut);
        self.lanes.set_slow(&out.endpoint, slow);
        let (now, lanes) = (self.now(), self.lanes.clone());
        let recording = self.db.write(move |tx| {
            finish::finish(
                tx,
                &out,
                &sent.ended,
                sent.retry_after.as_deref(),
                now,
                jitter(now),
                &lanes,
            )
        });
        // The call is over, and its record is on its way to the writer: the next may start.
        drop((slot, claim));
        let recorded = recording.await;
        if let Err(error) = recorded {
            // The row stays under way; its lease runs out and it is told again under the same id.
            tracing::error!(%error, "the result of an attempt could not be recorded");
        }
    }

    /// One attempt, with the key store and the network judged.
    pub(crate) async fn send(&self, out: &Outgoing) -> Sent {
        let failed = |failure| Sent {
            ended: Ended {
                failure: Some(failure),
                ..Ended::default()
            },
            retry_after: None,
        };
        if out.damaged {
            return failed(Failure::trouble(Code::Internal, Trouble::Damaged));
        }
        let settings = match &out.target {
            Target::Webhook(settings) => settings,
            Target::Integration(settings) => return self.send_through(out, settings, None).await,
        };
        let kept = match self.secrets.get(out.workspace, &out.endpoint).await {
            Ok(item) => Kept::read(&item),
            Err(SecretError::Missing) if settings.format.is_chat() => {
                return failed(Failure::trouble(
                    Code::KeychainUnavailable,
                    Trouble::AddressMissing,
                ));
            }
            Err(error) => return failed(error.failure()),
        };
        let event_id = out.event_id.to_string();
        let message = Message {
            event_id: &event_id,
            event_type: &out.event_type,
            body: out.body.clone(),
        };
        let mut sent = send::send(
            &self.http,
            settings,
            &kept,
            message,
            self.now(),
            self.own_port(),
        )
        .await;
        if let Some(failure) = sent.ended.failure.take() {
            sent.ended.failure = Some(match settings.url.parse() {
                Ok(url) if sent.ended.status.is_none() => {
                    network::judge(failure, &url, &self.well_known_names).await
                }
                _ => failure,
            });
        }
        sent
    }

    /// Claims for all these endpoints in one transaction.
    async fn claim(self: &Arc<Self>, endpoints: &[Arc<str>], now: Time) {
        let taken: Vec<(Arc<str>, Vec<Claim>)> = endpoints
            .iter()
            .map(|e| (e.clone(), self.lanes.claim_all(e)))
            .collect();
        let lanes = self.lanes.clone();
        let claimed = self
            .db
            .write(move |tx| {
                let mut claimed = Vec::new();
                for (endpoint, claims) in taken {
                    claimed.extend(claim_for(tx, &endpoint, claims, now, &lanes)?);
                }
                Ok(claimed)
            })
            .await;
        match claimed {
            Ok(claimed) => {
                for (out, claim) in claimed {
                    self.dispatch_one(out, claim);
                }
            }
            Err(error) => {
                tracing::error!(%error, "what is due could not be claimed");
                tokio::time::sleep(Duration::from_secs(1)).await;
                for endpoint in endpoints {
                    self.lanes.look(endpoint);
                }
            }
        }
    }

    /// Takes up attempts that nobody waits for any more: all (`None`, at the start), or those whose
    /// lease ran out. They are told again under the same id, and the broken try does not count.
    pub(super) async fn recover(&self, expired_at: Option<Time>) -> Result<()> {
        let (now, lanes) = (self.now(), self.lanes.clone());
        self.db
            .write(move |tx| {
                for (delivery, number, endpoint) in db::deliveries::expired(tx.conn(), expired_at)?
                {
                    let ended = Ended {
                        failure: Some(Failure::trouble(Code::Unreachable, Trouble::Interrupted)),
                        ..Ended::default()
                    };
                    let Some(to) = target::find(tx.conn(), &endpoint)? else {
                        db::attempts::finish(tx.conn(), delivery, number, now, &ended)?;
                        db::deliveries::finish(
                            tx.conn(),
                            delivery,
                            number,
                            now,
                            &db::deliveries::Move::Failed,
                            false,
                            &ended,
                        )?;
                        continue;
                    };
                    let row = db::deliveries::claimed(tx.conn(), delivery)?;
                    let out = outgoing(row, delivery, number, endpoint.as_str().into(), to.target);
                    finish::finish(tx, &out, &ended, None, now, 0.0, &lanes)?;
                }
                if expired_at.is_none() {
                    if let Some(at) = db::deliveries::next_check(tx.conn())? {
                        let lanes = lanes.clone();
                        tx.after_commit(move || lanes.check_at(at));
                    }
                    for endpoint in db::deliveries::pending_endpoints(tx.conn())? {
                        let lanes = lanes.clone();
                        tx.after_commit(move || lanes.look(&endpoint));
                    }
                }
                Ok(())
            })
            .await
    }

    /// Asks for final statuses that are to be asked for now. What comes to nothing, because this
    /// process ends or the answer cannot be recorded, is asked again.
    async fn check_final(self: &Arc<Self>, now: Time, room: usize) {
        let again = now.plus_ms(CHECK_AGAIN_MS);
        let taken = self
            .db
            .write(move |tx| {
                let due = db::deliveries::take_checks(tx.conn(), now, again, room)?;
                Ok((due, db::deliveries::next_check(tx.conn())?))
            })
            .await;
        match taken {
            Ok((due, next)) => {
                for delivery in due {
                    let hub = self.clone();
                    let under_way = self.lanes.checking();
                    tokio::spawn(async move {
                        hub.check_final_status(delivery).await;
                        drop(under_way);
                    });
                }
                if let Some(at) = next {
                    self.lanes.check_at(at);
                }
            }
            Err(error) => {
                tracing::error!(%error, "final statuses could not be asked for");
                self.lanes.check_at(now.plus_ms(1_000));
            }
        }
    }

    /// Looks at leases, clock, network and key store; true when something waits for one of them.
    async fn look_around(&self, jumped: bool) -> bool {
        let now = self.now();
        let lanes = self.lanes.clone();
        let looked = self
            .db
            .read(move |conn| {
                Ok((
                    db::deliveries::held_endpoints(conn, Reason::Offline)?,
                    db::deliveries::held_endpoints(conn, Reason::Keychain)?,
                    !db::deliveries::expired(conn, Some(now))?.is_empty(),
                ))
            })
            .await;
        let Ok((offline, keychain, expired)) =
            looked.inspect_err(|error| tracing::error!(%error, "the queue could not be read"))
        else {
            return true;
        };
        if expired && let Err(error) = self.recover(Some(now)).await {
            tracing::error!(%error, "expired attempts could not be taken up");
        }
        if jumped {
            // Due times that a wrong clock put far ahead are pulled in; the rest is looked at again.
            self.db.write_later(move |tx| {
                db::deliveries::pull_in(
                    tx.conn(),
                    now,
                    retry::LONGEST_MS + retry::LONGEST_MS / 10 + LEASE_MS,
                )?;
                for endpoint in db::deliveries::pending_endpoints(tx.conn())? {
                    let lanes = lanes.clone();
                    tx.after_commit(move || lanes.look(&endpoint));
                }
                Ok(())
            });
        }
        self.end_overlaps(now).await;
        let waits = !offline.is_empty();
        for (endpoint, workspace) in offline {
            let at = endpoint.clone();
            let url = self
                .db
                .read(move |conn| target::find(conn, &at))
                .await
                .ok()
                .flatten()
                .and_then(|to| to.target.url());
            let reachable = match url {
                Some(url) => network::reachable(&url, &self.well_known_names).await,
                None => false,
            };
            if reachable {
                self.let_go(endpoint, workspace, Reason::Offline);
            }
        }
        for (endpoint, workspace) in keychain {
            if self.has_secrets(workspace, &endpoint).await.is_ok() {
                self.let_go(endpoint, workspace, Reason::Keychain);
            }
        }
        waits
    }

    /// Whether the key store holds what is needed to call an endpoint.
    pub(crate) async fn has_secrets(&self, workspace: WorkspaceId, endpoint: &str) -> Result<()> {
        let item = self.secrets.get(workspace, target::item(endpoint)).await?;
        let at = endpoint.to_owned();
        let to = self.db.read(move |conn| target::find(conn, &at)).await?;
        match to.map(|to| to.target) {
            Some(Target::Webhook(settings)) if Kept::read(&item).address(&settings).is_none() => {
                Err(SecretError::Missing.into())
            }
            _ => Ok(()),
        }
    }

    /// Lets go what was held at an endpoint for a reason.
    pub(crate) fn let_go(&self, endpoint: String, workspace: WorkspaceId, reason: Reason) {
        let (now, lanes) = (self.now(), self.lanes.clone());
        self.db.write_later(move |tx| {
            if reason == Reason::Keychain {
                db::problems::unlocked(tx.conn(), workspace, &endpoint, now)?;
            } else {
                db::deliveries::release_held(tx.conn(), &endpoint, reason, now)?;
            }
            tx.announce(Some(workspace), Topic::Deliveries);
            tx.announce(None, Topic::Network);
            tx.after_commit(move || lanes.look(&endpoint));
            Ok(())
        });
    }
}

fn outgoing(
    row: db::deliveries::Claimed,
    delivery: i64,
    number: u32,
    endpoint: Arc<str>,
    target: Target,
) -> Outgoing {
    let damaged = <[u8; 32]>::from(Sha256::digest(&row.data)) != row.data_sha256;
    Outgoing {
        delivery,
        number,
        id: row.id,
        workspace: row.workspace,
        endpoint,
        target,
        event_id: row.event_id,
        event_type: row.event_type,
        subject: row.subject,
        test: row.test,
        body: Bytes::from(row.data),
        damaged,
    }
}

pub(crate) fn claim_for(
    tx: &mut Tx<'_>,
    endpoint: &Arc<str>,
    mut claims: Vec<Claim>,
    now: Time,
    lanes: &Lanes,
) -> Result<Vec<(Outgoing, Claim)>> {
    let Some(to) = target::find(tx.conn(), endpoint)? else {
        target::gone(tx.conn(), endpoint, now)?;
        lanes.claimed(endpoint, false, None);
        return Ok(Vec::new());
    };
    if let Some(stop) = to.stop {
        target::put_aside(tx.conn(), endpoint, stop, now)?;
        lanes.claimed(endpoint, false, None);
        return Ok(Vec::new());
    }
    lanes.paced(endpoint, to.target.rate_limit(), &mut claims);
    let quiet = quiet_hours(tx.conn(), endpoint, now)?;
    let wanted = claims.len();
    let due = db::deliveries::due(tx.conn(), endpoint, now, wanted)?;
    let more = due.len() == wanted;
    let mut claimed = Vec::with_capacity(due.len());
    for row in due {
        if let Some(passed) = row.until.filter(|until| *until <= now) {
            db::planned::too_late(tx.conn(), row.seq, passed, now)?;
            if let Some(subject) = &row.subject {
                db::deliveries::release_next(tx.conn(), endpoint, subject, now)?;
            }
            continue;
        }
        // What the owner sends goes at once.
        let automatic = row.automatic && row.trigger == Trigger::Auto;
        if let (Some(until), true) = (quiet, automatic) {
            db::planned::put_off(tx.conn(), row.seq, until)?;
            continue;
        }
        // Entries of a calendar are never out of order; elsewhere nothing waits for ever.
        let passes = row.after_earlier && !to.target.keeps_order();
        if let (Some(subject), false) = (&row.subject, passes)
            && db::deliveries::has_open_earlier(tx.conn(), endpoint, subject, row.seq, now)?
        {
            db::deliveries::put_behind(tx.conn(), row.seq, now)?;
            continue;
        }
        let Some(right) = claims.pop() else { break };
        let number = row.attempts + 1;
        db::attempts::start(tx.conn(), row.seq, number, row.trigger, now)?;
        db::deliveries::claim(tx.conn(), row.seq, number, lease_until(now))?;
        let stored = db::deliveries::claimed(tx.conn(), row.seq)?;
        claimed.push((
            outgoing(stored, row.seq, number, endpoint.clone(), to.target.clone()),
            right,
        ));
    }
    lanes.claimed(
        endpoint,
        more,
        db::deliveries::next_due(tx.conn(), endpoint)?,
    );
    Ok(claimed)
}

/// The end of the quiet hours, while these keep the texts of automations from going out.
fn quiet_hours(conn: &rusqlite::Connection, endpoint: &str, now: Time) -> Result<Option<Time>> {
    let Some((Kind::Sms, workspace)) = target::integration(endpoint) else {
        return Ok(None);
    };
    let business = automations::known::business(conn, workspace)?;
    Ok(business
        .quiet_hours
        .map(|quiet| quiet.after(now, &business.zone))
        .filter(|until| *until > now))
}

/// 0 to 1: only to keep receivers from being called all at once.
#[allow(clippy::cast_precision_loss)]
fn jitter(now: Time) -> f64 {
    let mut byte = [0_u8; 1];
    match getrandom::fill(&mut byte) {
        Ok(()) => f64::from(byte[0]) / 255.0,
        Err(_) => (now.as_ms() % 100) as f64 / 100.0,
    }
}
