//! Access to an account: the refresh token in the key store, the access token in memory only.
//!
//! One refresh at a time for each account, however many calls wait for it. What Google ended stays
//! ended until the owner signs in again: it is asked once, and not again.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, HttpRequest,
    HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError,
    TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::Settings;
use crate::clock::Time;
use crate::http::{Call, Called};
use crate::hub::Hub;
use crate::ids::WorkspaceId;
use crate::integrations::Kind;
use crate::integrations::kept::Kept;
use crate::integrations::send::provider_url;
use crate::outcome::{Code, Detail, Failure};

/// The names of what is kept.
pub(crate) const REFRESH: &str = "refreshToken";
pub(crate) const CLIENT_SECRET: &str = "clientSecret";
/// Where else than to the token endpoint the secrets, and what they get, may go.
const PLACES: &str = "places";
const TIMEOUT: Duration = Duration::from_secs(15);
/// An access token is renewed this much before its end.
const BEFORE_ITS_END_MS: i64 = 60_000;
/// How long it is good for where nobody says so.
const USUAL_LIFE: Duration = Duration::from_secs(3600);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Who asks Google: the publisher's client, or the owner's own.
#[derive(Debug, Clone)]
pub struct Client {
    /// `….apps.googleusercontent.com`
    pub id: String,
    /// Of a desktop client it is no secret, and yet wanted.
    pub secret: Option<SecretString>,
}

/// What the token endpoint gave.
pub(crate) struct Tokens {
    pub(crate) access: SecretString,
    pub(crate) life: Duration,
    pub(crate) refresh: Option<SecretString>,
    /// What was granted; none is all that was asked for.
    pub(crate) scopes: Option<Vec<String>>,
}

/// The accounts of all workspaces.
#[derive(Debug, Default)]
pub(crate) struct Access(Mutex<HashMap<WorkspaceId, Arc<tokio::sync::Mutex<Account>>>>);

/// What is known of an account's access. In memory only.
#[derive(Debug, Default)]
struct Account {
    /// Of which refresh token all this is true.
    of: Option<[u8; 32]>,
    token: Option<(SecretString, Time)>,
    /// Google ended it.
    ended: Option<Failure>,
    /// How the last refresh failed, and when: those who waited for it share that.
    failed: Option<(Instant, Failure)>,
    /// A newer refresh token that could not be kept yet.
    unsaved: Option<Kept>,
}

impl Access {
    fn of(&self, workspace: WorkspaceId) -> Arc<tokio::sync::Mutex<Account>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(workspace).or_default().clone()
    }

    /// A sign-in gave new tokens.
    pub(crate) async fn begin(
        &self,
        workspace: WorkspaceId,
        refresh: &SecretString,
        access: SecretString,
        until: Time,
    ) {
        *self.of(workspace).lock().await = Account {
            of: Some(sum(refresh.expose_secret())),
            token: Some((access, until)),
            ..Account::default()
        };
    }

    /// The owner asks for another try.
    pub(crate) async fn try_again(&self, workspace: WorkspaceId) {
        self.of(workspace).lock().await.ended = None;
    }

    /// Nothing is known any more.
    pub(crate) async fn forget(&self, workspace: WorkspaceId) {
        *self.of(workspace).lock().await = Account::default();
    }
}

fn sum(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// The item of the key store for a connection.
pub(crate) fn item(
    settings: &Settings,
    refresh: &SecretString,
    client_secret: Option<&SecretString>,
) -> Kept {
    let places = SecretString::from(places(settings));
    let mut secrets = vec![(REFRESH, refresh), (PLACES, &places)];
    secrets.extend(client_secret.map(|secret| (CLIENT_SECRET, secret)));
    Kept::new(&settings.token_uri, secrets)
}

fn places(settings: &Settings) -> String {
    [&settings.revoke_uri, &settings.api_base_url]
        .map(|address| crate::webhooks::kept::origin(address).unwrap_or_default())
        .join(" ")
}

/// The refresh token, for calls to where these settings lead.
pub(crate) fn refresh_token<'a>(kept: &'a Kept, settings: &Settings) -> Result<&'a str, Failure> {
    let bound = kept.secret(PLACES, &settings.token_uri)?;
    if bound != places(settings) {
        return Err(crate::secrets::SecretError::Missing.failure());
    }
    kept.secret(REFRESH, &settings.token_uri)
}

