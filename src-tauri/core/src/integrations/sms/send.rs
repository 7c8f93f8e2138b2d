//! Sending a text, looking for one whose answer got lost, and following one to its end.
//!
//! Twilio knows no idempotency key. So before a text is sent again whose earlier attempt may have
//! gone out, it is looked for among those to its number.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::value::RawValue;

use super::progress::{self, Stand, Status};
use super::twilio::{self, Account, Found, Text};
use super::{Draft, Message, Preview, Settings, number};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::attempts::Ended;
use crate::db::deliveries::{DeliveryRecord, Move};
use crate::db::{self};
use crate::deliveries::Status as Stands;
use crate::error::{Error, Result};
use crate::http::{Called, elapsed_ms};
use crate::hub::Hub;
use crate::ids::{DeliveryId, WorkspaceId};
use crate::integrations::consequence::{self, Consequence};
use crate::integrations::kept::Kept;
use crate::integrations::send::{Sent, provider_url};
use crate::integrations::{Kind, words};
use crate::outbox::finish::{self, Whose};
use crate::outbox::{Carries, Outgoing, Sending, retry, target};
use crate::outcome::{Code, Detail, Failure, Graceful, Trouble};
use crate::webhooks::headers::MASK;

/// So many pages are looked through for a text.
const PAGES: usize = 20;
/// After a status could not be asked for, it is asked for again no sooner.
const UNANSWERED_MS: i64 = 30_000;

/// How sending a text went.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SmsSent {
    /// Twilio took it.
    Accepted(SmsAccepted),
    /// It did not go out, or not yet; the caller's own work goes on.
    Gracefully(Graceful),
}

/// A text that Twilio took. How far it comes is followed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SmsAccepted {
    /// Always true.
    pub success: bool,
    /// What Twilio calls it.
    pub sid: String,
    /// How far it has come.
    pub status: Status,
    /// Where it stands in the log.
    pub delivery_id: DeliveryId,
    /// True: it was sent before, under the same key.
    pub duplicate: bool,
}

/// How far a text has come.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SmsStood {
    /// It is known.
    Known(SmsStatus),
    /// Twilio could not be asked.
    Gracefully(Graceful),
}

/// A text and its status, in Twilio's words.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SmsStatus {
    /// Always true: the question was answered.
    pub success: bool,
    /// What Twilio calls it.
    pub sid: String,
    /// How far it has come.
    pub status: Status,
    /// Twilio's number for why it did not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
    /// The same as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Where it stands in the log.
    pub delivery_id: DeliveryId,
    /// When it was on the phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Time>,
}

/// What an answer about a text's status moves.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Later(Time),
    Delivered,
    /// Nobody will say any more whether it arrived.
    Unconfirmed,
    Failed(Failure),
}

/// A text that was accepted and is not final.
struct Awaited {
    record: DeliveryRecord,
    sid: String,
    workspace: WorkspaceId,
    accepted: Time,
    settings: Option<Settings>,
}

impl Hub {
    /// Sends a text. `request` is what was handed in, exactly; the answer comes with the outcome of
    /// the first try, or after 15 s.
    ///
    /// # Errors
    /// `Invalid` fields, or trouble of ours; then nothing was stored.
    pub async fn send_sms(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        message: &Message,
        request: Box<RawValue>,
        source: &str,
    ) -> Result<SmsSent> {
        let settings = self.sms_settings(workspace).await?;
        let country = settings.as_ref().and_then(Settings::country);
        let mut wrong = message.check(country);
        if settings.is_none() {
            // Nothing can be sent, and whose number it is will be known once that is set up.
            wrong.retain(|found| found.code != number::Wrong::NoCountry.code());
        }
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        let sending = Sending {
            kind: Kind::Sms,
            event_type: "sms.send",
            data: request.into(),
            subject: None,
            carries: Carries::Data,
            recipient: number::e164(&message.to, country).unwrap_or_else(|_| message.to.clone()),
            idempotency_key: message.idempotency_key.clone(),
            source: source.to_owned(),
        };
        let (record, duplicate) = self.send_directly(workspace, sending).await?;
        let sid = match self.outcome(Kind::Sms, &record) {
            Ok(sid) => sid.unwrap_or_default(),
            Err(graceful) => return Ok(SmsSent::Gracefully(graceful)),
        };
        let seq = record.seq;
        let attempts = self
            .db
            .read(move |conn| db::attempts::of(conn, seq))
            .await?;
        let first = attempts
            .iter()
            .rev()
            .find_map(|attempt| twilio::told(attempt.ended.response_body.as_deref()?, &sid));
        Ok(SmsSent::Accepted(SmsAccepted {
            success: true,
            status: final_status(&record).or(first).unwrap_or(Status::Accepted),
            sid,
            delivery_id: record.id,
            duplicate,
        }))
    }

