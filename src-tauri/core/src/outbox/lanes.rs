//! How many deliveries are claimed and under way, and who may start another: the fairness between
//! endpoints.
//!
//! A delivery first holds a [`Claim`]: its attempt is written and its bytes are in memory. Before
//! its first byte it gets a [`Slot`], of which there are 16 per endpoint and 64 in all. An endpoint
//! may take another of either only while it has less than half of what is still free, so that a few
//! that hang never take everything: the dynamic threshold of Choudhury and Hahne (IEEE/ACM ToN
//! 6(2), 1998) with α = ½. One whose last try ran into the deadline may have two.
//!
//! An endpoint with a limit of calls a second is paced before it gets a slot, and claims no more
//! than a second's worth: what has to wait, waits in the database and takes nobody's place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Time;

const SLOTS: Limit = Limit {
    in_all: 64,
    per_endpoint: 16,
};
/// Three for each slot: the next are at hand when one is free.
const CLAIMS: Limit = Limit {
    in_all: 192,
    per_endpoint: 48,
};
const WHEN_SLOW: usize = 2;

struct Limit {
    in_all: usize,
    per_endpoint: usize,
}

impl Limit {
    /// How many an endpoint may have at most.
    fn most(&self, slow: bool) -> usize {
        if slow { WHEN_SLOW } else { self.per_endpoint }
    }

    /// How many more an endpoint may take that has `own` of `taken`, and may have `most`.
    fn room(&self, own: usize, taken: usize, most: usize) -> usize {
        let free = self.in_all.saturating_sub(taken);
        // own + n may grow as long as own + n < (free - n) / 2.
        let fair = free.saturating_sub(2 * own).div_ceil(3);
        most.saturating_sub(own).min(fair)
    }
}

/// One endpoint's share.
#[derive(Debug)]
struct Lane {
    claims: usize,
    in_flight: usize,
    /// Claims that wait for a slot.
    waiting: usize,
    free: Arc<Notify>,
    /// Its last try ran into the deadline.
    slow: bool,
    /// There may be due rows that nobody has claimed: newer ones must not overtake them.
    backlog: bool,
    /// When the next of its rows is due.
    next_due: Option<Time>,
    /// Calls a second at most, and when the next may start.
    rate: Option<u32>,
    next_call: Option<Instant>,
}

impl Lane {
    /// What is claimed waits in memory: of an endpoint that is paced, no more than a second's.
    fn most_claims(&self) -> usize {
        let paced = self
            .rate
            .map_or(usize::MAX, |rate| (rate as usize).max(WHEN_SLOW));
        CLAIMS.most(self.slow).min(paced)
    }
}

#[derive(Debug, Default)]
struct Table {
    lanes: HashMap<Arc<str>, Lane>,
    claims: usize,
    in_flight: usize,
    /// When the next final status is to be asked for.
    next_check: Option<Time>,
    closed: bool,
}

/// The table of all endpoints.
#[derive(Debug, Default, Clone)]
pub(crate) struct Lanes {
    table: Arc<Mutex<Table>>,
    /// Wakes the worker when there is something to claim.
    wake: Arc<Notify>,
    /// Wakes whoever waits for the last claim to end.
    ended: Arc<Notify>,
}

/// The right to one delivery's attempt; given back when dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    lanes: Lanes,
    endpoint: Arc<str>,
}

/// Leave to make one call; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    lanes: Lanes,
    endpoint: Arc<str>,
}

impl Table {
    fn room_to_claim(&self, endpoint: &str) -> usize {
        if self.closed {
            return 0;
        }
        let (own, most) = self
            .lanes
            .get(endpoint)
            .map_or((0, CLAIMS.per_endpoint), |l| (l.claims, l.most_claims()));
        CLAIMS.room(own, self.claims, most)
    }

    fn lane(&mut self, endpoint: &str) -> (Arc<str>, &mut Lane) {
        let key = match self.lanes.get_key_value(endpoint) {
            Some((key, _)) => key.clone(),
            None => Arc::from(endpoint),
        };
        // A lane nobody has looked at yet may have rows of an earlier run.
        let lane = self.lanes.entry(key.clone()).or_insert_with(|| Lane {
            claims: 0,
            in_flight: 0,
            waiting: 0,
            free: Arc::default(),
            slow: false,
            backlog: true,
            next_due: None,
            rate: None,
            next_call: None,
        });
        (key, lane)
    }
}

impl Lanes {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claims(&self, table: &mut Table, endpoint: &str, count: usize) -> Vec<Claim> {
        let (key, lane) = table.lane(endpoint);
        lane.claims += count;
        table.claims += count;
        (0..count)
            .map(|_| Claim {
                lanes: self.clone(),
                endpoint: key.clone(),
            })
            .collect()
    }