/// No answer that could be read as one of a token endpoint.
#[derive(Debug)]
struct NoAnswer(Failure);

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no answer of a token endpoint")
    }
}

impl std::error::Error for NoAnswer {}

/// Our own HTTP, as the crate for OAuth wants it.
struct Wire<'a>(&'a Hub);

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NoAnswer>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.0.ask_for_tokens(request))
    }
}

/// What a refusal of the token endpoint means.
fn judged(error: RequestTokenError<NoAnswer, BasicErrorResponse>) -> Failure {
    match error {
        RequestTokenError::Request(NoAnswer(failure)) => failure,
        RequestTokenError::ServerResponse(said) => match said.error() {
            BasicErrorResponseType::InvalidGrant => Failure::status(Code::SignInExpired, 400),
            BasicErrorResponseType::InvalidClient
            | BasicErrorResponseType::UnauthorizedClient
            | BasicErrorResponseType::InvalidRequest
            | BasicErrorResponseType::Extension(_) => {
                Failure::status(Code::CredentialsRejected, 400).with(Detail::ClientRefused)
            }
            _ => Failure::status(Code::Rejected, 400).with(Detail::Malformed),
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Failure::status(Code::Unreachable, 200).with(Detail::NotTheProvider)
        }
    }
}

fn tokens(answer: &BasicTokenResponse) -> Tokens {
    Tokens {
        access: answer.access_token().secret().clone().into(),
        life: answer.expires_in().unwrap_or(USUAL_LIFE),
        refresh: answer
            .refresh_token()
            .map(|token| token.secret().clone().into()),
        scopes: answer
            .scopes()
            .map(|all| all.iter().map(|scope| scope.to_string()).collect()),
    }
}

/// True when a refresh token ended as those of a project in *Testing* do: after seven days.
pub(crate) fn ended_after_seven_days(connected_at: Time, now: Time) -> Option<Time> {
    let age = now.ms_since(connected_at);
    (7 * DAY_MS - DAY_MS / 24..8 * DAY_MS)
        .contains(&age)
        .then(|| connected_at.plus_ms(7 * DAY_MS))
}