    /// What a text would be: its number, and how many texts it takes. Nothing is sent.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn preview_sms(&self, workspace: WorkspaceId, draft: Draft) -> Result<Preview> {
        let settings = self.sms_settings(workspace).await?;
        Ok(draft.preview(settings.as_ref().and_then(Settings::country)))
    }

    /// How far a text has come: from the log once that is final, else Twilio is asked.
    ///
    /// # Errors
    /// `NotFound` for one that this workspace did not send.
    pub async fn sms_status(&self, workspace: WorkspaceId, sid: &str) -> Result<SmsStood> {
        let wanted = sid.to_owned();
        let find = move |conn: &rusqlite::Connection| {
            let endpoint = Kind::Sms.endpoint(workspace);
            let seq = db::deliveries::by_provider_id(conn, &endpoint, &wanted)?;
            Ok(seq
                .map(|seq| db::deliveries::at(conn, seq))
                .transpose()?
                .flatten())
        };
        let unknown = || Error::not_found("text");
        let record = self.db.read(find.clone()).await?.ok_or_else(unknown)?;
        let mut now_at = None;
        if final_status(&record).is_none() {
            match self.follow(record.seq).await? {
                Some(Ok(text)) => now_at = Some(text.status),
                Some(Err(failure)) => {
                    let error = words::failure(Kind::Sms, &failure);
                    return Ok(SmsStood::Gracefully(Graceful {
                        delivery_id: Some(record.id),
                        will_retry: true,
                        ..Graceful::ended(failure.code, error)
                    }));
                }
                None => {}
            }
        }
        let record = self.db.read(find).await?.ok_or_else(unknown)?;
        let failure = record.failure.as_ref();
        Ok(SmsStood::Known(SmsStatus {
            success: true,
            sid: sid.to_owned(),
            status: now_at
                .or_else(|| final_status(&record))
                .unwrap_or(Status::Accepted),
            error_code: failure.and_then(|f| f.args.provider_code),
            error: failure.map(|f| words::failure(Kind::Sms, f)),
            delivery_id: record.id,
            delivered_at: record.delivered_at,
        }))
    }

    async fn sms_settings(&self, workspace: WorkspaceId) -> Result<Option<Settings>> {
        let row = self
            .db
            .read(move |conn| db::integrations::get(conn, workspace, Kind::Sms))
            .await?;
        Ok(row.and_then(|row| row.settings.into_sms()))
    }

    /// Whether an account can be used, without any effect.
    pub(in crate::integrations) async fn try_sms(
        &self,
        settings: &Settings,
        kept: &Kept,
    ) -> std::result::Result<(), Failure> {
        let token = kept.secret(twilio::TOKEN, &settings.api_base_url)?;
        let (base, _) = provider_url(&settings.api_base_url, self.own_port())?;
        let account = Account {
            base: &base,
            sid: &settings.account_sid,
            token,
        };
        let call = account.test().ok_or(Failure::new(Code::Internal))?;
        match self.http.get(call).await {
            Called::Silent(failure) => Err(failure),
            Called::Answered(_, Some(broken)) => Err(broken),
            Called::Answered(answer, None) => {
                twilio::account(answer.status, &answer.body, &settings.account_sid)
            }
        }
    }

    /// One attempt. What an earlier one may have sent is looked for first, and never sent again.
    pub(in crate::integrations) async fn send_sms_once(
        &self,
        out: &Outgoing,
        settings: &Settings,
        kept: &Kept,
    ) -> Sent {
        let failed = |failure| Sent::failed(failure, &settings.api_base_url);
        let token = match kept.secret(twilio::TOKEN, &settings.api_base_url) {
            Ok(token) => token,
            Err(failure) => return failed(failure),
        };
        let base = match provider_url(&settings.api_base_url, self.own_port()) {
            Ok((base, _)) => base,
            Err(failure) => return failed(failure),
        };
        // It was read when it was taken in.
        let (Ok(message), Some(sender)) = (
            serde_json::from_slice::<Message>(&out.body),
            settings.sender(),
        ) else {
            return failed(Failure::new(Code::Internal));
        };
        let Ok(to) = number::e164(&message.to, settings.country()) else {
            return failed(Failure::new(Code::Rejected).with(Detail::BadNumber));
        };
        let account = Account {
            base: &base,
            sid: &settings.account_sid,
            token,
        };
        if out.number > 1
            && let Some(sent) = self.look_for(&account, out, &to, &message.message).await
        {
            return sent;
        }
        let Some(call) = account.send(sender, &to, &message.message) else {
            return failed(Failure::new(Code::CredentialsRejected));
        };
        let (started, address) = (Instant::now(), call.url.to_string());
        let called = self.http.post_once(call).await;
        self.recorded(started, address, called, twilio::text)
    }

    /// Looks for a text that an earlier attempt may have sent: the outcome of this attempt when it is
    /// found, or when that cannot be found out now; nothing when it is to be sent.
    async fn look_for(
        &self,
        account: &Account<'_>,
        out: &Outgoing,
        to: &str,
        message: &str,
    ) -> Option<Sent> {
        let delivery = out.delivery;
        let doubtful = self
            .db
            .read(move |conn| {
                let attempts = db::attempts::of(conn, delivery)?;
                Ok(attempts.into_iter().find_map(|attempt| {
                    let failure = attempt.ended.failure.as_ref()?;
                    twilio::may_have_gone(failure).then_some(attempt.started_at)
                }))
            })
            .await;
        let address = account.base.as_str();
        let not_now = || Failure::trouble(Code::Unreachable, Trouble::Interrupted);
        let since = match doubtful {
            Ok(since) => since?,
            Err(_) => return Some(Sent::failed(not_now(), address)),
        };
        for page in 0..PAGES {
            let Some(call) = account.texts_to(to, page) else {
                return Some(Sent::failed(Failure::new(Code::Internal), address));
            };
            let (started, address) = (Instant::now(), call.url.to_string());
            let called = self.http.get(call).await;
            let sids = match &called {
                Called::Answered(answer, None) => twilio::sids(&answer.body),
                _ => Vec::new(),
            };
            let endpoint = out.endpoint.clone();
            let taken = self
                .db
                .read(move |conn| {
                    let mut taken = Vec::new();
                    for sid in sids {
                        if db::deliveries::by_provider_id(conn, &endpoint, &sid)?.is_some() {
                            taken.push(sid);
                        }
                    }
                    Ok(taken)
                })
                .await;
            let Ok(taken) = taken else {
                return Some(Sent::failed(not_now(), &address));
            };
            let since = match &called {
                Called::Answered(answer, _) => answer
                    .headers
                    .get("date")
                    .and_then(|date| twilio::clock(date))
                    // On the other side's clock.
                    .map_or(since, |there| since.plus_ms(there.ms_since(self.now()))),
                Called::Silent(_) => since,
            };
            let mut none = false;
            let mut more = false;
            let sent = self.recorded(started, address, called, |status, body| {
                let is_taken = |sid: &str| taken.iter().any(|known| known == sid);
                match twilio::find(status, body, message, since, is_taken)? {
                    Found::Text(text) => Ok(text),
                    Found::Nothing => {
                        none = true;
                        Err(not_now())
                    }
                    Found::More => {
                        more = true;
                        Err(not_now())
                    }
                }
            });
            if none {
                return None;
            }
            if !more {
                return Some(sent);
            }
        }
        Some(Sent::failed(not_now(), address))
    }

    /// Asks how far a text has come, and moves its delivery.
    pub(in crate::integrations) async fn check_sms(&self, delivery: i64) {
        if let Err(error) = self.follow(delivery).await {
            // It is asked for again by itself.
            tracing::error!(%error, "the status of a text could not be recorded");
        }
    }

    /// The same, and what Twilio said; nothing when it is not awaited any more.
    async fn follow(&self, delivery: i64) -> Result<Option<std::result::Result<Text, Failure>>> {
        let Some(awaited) = self.db.read(move |conn| awaited(conn, delivery)).await? else {
            return Ok(None);
        };
        let (asked, retry_after) = self.ask_twilio(&awaited).await;
        let (now, lanes) = (self.now(), self.lanes.clone());
        let hint = retry_after.and_then(|text| retry::retry_after(&text, now));
        let next = next(asked.as_ref(), awaited.accepted, now, hint);
        let Awaited {
            record,
            sid,
            workspace,
            ..
        } = awaited;
        self.db
            .write(move |tx| {
                let (moved, failure) = match &next {
                    Next::Later(at) => (Move::Await(*at), None),
                    Next::Delivered | Next::Unconfirmed => (Move::Success, None),
                    Next::Failed(failure) => match consequence::of(Kind::Sms, failure) {
                        Consequence::Hold(reason) if !record.test => {
                            (Move::Held(reason), Some(failure))
                        }
                        _ => (Move::Failed, Some(failure)),
                    },
                };
                let delivered = (next == Next::Delivered).then_some(now);
                let settled = db::deliveries::settle(
                    tx.conn(),
                    record.seq,
                    &sid,
                    now,
                    &moved,
                    delivered,
                    failure,
                )?;
                if !settled {
                    return Ok(());
                }
                if let (Some(failure), false) = (failure, record.test)
                    && !consequence::concerns_one(failure)
                {
                    db::integrations::tried_in_vain(tx.conn(), workspace, Kind::Sms, now, failure)?;
                    tx.announce(Some(workspace), Topic::Integrations);
                }
                if let Some(reason) = failure
                    .filter(|_| !record.test)
                    .and_then(|failure| consequence::stops_all(Kind::Sms, failure))
                {
                    db::integrations::set_needs(tx.conn(), workspace, Kind::Sms, Some(reason))?;
                    db::deliveries::hold_pending(tx.conn(), &record.endpoint, reason)?;
                }
                let whose = Whose {
                    workspace,
                    endpoint: &record.endpoint.as_str().into(),
                    subject: record.subject.as_deref(),
                    test: record.test,
                };
                finish::follow_up(tx, whose, &moved, now, &lanes)
            })
            .await?;
        Ok(Some(asked))
    }

    /// A call and its answer, as the log keeps them.
    fn recorded(
        &self,
        started: Instant,
        address: String,
        called: Called,
        read: impl FnOnce(u16, &[u8]) -> std::result::Result<Text, Failure>,
    ) -> Sent {
        let mut ended = Ended {
            duration_ms: Some(elapsed_ms(started)),
            request_url: Some(address),
            further_headers: Some([("authorization".to_owned(), MASK.to_owned())].into()),
            ..Ended::default()
        };
        let mut retry_after = None;
        match called {
            Called::Silent(failure) => ended.failure = Some(failure),
            Called::Answered(answer, _) => {
                match read(answer.status, &answer.body) {
                    Ok(text) => {
                        ended.provider_id = Some(text.sid);
                        let now = self.now();
                        ended.check_at = progress::next_check(now, now, None);
                    }
                    Err(failure) => ended.failure = Some(failure),
                }
                retry_after = answer.retry_after;
                ended.status = Some(answer.status);
                ended.response_headers = Some(answer.headers);
                ended.response_body = Some(answer.body).filter(|b| !b.is_empty());
                ended.response_truncated = answer.truncated;
            }
        }
        Sent { ended, retry_after }
    }

    async fn ask_twilio(
        &self,
        awaited: &Awaited,
    ) -> (std::result::Result<Text, Failure>, Option<String>) {
        let Some(settings) = &awaited.settings else {
            return (Err(Failure::new(Code::NotConfigured)), None);
        };
        let kept = match self.integration_secrets(awaited.workspace, Kind::Sms).await {
            Ok(kept) => kept,
            Err(failure) => return (Err(failure), None),
        };
        let url = &settings.api_base_url;
        let call = kept.secret(twilio::TOKEN, url).and_then(|token| {
            let (base, _) = provider_url(url, self.own_port())?;
            let account = Account {
                base: &base,
                sid: &settings.account_sid,
                token,
            };
            account
                .status(&awaited.sid)
                .ok_or(Failure::new(Code::Internal))
        });
        let call = match call {
            Ok(call) => call,
            Err(failure) => return (Err(failure), None),
        };
        match self.http.get(call).await {
            Called::Silent(failure) => (Err(failure), None),
            Called::Answered(answer, _) => (
                twilio::text(answer.status, &answer.body),
                answer.retry_after,
            ),
        }
    }
}