    /// A claim for a delivery that is just being queued; none when older ones wait, or too many are
    /// claimed. Then the endpoint has a backlog, and the worker comes for it.
    pub(crate) fn claim_new(&self, endpoint: &str, rate: Option<u32>) -> Option<Claim> {
        let mut table = self.table();
        table.lane(endpoint).1.rate = rate;
        let room = table.room_to_claim(endpoint);
        let (_, lane) = table.lane(endpoint);
        if lane.backlog || room == 0 {
            lane.backlog = true;
            return None;
        }
        self.claims(&mut table, endpoint, 1).pop()
    }

    /// As many claims as there is room for.
    pub(crate) fn claim_all(&self, endpoint: &str) -> Vec<Claim> {
        let mut table = self.table();
        let room = table.room_to_claim(endpoint);
        self.claims(&mut table, endpoint, room)
    }

    /// Gives back the claims that are too many for an endpoint that is paced.
    pub(crate) fn paced(&self, endpoint: &str, rate: Option<u32>, claims: &mut Vec<Claim>) {
        let excess = {
            let mut table = self.table();
            let (_, lane) = table.lane(endpoint);
            lane.rate = rate;
            lane.claims.saturating_sub(lane.most_claims())
        };
        claims.truncate(claims.len().saturating_sub(excess));
    }

    /// Waits until the pace of an endpoint allows its next call. Nothing is held meanwhile.
    pub(crate) async fn pace(&self, endpoint: &str, rate: Option<u32>) {
        if let Some(turn) = self.turn(endpoint, rate) {
            tokio::time::sleep_until(turn).await;
        }
    }

    /// When an endpoint's next call may start: one each `1/rate` second, in the order of asking.
    fn turn(&self, endpoint: &str, rate: Option<u32>) -> Option<Instant> {
        let mut table = self.table();
        let (_, lane) = table.lane(endpoint);
        lane.rate = rate;
        let Some(rate) = rate else {
            lane.next_call = None;
            return None;
        };
        let now = Instant::now();
        let turn = lane.next_call.map_or(now, |next| next.max(now));
        lane.next_call = Some(turn + Duration::from_secs(1) / rate.max(1));
        Some(turn)
    }

    /// Waits for leave to make a call.
    pub(crate) async fn slot(&self, endpoint: &str) -> Slot {
        let mut waited = false;
        loop {
            let free = {
                let mut table = self.table();
                let taken = table.in_flight;
                let (key, lane) = table.lane(endpoint);
                if waited {
                    lane.waiting -= 1;
                }
                if SLOTS.room(lane.in_flight, taken, SLOTS.most(lane.slow)) > 0 {
                    lane.in_flight += 1;
                    table.in_flight += 1;
                    return Slot {
                        lanes: self.clone(),
                        endpoint: key,
                    };
                }
                lane.waiting += 1;
                waited = true;
                lane.free.clone()
            };
            free.notified().await;
        }
    }

    /// What a claim found: whether rows are left that are due, and when the next one is.
    pub(crate) fn claimed(&self, endpoint: &str, backlog: bool, next_due: Option<Time>) {
        let mut table = self.table();
        let (_, lane) = table.lane(endpoint);
        lane.backlog = backlog;
        lane.next_due = next_due;
    }

    /// Something is due at an endpoint at this time; wakes the worker.
    pub(crate) fn due(&self, endpoint: &str, at: Time) {
        let mut table = self.table();
        let (_, lane) = table.lane(endpoint);
        lane.next_due = Some(lane.next_due.map_or(at, |known| known.min(at)));
        drop(table);
        self.wake.notify_one();
    }

    /// A final status is to be asked for at this time; wakes the worker.
    pub(crate) fn check_at(&self, at: Time) {
        let mut table = self.table();
        table.next_check = Some(table.next_check.map_or(at, |known| known.min(at)));
        drop(table);
        self.wake.notify_one();
    }

    /// Whether a final status is to be asked for now, or when the next one is.
    pub(crate) fn to_check(&self, now: Time) -> Result<(), Option<Time>> {
        let mut table = self.table();
        match table.next_check {
            Some(at) if at <= now && !table.closed => {
                table.next_check = None;
                Ok(())
            }
            next => Err(next),
        }
    }

    /// Wakes the worker to look at an endpoint again.
    pub(crate) fn look(&self, endpoint: &str) {
        let mut table = self.table();
        table.lane(endpoint).1.backlog = true;
        drop(table);
        self.wake.notify_one();
    }

