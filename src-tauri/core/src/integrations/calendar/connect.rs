//! The life of the connection: signing in, tokens handed in, another calendar, giving access back.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::access::{self, Client, Tokens};
use super::sign_in::{self, Expected, Mishap, SignIn};
use super::{Choice, PRIMARY, Patch, Settings, Setup, google};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db;
use crate::db::integrations::IntegrationRow;
use crate::deliveries::Reason;
use crate::error::{Error, FieldError, Result};
use crate::hub::Hub;
use crate::ids::WorkspaceId;
use crate::integrations::life::{Configured, refused, required, unknown, unproven};
use crate::integrations::{Kind, Secret, Settings as Any, Switches, words};
use crate::outcome::{Code, Failure, Graceful};
use crate::webhooks::kept::origin;

/// How to sign in: `POST /api/integrations/calendar/authorize`. Nothing is the usual way: with the
/// client of the present connection, else with the publisher's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = AuthorizeCalendar))]
pub struct Authorize {
    /// The owner's own client, as the file that Google's console gives.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub client_file: Option<serde_json::Value>,
    /// The owner's own client.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// Where the browser goes; else to Google.
    #[serde(default)]
    pub auth_uri: Option<String>,
    /// Where the code is changed for tokens; else at Google.
    #[serde(default)]
    pub token_uri: Option<String>,
    /// Where access is given back; else at Google.
    #[serde(default)]
    pub revoke_uri: Option<String>,
    /// Where the calendar is; else at Google.
    #[serde(default)]
    pub api_base_url: Option<String>,
    /// The calendar to write into; else as before, or the account's own.
    #[serde(default)]
    pub calendar_id: Option<String>,
}

/// A sign-in that waits for the browser.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Authorized {
    /// Always true.
    pub success: bool,
    /// By this it is asked after.
    pub flow_id: String,
    /// Open this in the owner's browser.
    pub authorization_url: String,
    /// When it is over, if nobody comes back.
    pub expires_at: Time,
}

/// What became of a wish to sign in.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Authorization {
    /// The browser is waited for.
    Started(Authorized),
    /// There is no client to sign in with.
    Gracefully(Graceful),
}

/// The calendars of the account.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CalendarList {
    /// Always true.
    pub success: bool,
    /// Those that can be written into.
    pub calendars: Vec<Choice>,
}

/// `GET /api/integrations/calendar/calendars`
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Calendars {
    /// They are there.
    Listed(CalendarList),
    /// They cannot be seen now.
    Gracefully(Graceful),
}

/// All that a sign-in has to know when its code comes.
struct Plan {
    workspace: WorkspaceId,
    settings: Settings,
    client: Client,
    /// The owner named it; else a choice of before.
    wants_calendar: bool,
    redirect_uri: String,
    verifier: String,
    /// The refresh token that is held for this client, and whose it is.
    held: Option<(SecretString, Option<String>)>,
}

impl Authorize {
    /// Takes what a client file says, where nothing else was said.
    fn read(&mut self, file: &serde_json::Value) -> Result<()> {
        let wrong = |code: &str, sentence: &str| Err(Error::field("clientFile", code, sentence));
        let client = &file["installed"];
        if client.is_null() {
            return if file["web"].is_object() {
                wrong(
                    "web_client",
                    "This client is for websites, and cannot be used here. Make one of the kind “Desktop app” in Google’s console, and take its file.",
                )
            } else if file["type"] == "service_account" {
                wrong(
                    "service_account",
                    "This is the key of a service account, which has a calendar of its own and not yours. Make a client of the kind “Desktop app” in Google’s console, and take its file.",
                )
            } else {
                wrong(
                    "invalid",
                    "This is no client file of Google’s; one is called client_secret_….json.",
                )
            };
        }
        let member = |name: &str| client[name].as_str().map(str::to_owned);
        if member("client_id").is_none() {
            return wrong(
                "invalid",
                "This client file names no client. Download it once more from Google’s console.",
            );
        }
        self.client_id = self.client_id.take().or_else(|| member("client_id"));
        self.client_secret = self
            .client_secret
            .take()
            .or_else(|| member("client_secret").map(|secret| Secret(secret.into())));
        self.token_uri = self.token_uri.take().or_else(|| member("token_uri"));
        self.auth_uri = self.auth_uri.take().or_else(|| member("auth_uri"));
        Ok(())
    }
}