fn awaited(conn: &rusqlite::Connection, delivery: i64) -> Result<Option<Awaited>> {
    let Some(record) = db::deliveries::at(conn, delivery)? else {
        return Ok(None);
    };
    let Some((Kind::Sms, workspace)) = target::integration(&record.endpoint) else {
        return Ok(None);
    };
    let awaits = record.status == Stands::Sending && !record.leased;
    let Some(sid) = record.provider_id.clone().filter(|_| awaits) else {
        return Ok(None);
    };
    let accepted = db::attempts::of(conn, delivery)?
        .last()
        .map_or(record.created_at, |last| {
            last.finished_at.unwrap_or(last.started_at)
        });
    let row = db::integrations::get(conn, workspace, Kind::Sms)?;
    Ok(Some(Awaited {
        record,
        sid,
        workspace,
        accepted,
        settings: row.and_then(|row| row.settings.into_sms()),
    }))
}

/// What an answer about a text's status moves. Pure.
fn next(
    asked: std::result::Result<&Text, &Failure>,
    accepted: Time,
    now: Time,
    hint: Option<Time>,
) -> Next {
    let later =
        |hint| progress::next_check(accepted, now, hint).map_or(Next::Unconfirmed, Next::Later);
    match asked {
        Ok(text) => match (text.failure(), text.status.stand()) {
            (Some(failure), _) => Next::Failed(failure),
            (None, Stand::Delivered) => Next::Delivered,
            (None, _) => later(hint),
        },
        // Somebody deleted it at Twilio: it was sent, and that is all that can be known.
        Err(failure) if failure.args.provider_code == Some(twilio::NOT_THERE) => Next::Unconfirmed,
        Err(_) => {
            let soonest = now.plus_ms(UNANSWERED_MS);
            later(Some(hint.map_or(soonest, |hint| hint.max(soonest))))
        }
    }
}