    /// Wakes the worker.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until somebody wakes the worker.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Endpoints where a claim is worth while now, and when to look again if nothing happens.
    pub(crate) fn to_claim(&self, now: Time) -> (Vec<Arc<str>>, Option<Time>) {
        let table = self.table();
        let mut ready = Vec::new();
        let mut next = None::<Time>;
        for (endpoint, lane) in &table.lanes {
            if lane.backlog || lane.next_due.is_some_and(|at| at <= now) {
                if table.room_to_claim(endpoint) > 0 {
                    ready.push((lane.claims, endpoint.clone()));
                }
            } else if let Some(at) = lane.next_due {
                next = Some(next.map_or(at, |known| known.min(at)));
            }
        }
        // Who has least under way comes first.
        ready.sort_unstable_by_key(|(claims, _)| *claims);
        (
            ready.into_iter().map(|(_, endpoint)| endpoint).collect(),
            next,
        )
    }

    /// Notes whether the last try at an endpoint ran into the deadline.
    pub(crate) fn set_slow(&self, endpoint: &str, slow: bool) {
        self.table().lane(endpoint).1.slow = slow;
    }

    /// From now on nothing may be claimed.
    pub(crate) fn close(&self) {
        self.table().closed = true;
    }

    /// Waits until nothing is claimed.
    pub(crate) async fn empty(&self) {
        loop {
            let ended = self.ended.notified();
            if self.table().claims == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut table = self.lanes.table();
        table.claims = table.claims.saturating_sub(1);
        let none_left = table.claims == 0;
        let mut backlog = false;
        if let Some(lane) = table.lanes.get_mut(&self.endpoint) {
            lane.claims = lane.claims.saturating_sub(1);
            backlog = lane.backlog;
        }
        // Another endpoint may have been kept waiting by the total.
        backlog = backlog || table.claims + 1 >= CLAIMS.in_all / 2;
        drop(table);
        if backlog {
            self.lanes.wake.notify_one();
        }
        if none_left {
            self.lanes.ended.notify_waiters();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.lanes.table();
        table.in_flight = table.in_flight.saturating_sub(1);
        if let Some(lane) = table.lanes.get_mut(&self.endpoint) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
        }
        // A freed slot widens everybody's share.
        for lane in table.lanes.values().filter(|l| l.waiting > 0) {
            lane.free.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an endpoint gets without waiting.
    async fn slots(lanes: &Lanes, endpoint: &str) -> Vec<Slot> {
        let mut all = Vec::new();
        loop {
            tokio::select! {
                biased;
                slot = lanes.slot(endpoint) => all.push(slot),
                () = std::future::ready(()) => return all,
            }
        }
    }

    #[tokio::test]
    async fn one_endpoint_gets_sixteen_and_a_slow_one_two() {
        let lanes = Lanes::default();
        let held = slots(&lanes, "a").await;
        assert_eq!(held.len(), 16);
        drop(held);
        lanes.set_slow("b", true);
        assert_eq!(slots(&lanes, "b").await.len(), 2);
    }

    #[tokio::test]
    async fn hanging_endpoints_leave_room_for_the_next() {
        let lanes = Lanes::default();
        let mut hanging = Vec::new();
        for n in 0..8 {
            let held = slots(&lanes, &format!("hangs-{n}")).await;
            assert!(!held.is_empty(), "endpoint {n} found no room");
            hanging.extend(held);
        }
        assert!(hanging.len() < SLOTS.in_all);
    }

    #[tokio::test]
    async fn whoever_waits_for_a_slot_gets_one_that_is_freed() {
        let lanes = Lanes::default();
        let mut held = slots(&lanes, "a").await;
        let waits = tokio::spawn({
            let lanes = lanes.clone();
            async move { drop(lanes.slot("a").await) }
        });
        tokio::task::yield_now().await;
        held.pop();
        assert!(waits.await.is_ok());
    }

    #[test]
    fn a_newer_delivery_never_overtakes_a_backlog() {
        let lanes = Lanes::default();
        assert!(
            lanes.claim_new("a", None).is_none(),
            "rows of an earlier run may wait"
        );
        lanes.claimed("a", false, None);
        assert!(lanes.claim_new("a", None).is_some());
        lanes.look("a");
        assert!(lanes.claim_new("a", None).is_none());
    }

    #[test]
    fn a_paced_endpoint_is_called_evenly_and_claims_a_second_s_worth() {
        let lanes = Lanes::default();
        let turns: Vec<_> = (0..11).map(|_| lanes.turn("a", Some(5)).unwrap()).collect();
        let gaps: Vec<_> = turns.windows(2).map(|t| t[1] - t[0]).collect();
        assert!(gaps.iter().all(|gap| *gap == Duration::from_millis(200)));
        let mut claims = lanes.claim_all("a");
        assert_eq!(claims.len(), 5);
        lanes.paced("a", Some(1), &mut claims);
        assert_eq!(claims.len(), 2);
        assert_eq!(lanes.turn("b", None), None);
        assert_eq!(lanes.claim_all("b").len(), 48, "others are not paced");
    }
}