fn given(text: Option<&str>, usual: &str) -> String {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or(usual)
        .to_owned()
}

fn base_url(text: Option<&str>) -> String {
    given(text, google::BASE_URL)
        .trim_end_matches('/')
        .to_owned()
}

fn said(text: Option<&str>) -> Option<String> {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn some(secret: Option<Secret>) -> Option<SecretString> {
    secret
        .map(|secret| secret.0)
        .filter(|secret| !secret.expose_secret().is_empty())
}

fn without_client() -> Graceful {
    Graceful::ended(
        Code::NotConfigured,
        "This build of Signalbox brings no client of its own for Google. Make one in Google’s console, as the guide shows, and use its client file.",
    )
}

impl Hub {
    /// Begins a sign-in: opens a port for the browser's answer, and says where the browser has to
    /// go. An earlier sign-in of this workspace that still waits is ended.
    ///
    /// # Errors
    /// `Invalid` fields; `Keychain` when the present client's secret cannot be read.
    pub async fn authorize_calendar(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        mut wish: Authorize,
    ) -> Result<Authorization> {
        if let Some(file) = wish.client_file.take() {
            wish.read(&file)?;
        }
        self.sign_in_in_practice(workspace, &mut wish);
        let former = self.calendar_row(workspace).await?;
        let Some((mut plan, again)) = self.plan(workspace, wish, former).await? else {
            return Ok(Authorization::Gracefully(without_client()));
        };
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(Error::internal)?;
        let port = listener.local_addr().map_err(Error::internal)?.port();
        plan.redirect_uri = format!("http://127.0.0.1:{port}/callback");
        let auth_uri = &plan.settings.auth_uri;
        let ready = sign_in::ready(&plan.client.id, auth_uri, &plan.redirect_uri, again)
            .ok_or_else(|| Error::field("authUri", "invalid", "This is not a web address."))?;
        plan.verifier = ready.verifier;
        let expected = Expected {
            port,
            state: ready.state,
            issuer: origin(auth_uri),
        };
        let now = self.now();
        let flow = format!("flow_{}", uuid::Uuid::now_v7().simple());
        let stopped = self.sign_ins.begin(&flow, workspace, now);
        let (hub, id) = (self.clone(), flow.clone());
        tokio::spawn(async move {
            let (noting, noted) = (hub.clone(), id.clone());
            let note = move |mishap| noting.sign_ins.note(&noted, mishap);
            let redeem = |code| hub.signed_in(&id, plan, code);
            let how =
                sign_in::wait(listener, expected, sign_in::PATIENCE, stopped, note, redeem).await;
            hub.sign_ins.end(&id, how);
            hub.announce(Some(workspace), Topic::Integrations);
        });
        let patience = i64::try_from(sign_in::PATIENCE.as_millis()).unwrap_or(i64::MAX);
        Ok(Authorization::Started(Authorized {
            success: true,
            flow_id: flow,
            authorization_url: ready.url,
            expires_at: now.plus_ms(patience),
        }))
    }

    /// How a sign-in stands.
    ///
    /// # Errors
    /// `NotFound` when there is none of this id in this workspace.
    pub fn calendar_sign_in(&self, workspace: WorkspaceId, flow: &str) -> Result<SignIn> {
        self.sign_ins
            .stands(flow, workspace)
            .ok_or_else(|| Error::not_found("sign-in"))
    }

    /// The calendars of the account that can be written into.
    ///
    /// # Errors
    /// Trouble of ours; what is Google's is a result.
    pub async fn calendars(&self, workspace: WorkspaceId) -> Result<Calendars> {
        let listed = match self.calendar_row(workspace).await? {
            None => Err(Failure::new(Code::NotConfigured)),
            Some((_, settings)) => self.list_calendars(workspace, &settings).await,
        };
        Ok(match listed {
            Ok(calendars) => Calendars::Listed(CalendarList {
                success: true,
                calendars,
            }),
            Err(failure) => Calendars::Gracefully(Graceful::ended(
                failure.code,
                words::failure(Kind::Calendar, &failure),
            )),
        })
    }

    /// The calendars, with the tokens that are kept; with a new access token once, when Google does
    /// not take the one at hand.
    pub(crate) async fn list_calendars(
        &self,
        workspace: WorkspaceId,
        settings: &Settings,
    ) -> std::result::Result<Vec<Choice>, Failure> {
        let (base, own_port) = (&settings.api_base_url, self.own_port());
        let token = self.google_token(workspace, settings, None).await?;
        match google::calendars(&self.http, base, &token, own_port).await {
            Err(failure) if failure.args.status == Some(401) => {
                let token = self.google_token(workspace, settings, Some(&token)).await?;
                google::calendars(&self.http, base, &token, own_port).await
            }
            listed => listed,
        }
    }

    /// Looks whether the connection works and the chosen calendar is there, and changes nothing.
    pub(crate) async fn try_calendar(
        &self,
        workspace: WorkspaceId,
        settings: &Settings,
    ) -> std::result::Result<(), Failure> {
        self.access.try_again(workspace).await;
        let calendars = self.list_calendars(workspace, settings).await?;
        if google::is_among(&calendars, &settings.calendar_id) {
            Ok(())
        } else {
            Err(Failure::new(Code::Rejected).with(crate::outcome::Detail::CalendarGone))
        }
    }

    /// Sets the calendar up with tokens that somebody else got.
    pub(crate) async fn configure_calendar(
        &self,
        workspace: WorkspaceId,
        setup: Setup,
    ) -> Result<Configured> {
        let settings = Settings {
            calendar_id: given(setup.calendar_id.as_deref(), PRIMARY),
            calendar_name: None,
            account: None,
            scopes: Vec::new(),
            client_id: said(setup.client_id.as_deref()),
            connected_at: self.now(),
            auth_uri: google::AUTH_URI.into(),
            token_uri: given(setup.token_uri.as_deref(), google::TOKEN_URI),
            revoke_uri: given(setup.revoke_uri.as_deref(), google::REVOKE_URI),
            api_base_url: base_url(setup.api_base_url.as_deref()),
        };
        let mut wrong = settings.check();
        wrong.extend(required("accessToken", &setup.access_token));
        wrong.extend(required("refreshToken", &setup.refresh_token));
        if let Some(secret) = &setup.client_secret {
            wrong.extend(required("clientSecret", secret));
        }
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        let tokens = Tokens {
            access: setup.access_token.0,
            life: std::time::Duration::from_secs(3600),
            refresh: Some(setup.refresh_token.0),
            scopes: None,
        };
        let client_secret = some(setup.client_secret);
        self.tried_with(
            workspace,
            settings,
            client_secret,
            tokens,
            Switches::default(),
        )
        .await
    }

    /// Changes the connection, pauses or resumes it.
    pub(crate) async fn update_calendar(
        &self,
        workspace: WorkspaceId,
        patch: Patch,
    ) -> Result<Configured> {
        let (row, former) = self
            .calendar_row(workspace)
            .await?
            .ok_or_else(|| unknown(Kind::Calendar))?;
        let (mut settings, switches) = (former.clone(), patch.switches());
        if let Some(calendar) = &patch.calendar_id {
            settings.calendar_id = given(Some(calendar), PRIMARY);
            settings.calendar_name = None;
        }
        let address = |new: &Option<String>, now: &mut String| {
            if let Some(new) = new {
                new.trim().clone_into(now);
            }
        };
        address(&patch.token_uri, &mut settings.token_uri);
        address(&patch.revoke_uri, &mut settings.revoke_uri);
        address(&patch.api_base_url, &mut settings.api_base_url);
        settings.api_base_url = base_url(Some(&settings.api_base_url));
        let mut wrong = settings.check();
        let places =
            |s: &Settings| [&s.token_uri, &s.revoke_uri, &s.api_base_url].map(|a| origin(a));
        let elsewhere = places(&settings) != places(&former);
        match (&patch.access_token, &patch.refresh_token) {
            (Some(access), Some(refresh)) => {
                wrong.extend(required("accessToken", access));
                wrong.extend(required("refreshToken", refresh));
            }
            (None, None) => {}
            (access, _) => wrong.push(FieldError::new(
                if access.is_some() {
                    "refreshToken"
                } else {
                    "accessToken"
                },
                "required",
                "Both tokens belong together: give both.",
            )),
        }
        if wrong.is_empty() && elsewhere && patch.refresh_token.is_none() {
            wrong.push(FieldError::new(
                "refreshToken",
                "secret_required",
                "The tokens were given for other addresses, and go nowhere else. Enter them again, or sign in anew.",
            ));
        }
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        if let (Some(access), Some(refresh)) = (patch.access_token, patch.refresh_token) {
            // The client's secret goes along only where it was bound to before.
            let client_secret = match origin(&former.token_uri) == origin(&settings.token_uri) {
                true => self.client_secret(workspace, &former).await,
                false => None,
            };
            settings.connected_at = self.now();
            let tokens = Tokens {
                access: access.0,
                life: std::time::Duration::from_secs(3600),
                refresh: Some(refresh.0),
                scopes: None,
            };
            return self
                .tried_with(workspace, settings, client_secret, tokens, switches)
                .await;
        }
        if settings == former {
            return self
                .save_untested(workspace, Any::Calendar(settings), switches)
                .await;
        }
        // Another calendar, or another path at the same places: with the tokens that are kept.
        let listed = if row.needs == Some(Reason::NeedsSignIn) {
            Err(row
                .last_failure
                .unwrap_or(Failure::new(Code::SignInExpired)))
        } else {
            self.list_calendars(workspace, &settings).await
        };
        let result = match listed {
            Ok(calendars) => match choose(&mut settings, &calendars, true) {
                Ok(()) => Ok(()),
                Err(_) => return Err(no_such_calendar()),
            },
            // The choice is kept until it can be tried.
            Err(failure)
                if unproven(Kind::Calendar, &failure) || failure.code == Code::SignInExpired =>
            {
                return self
                    .save_untested(workspace, Any::Calendar(settings), switches)
                    .await;
            }
            Err(failure) => return Ok(refused(Kind::Calendar, &failure)),
        };
        let _altering = self.altering_items.lock().await;
        self.save_tried(workspace, Any::Calendar(settings), switches, result, false)
            .await
    }

    /// Gives access back before the connection is forgotten; it is forgotten all the same.
    pub(crate) async fn give_access_back(&self, workspace: WorkspaceId) {
        let Ok(Some((_, settings))) = self.calendar_row(workspace).await else {
            return;
        };
        if let Ok(kept) = self.integration_secrets(workspace, Kind::Calendar).await
            && let Err(failure) = self.revoke(&settings, &kept).await
        {
            tracing::warn!(
                code = failure.code.as_str(),
                "Google was not told that access is given back; it is forgotten here"
            );
        }
    }

    pub(crate) async fn calendar_row(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Option<(IntegrationRow, Settings)>> {
        let row = self
            .db
            .read(move |conn| db::integrations::get(conn, workspace, Kind::Calendar))
            .await?;
        Ok(row.and_then(|row| match row.settings.clone() {
            Any::Calendar(settings) => Some((row, settings)),
            _ => None,
        }))
    }

    async fn client_secret(
        &self,
        workspace: WorkspaceId,
        settings: &Settings,
    ) -> Option<SecretString> {
        let kept = self
            .integration_secrets(workspace, Kind::Calendar)
            .await
            .ok()?;
        self.client_of(settings, &kept).secret
    }

    /// What a sign-in goes by, and whether consent is asked for anew; none when there is no client.
    async fn plan(
        &self,
        workspace: WorkspaceId,
        wish: Authorize,
        former: Option<(IntegrationRow, Settings)>,
    ) -> Result<Option<(Plan, bool)>> {
        let own = said(wish.client_id.as_deref());
        let mut wrong = Vec::new();
        for (path, is_given) in [
            ("clientSecret", wish.client_secret.is_some()),
            ("authUri", wish.auth_uri.is_some()),
            ("tokenUri", wish.token_uri.is_some()),
            ("revokeUri", wish.revoke_uri.is_some()),
            ("apiBaseUrl", wish.api_base_url.is_some()),
        ] {
            if is_given && own.is_none() {
                wrong.push(FieldError::new(
                    path,
                    "client_required",
                    "This goes with a client of your own: give its clientId too.",
                ));
            }
        }
        if let Some(secret) = &wish.client_secret {
            wrong.extend(required("clientSecret", secret));
        }
        let mut settings = Settings {
            calendar_id: PRIMARY.into(),
            calendar_name: None,
            account: None,
            scopes: Vec::new(),
            client_id: own.clone(),
            connected_at: self.now(),
            auth_uri: given(wish.auth_uri.as_deref(), google::AUTH_URI),
            token_uri: given(wish.token_uri.as_deref(), google::TOKEN_URI),
            revoke_uri: given(wish.revoke_uri.as_deref(), google::REVOKE_URI),
            api_base_url: base_url(wish.api_base_url.as_deref()),
        };
        let kept = match &former {
            Some(_) => self
                .integration_secrets(workspace, Kind::Calendar)
                .await
                .ok(),
            None => None,
        };
        let client = if let Some(id) = own {
            Client {
                id,
                secret: some(wish.client_secret),
            }
        } else if let Some((_, former)) = former.as_ref().filter(|(_, f)| f.client_id.is_some()) {
            // Signing in again is with the client of before, at the places of before.
            settings = Settings {
                connected_at: self.now(),
                scopes: Vec::new(),
                ..former.clone()
            };
            let Some(kept) = &kept else {
                return Err(Error::from(crate::secrets::SecretError::Missing));
            };
            self.client_of(former, kept)
        } else {
            match &self.google_client {
                Some(client) => client.clone(),
                None if wrong.is_empty() => return Ok(None),
                None => return Err(Error::invalid(wrong)),
            }
        };
        let wants_calendar = wish.calendar_id.is_some();
        settings.calendar_id = match (&wish.calendar_id, &former) {
            (Some(calendar), _) => given(Some(calendar), PRIMARY),
            (None, Some((_, former))) => former.calendar_id.clone(),
            (None, None) => PRIMARY.into(),
        };
        wrong.extend(settings.check());
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        self.check_places(workspace, &Any::Calendar(settings.clone()))
            .await?;
        // What Google ended is no token that is held.
        let held = match (&former, &kept) {
            (Some((row, former)), Some(kept))
                if row.needs != Some(Reason::NeedsSignIn)
                    && former.client_id == settings.client_id
                    && former.token_uri == settings.token_uri
                    && !self.sign_ins.needs_consent(workspace) =>
            {
                access::refresh_token(kept, &settings)
                    .ok()
                    .map(|token| (SecretString::from(token), former.account.clone()))
            }
            _ => None,
        };
        let again = held.is_none();
        let plan = Plan {
            workspace,
            settings,
            client,
            wants_calendar,
            redirect_uri: String::new(),
            verifier: String::new(),
            held,
        };
        Ok(Some((plan, again)))
    }

    /// The browser came back with a code: it is changed for tokens, and the connection is kept.
    async fn signed_in(
        &self,
        flow: &str,
        plan: Plan,
        code: String,
    ) -> std::result::Result<(), Mishap> {
        let Plan {
            workspace,
            mut settings,
            client,
            wants_calendar,
            redirect_uri,
            verifier,
            held,
        } = plan;
        let tokens = self
            .redeem(&client, &settings.token_uri, &redirect_uri, code, verifier)
            .await
            .map_err(|failure| match failure.code {
                // A code that is too old, used, or of another sign-in.
                Code::SignInExpired => Mishap::ProviderSaid("invalid_grant".into()),
                _ => Mishap::Refused(failure),
            })?;
        let missing = sign_in::not_granted(tokens.scopes.as_deref());
        if !missing.is_empty() {
            return Err(Mishap::NotGranted(missing));
        }
        settings.scopes = tokens
            .scopes
            .clone()
            .unwrap_or_else(|| google::SCOPES.map(|(scope, _)| scope.to_owned()).to_vec());
        let listed = google::calendars(
            &self.http,
            &settings.api_base_url,
            &tokens.access,
            self.own_port(),
        )
        .await;
        let result = match listed {
            Ok(calendars) => {
                choose(&mut settings, &calendars, wants_calendar)?;
                Ok(())
            }
            Err(failure) if unproven(Kind::Calendar, &failure) => Err(failure),
            Err(failure) => return Err(Mishap::Refused(failure)),
        };
        let refresh = match (tokens.refresh, held) {
            (Some(refresh), _) => refresh,
            // Google gives one only with consent; that of before serves its own account alone.
            (None, Some((refresh, account))) if result.is_ok() && account == settings.account => {
                refresh
            }
            (None, _) => {
                self.sign_ins.ask_consent(workspace, true);
                return Err(Mishap::NoLastingAccess);
            }
        };
        let not_kept = |error: Error| Mishap::NotKept(error.detail);
        let secret = client.secret.filter(|_| settings.client_id.is_some());
        let kept = access::item(&settings, &refresh, secret.as_ref());
        {
            let _altering = self.altering_items.lock().await;
            if !self.sign_ins.is_waiting(flow) {
                return Err(Mishap::Replaced);
            }
            self.secrets
                .put(workspace, Kind::Calendar.as_str(), kept.write())
                .await
                .map_err(|error| not_kept(error.into()))?;
            self.save_tried(
                workspace,
                Any::Calendar(settings),
                Switches::default(),
                result,
                false,
            )
            .await
            .map_err(not_kept)?;
        }
        self.sign_ins.ask_consent(workspace, false);
        self.now_good_for(workspace, &refresh, tokens.access, tokens.life)
            .await;
        Ok(())
    }

    /// Tries tokens that were handed in and keeps them, unless Google refuses them.
    async fn tried_with(
        &self,
        workspace: WorkspaceId,
        mut settings: Settings,
        client_secret: Option<SecretString>,
        mut tokens: Tokens,
        switches: Switches,
    ) -> Result<Configured> {
        self.check_places(workspace, &Any::Calendar(settings.clone()))
            .await?;
        let (base, own_port) = (settings.api_base_url.clone(), self.own_port());
        let mut refresh = tokens.refresh.take().unwrap_or_default();
        let mut listed = google::calendars(&self.http, &base, &tokens.access, own_port).await;
        // The access token may have ended since it was copied: the refresh token decides.
        if listed
            .as_ref()
            .is_err_and(|failure| failure.args.status == Some(401))
        {
            let item = access::item(&settings, &refresh, client_secret.as_ref());
            let client = self.client_of(&settings, &item);
            let (uri, text) = (
                settings.token_uri.clone(),
                refresh.expose_secret().to_owned(),
            );
            listed = match self.refresh_once(&client, &uri, &text).await {
                Ok(newer) => {
                    tokens = newer;
                    if let Some(rotated) = tokens.refresh.take() {
                        refresh = rotated;
                    }
                    google::calendars(&self.http, &base, &tokens.access, own_port).await
                }
                Err(failure) => Err(failure),
            };
        }
        let result = match &listed {
            Ok(calendars) => match choose(&mut settings, calendars, true) {
                Ok(()) => Ok(()),
                Err(_) => return Err(no_such_calendar()),
            },
            Err(failure) => {
                let failure = match failure.args.status {
                    None => {
                        let any = Any::Calendar(settings.clone());
                        self.judged(failure.clone(), &any).await
                    }
                    Some(_) => failure.clone(),
                };
                if !unproven(Kind::Calendar, &failure) {
                    return Ok(refused(Kind::Calendar, &failure));
                }
                Err(failure)
            }
        };
        let kept = access::item(&settings, &refresh, client_secret.as_ref());
        let saved = {
            let _altering = self.altering_items.lock().await;
            let put = self
                .secrets
                .put(workspace, Kind::Calendar.as_str(), kept.write())
                .await;
            if let Err(error) = put {
                return Ok(refused(Kind::Calendar, &error.failure()));
            }
            self.save_tried(workspace, Any::Calendar(settings), switches, result, false)
                .await?
        };
        self.now_good_for(workspace, &refresh, tokens.access, tokens.life)
            .await;
        Ok(match (saved, listed) {
            (Configured::Saved(mut saved), Ok(calendars)) => {
                saved.calendars = Some(calendars);
                Configured::Saved(saved)
            }
            (saved, _) => saved,
        })
    }

    /// The calendar of the practice workspace, if it was connected: to the Google of this start, where
    /// the owner is signed in already.
    pub(crate) async fn practise_calendar(
        &self,
        workspace: WorkspaceId,
        google: Authorize,
        access: Secret,
        refresh: Secret,
    ) -> Result<()> {
        let Some((_, former)) = self.calendar_row(workspace).await? else {
            return Ok(());
        };
        let place = |place: Option<String>, former: String| place.unwrap_or(former);
        let settings = Settings {
            client_id: google.client_id,
            auth_uri: place(google.auth_uri, former.auth_uri),
            token_uri: place(google.token_uri, former.token_uri),
            revoke_uri: place(google.revoke_uri, former.revoke_uri),
            api_base_url: place(google.api_base_url, former.api_base_url),
            ..former
        };
        let tokens = Tokens {
            access: access.0,
            life: std::time::Duration::from_secs(3600),
            refresh: Some(refresh.0),
            scopes: None,
        };
        let secret = some(google.client_secret);
        self.tried_with(workspace, settings, secret, tokens, Switches::default())
            .await?;
        Ok(())
    }

    async fn now_good_for(
        &self,
        workspace: WorkspaceId,
        refresh: &SecretString,
        access: SecretString,
        life: std::time::Duration,
    ) {
        let life = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
        let until = self.now().plus_ms(life);
        self.access.begin(workspace, refresh, access, until).await;
    }
}

fn no_such_calendar() -> Error {
    Error::field(
        "calendarId",
        "unknown",
        "This account has no such calendar that can be written into. Choose one of the list.",
    )
}

/// Finds account and calendar in the list. A choice of before that another account does not know
/// becomes that account's own calendar; one that is wanted now must be there.
fn choose(
    settings: &mut Settings,
    calendars: &[Choice],
    is_wanted: bool,
) -> std::result::Result<(), Mishap> {
    let account = calendars.iter().find(|one| one.primary);
    let account = account.map(|one| one.id.clone());
    let is_other = settings.account.is_some() && settings.account != account;
    if !google::is_among(calendars, &settings.calendar_id) {
        if is_wanted {
            return Err(Mishap::NoSuchCalendar);
        }
        if is_other {
            settings.calendar_id = PRIMARY.into();
        }
    }
    settings.account = account;
    settings.calendar_name = calendars
        .iter()
        .find(|one| {
            one.id == settings.calendar_id || (settings.calendar_id == PRIMARY && one.primary)
        })
        .map(|one| one.summary.clone());
    Ok(())
}