impl Hub {
    /// A call to the token endpoint.
    async fn ask_for_tokens(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        let (parts, body) = request.into_parts();
        let (url, allow_private) =
            provider_url(&parts.uri.to_string(), self.own_port()).map_err(NoAnswer)?;
        let called = self
            .http
            .post(Call {
                url,
                allow_private,
                headers: parts.headers,
                body: Bytes::from(body),
                timeout: TIMEOUT,
            })
            .await;
        let answer = match called {
            Called::Silent(failure) | Called::Answered(_, Some(failure)) => {
                return Err(NoAnswer(failure));
            }
            Called::Answered(answer, None) => answer,
        };
        let status = answer.status;
        match status {
            429 => return Err(NoAnswer(Failure::status(Code::RateLimited, status))),
            408 | 500.. => return Err(NoAnswer(Failure::status(Code::ProviderDown, status))),
            200 | 400 | 401 | 403 => {}
            _ => {
                let failure = Failure::status(Code::Unreachable, status);
                return Err(NoAnswer(failure.with(Detail::NotTheProvider)));
            }
        }
        let mut response = HttpResponse::new(answer.body);
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        if let Some(kind) = answer.headers.get("content-type")
            && let Ok(kind) = kind.parse()
        {
            response
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, kind);
        }
        Ok(response)
    }

    /// Changes a code for tokens.
    pub(crate) async fn redeem(
        &self,
        client: &Client,
        token_uri: &str,
        redirect_uri: &str,
        code: String,
        verifier: String,
    ) -> Result<Tokens, Failure> {
        let redirect =
            RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| Failure::new(Code::Internal))?;
        let answer = oauth(client, token_uri)?
            .set_redirect_uri(redirect)
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(&Wire(self))
            .await
            .map_err(judged)?;
        Ok(tokens(&answer))
    }

    /// A new access token.
    pub(crate) async fn refresh_once(
        &self,
        client: &Client,
        token_uri: &str,
        refresh: &str,
    ) -> Result<Tokens, Failure> {
        let answer = oauth(client, token_uri)?
            .exchange_refresh_token(&RefreshToken::new(refresh.to_owned()))
            .request_async(&Wire(self))
            .await
            .map_err(judged)?;
        Ok(tokens(&answer))
    }

    /// The client of a connection: the owner's own with its secret, else the publisher's.
    pub(crate) fn client_of(&self, settings: &Settings, kept: &Kept) -> Client {
        match &settings.client_id {
            Some(id) => Client {
                id: id.clone(),
                secret: kept
                    .secret(CLIENT_SECRET, &settings.token_uri)
                    .ok()
                    .map(SecretString::from),
            },
            None => self.google_client.clone().unwrap_or(Client {
                id: String::new(),
                secret: None,
            }),
        }
    }

    /// An access token that is good now; `stale` is one that Google did not take any more.
    pub(crate) async fn google_token(
        &self,
        workspace: WorkspaceId,
        settings: &Settings,
        stale: Option<&SecretString>,
    ) -> Result<SecretString, Failure> {
        let asked = Instant::now();
        let account = self.access.of(workspace);
        let mut account = account.lock().await;
        if let Some(unsaved) = account.unsaved.take()
            && let Err(failure) = self.keep_rotated(workspace, None, &unsaved).await
        {
            account.unsaved = Some(unsaved);
            return Err(failure);
        }
        let kept = self.integration_secrets(workspace, Kind::Calendar).await?;
        let refresh = refresh_token(&kept, settings)?;
        if account.of != Some(sum(refresh)) {
            *account = Account {
                of: Some(sum(refresh)),
                ..Account::default()
            };
        }
        if let Some(failure) = &account.ended {
            return Err(failure.clone());
        }
        if let Some((token, until)) = &account.token
            && until.ms_since(self.now()) > BEFORE_ITS_END_MS
            && stale.is_none_or(|stale| stale.expose_secret() != token.expose_secret())
        {
            return Ok(token.clone());
        }
        if let Some((at, failure)) = &account.failed
            && *at >= asked
        {
            return Err(failure.clone());
        }
        let client = self.client_of(settings, &kept);
        let tokens = match self
            .refresh_once(&client, &settings.token_uri, refresh)
            .await
        {
            Ok(tokens) => tokens,
            Err(mut failure) => {
                if failure.code == Code::SignInExpired {
                    if let Some(at) = ended_after_seven_days(settings.connected_at, self.now()) {
                        failure.args.detail = Some(Detail::EndedAfterSevenDays);
                        failure.args.at = Some(at);
                    }
                    account.ended = Some(failure.clone());
                }
                account.failed = Some((Instant::now(), failure.clone()));
                return Err(failure);
            }
        };
        if let Some(newer) = &tokens.refresh
            && newer.expose_secret() != refresh
        {
            // Kept before anything is done with the access token: the former may be good no more.
            let rotated = kept.with(REFRESH, newer);
            account.of = Some(sum(newer.expose_secret()));
            if let Err(failure) = self.keep_rotated(workspace, Some(refresh), &rotated).await {
                account.unsaved = Some(rotated);
                return Err(failure);
            }
        }
        let life = i64::try_from(tokens.life.as_millis()).unwrap_or(i64::MAX);
        account.token = Some((tokens.access.clone(), self.now().plus_ms(life)));
        Ok(tokens.access)
    }

    /// Keeps a refresh token in place of the one it followed, unless the owner signed in anew.
    async fn keep_rotated(
        &self,
        workspace: WorkspaceId,
        former: Option<&str>,
        kept: &Kept,
    ) -> Result<(), Failure> {
        let _altering = self.altering_items.lock().await;
        if let Some(former) = former {
            let now = self.integration_secrets(workspace, Kind::Calendar).await?;
            if !now.holds(REFRESH, former) {
                return Err(Failure::new(Code::ProviderDown));
            }
        }
        self.secrets
            .put(workspace, Kind::Calendar.as_str(), kept.write())
            .await
            .map_err(crate::secrets::SecretError::failure)
    }

    /// Gives access back. Google forgets the whole grant with any of its tokens.
    ///
    /// # Errors
    /// When Google did not hear of it.
    pub(crate) async fn revoke(&self, settings: &Settings, kept: &Kept) -> Result<(), Failure> {
        let refresh = refresh_token(kept, settings)?;
        let (url, allow_private) = provider_url(&settings.revoke_uri, self.own_port())?;
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", refresh)
            .finish();
        let mut headers = http::HeaderMap::new();
        headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let call = Call {
            url,
            allow_private,
            headers,
            body: body.into(),
            timeout: TIMEOUT,
        };
        match self.http.post(call).await {
            Called::Silent(failure) => Err(failure),
            // 400: it had ended already.
            Called::Answered(answer, _) if matches!(answer.status, 200 | 400) => Ok(()),
            Called::Answered(answer, _) => Err(Failure::status(Code::ProviderDown, answer.status)),
        }
    }
}