/// Where a text came to rest, in Twilio's words; nothing while it is under way.
fn final_status(record: &DeliveryRecord) -> Option<Status> {
    match record.status {
        Stands::Success if record.delivered_at.is_some() => Some(Status::Delivered),
        Stands::Success => Some(Status::Sent),
        Stands::Failed | Stands::Held | Stands::Pending | Stands::Cancelled => {
            let failure = record.failure.as_ref()?;
            match (failure.args.detail, failure.args.provider_code) {
                (Some(Detail::CalledOff), _) => Some(Status::Canceled),
                (_, Some(_)) => Some(Status::Undelivered),
                (_, None) => Some(Status::Failed),
            }
        }
        Stands::Sending | Stands::Unknown | Stands::Skipped => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: Time = Time::from_ms(1_795_493_359_000);

    fn text(status: &str, code: Option<u32>) -> Text {
        let body = serde_json::json!({
            "sid": format!("SM{}", "0".repeat(32)), "status": status, "error_code": code,
        });
        twilio::text(200, body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_answer_about_a_text_moves_it_on_or_to_its_end() {
        let next = |asked: &std::result::Result<Text, Failure>, age| {
            super::next(asked.as_ref(), ACCEPTED, ACCEPTED.plus_ms(age), None)
        };
        let sent = Ok(text("sent", None));
        assert_eq!(next(&sent, 0), Next::Later(ACCEPTED.plus_ms(1000)));
        assert_eq!(next(&sent, progress::PATIENCE_MS), Next::Unconfirmed);
        assert_eq!(next(&Ok(text("delivered", None)), 5), Next::Delivered);
        let Next::Failed(failure) = next(&Ok(text("undelivered", Some(30003))), 5) else {
            panic!("it failed");
        };
        assert_eq!(failure.args.detail, Some(Detail::PhoneOff));
        let down = Err(Failure::status(Code::ProviderDown, 503));
        assert_eq!(next(&down, 0), Next::Later(ACCEPTED.plus_ms(UNANSWERED_MS)));
        assert_eq!(next(&down, progress::PATIENCE_MS), Next::Unconfirmed);
        let gone = twilio::text(404, br#"{"code":20404}"#).map(|_| text("sent", None));
        assert_eq!(next(&gone, 0), Next::Unconfirmed);
    }
}