type TokenClient = BasicClient<
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
>;

fn oauth(client: &Client, token_uri: &str) -> Result<TokenClient, Failure> {
    let token_uri =
        TokenUrl::new(token_uri.to_owned()).map_err(|_| Failure::new(Code::BlockedAddress))?;
    let mut oauth = BasicClient::new(ClientId::new(client.id.clone()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(token_uri);
    if let Some(secret) = &client.secret {
        oauth = oauth.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
    }
    Ok(oauth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_project_in_testing_is_known_by_its_seven_days() {
        let at = Time::from_ms(1_795_493_359_000);
        let after = |days: f64| {
            #[allow(clippy::cast_possible_truncation)]
            let ms = (days * 86_400_000.0) as i64;
            ended_after_seven_days(at, at.plus_ms(ms))
        };
        assert_eq!(after(7.01), Some(at.plus_ms(7 * DAY_MS)));
        assert_eq!(after(6.99), Some(at.plus_ms(7 * DAY_MS)));
        assert_eq!((after(3.0), after(9.0), after(180.0)), (None, None, None));
    }

    #[test]
    fn the_refresh_token_goes_nowhere_else_than_it_was_got_for() {
        let settings = |token: &str, revoke: &str, api: &str| Settings {
            calendar_id: "primary".into(),
            calendar_name: None,
            account: None,
            scopes: Vec::new(),
            client_id: None,
            connected_at: Time::from_ms(0),
            auth_uri: super::super::google::AUTH_URI.into(),
            token_uri: token.into(),
            revoke_uri: revoke.into(),
            api_base_url: api.into(),
        };
        let (token, revoke, api) = (
            "https://t.example/token",
            "https://r.example/revoke",
            "https://a.example",
        );
        let kept = item(&settings(token, revoke, api), &"1//refresh".into(), None);
        let kept = Kept::read(&kept.write()).unwrap();
        assert_eq!(
            refresh_token(&kept, &settings(token, revoke, api)),
            Ok("1//refresh")
        );
        assert!(
            refresh_token(
                &kept,
                &settings("https://t.example/other", revoke, "https://a.example/v9")
            )
            .is_ok()
        );
        for elsewhere in [
            settings("https://evil.example/token", revoke, api),
            settings(token, "https://evil.example/revoke", api),
            settings(token, revoke, "https://evil.example"),
        ] {
            assert!(refresh_token(&kept, &elsewhere).is_err());
        }
    }
}
