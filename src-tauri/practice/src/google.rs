//! Google on loopback, as strict as its contract: the consent page, the token endpoint, calendars and
//! entries.
//!
//! The browser's side is played by whoever opens the consent page: it answers at once, by what
//! [`Google::consent`] was told, or asks with two buttons (`pages`). PKCE is verified, codes are good once and for ten minutes, refresh
//! tokens are given with consent only, and what was revoked stays so.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::pages;
use crate::receiver::{Call, Keep, Receiver, Respond, answer};

/// The client that it knows.
pub const CLIENT_ID: &str = "practice.apps.googleusercontent.com";
/// Its secret.
pub const CLIENT_SECRET: &str = "GOCSPX-practice-secret";
/// The account that signs in.
pub const ACCOUNT: &str = "owner@shop.example";
/// A second calendar of the account.
pub const SALON: &str = "salon@group.calendar.google.com";
/// A calendar that the account may only read.
pub const HOLIDAYS: &str = "holidays@group.calendar.google.com";

const EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";
const LIST: &str = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
const CODE_LIFE: Duration = Duration::from_secs(600);
const KEPT: usize = 1000;

/// What the owner does at the consent page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Allows all.
    Approve,
    /// Is asked, and presses a button.
    Ask,
    /// Says no.
    Deny,
    /// Allows only these scopes.
    Only(Vec<String>),
    /// Google breaks off, for this reason.
    Fail(String),
}

/// Something the guests were told of by email.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The entry.
    pub entry: String,
    /// `sendUpdates` as it was given.
    pub send_updates: String,
    /// Who got it.
    pub to: Vec<String>,
}

/// A running stand-in; it ends when dropped.
#[derive(Debug)]
pub struct Google {
    receiver: Receiver,
    world: Arc<Mutex<World>>,
}

#[derive(Debug)]
struct Code {
    challenge: String,
    redirect_uri: String,
    scopes: Vec<String>,
    with_refresh: bool,
    made: Instant,
}

#[derive(Debug)]
struct World {
    consent: Consent,
    account: String,
    codes: HashMap<String, Code>,
    used: HashMap<String, String>,
    /// Refresh tokens that are good, and what they allow.
    refresh: HashMap<String, Vec<String>>,
    /// Access tokens that are good, by whose refresh token.
    access: HashMap<String, (String, Vec<String>)>,
    consented: bool,
    rotates: bool,
    life_seconds: u64,
    refreshes: u64,
    revoked: Vec<String>,
    calendars: Vec<(String, String, &'static str)>,
    events: BTreeMap<(String, String), Value>,
    notices: Vec<Notice>,
    counter: u64,
}

impl Google {
    /// Starts on the address (port 0: a free one).
    pub async fn start(address: impl Into<SocketAddr>) -> io::Result<Self> {
        let world = Arc::new(Mutex::new(World {
            consent: Consent::Approve,
            account: ACCOUNT.into(),
            codes: HashMap::new(),
            used: HashMap::new(),
            refresh: HashMap::new(),
            access: HashMap::new(),
            consented: false,
            rotates: false,
            life_seconds: 3599,
            refreshes: 0,
            revoked: Vec::new(),
            calendars: vec![
                (ACCOUNT.into(), ACCOUNT.into(), "owner"),
                (SALON.into(), "Salon".into(), "writer"),
                (HOLIDAYS.into(), "Holidays".into(), "reader"),
            ],
            events: BTreeMap::new(),
            notices: Vec::new(),
            counter: 0,
        }));
        let acting = Arc::clone(&world);
        let respond = Respond {
            most: 1024 * 1024,
            to: Box::new(move |call| lock(&acting).respond(call)),
        };
        let receiver = Receiver::start_answering(address, Keep::Last(KEPT), respond).await?;
        Ok(Self { receiver, world })
    }

    /// Where it is; the address of its API.
    pub fn url(&self) -> String {
        format!("http://{}", self.receiver.address())
    }

    /// Where the browser goes.
    pub fn auth_uri(&self) -> String {
        format!("{}/o/oauth2/v2/auth", self.url())
    }

    /// Where tokens are given.
    pub fn token_uri(&self) -> String {
        format!("{}/token", self.url())
    }

    /// Where they are given back.
    pub fn revoke_uri(&self) -> String {
        format!("{}/revoke", self.url())
    }

    /// Ends: takes no new call, lets those under way finish for a second.
    pub async fn stop(self) {
        self.receiver.stop().await;
    }

    /// Every call; it can also be told to misbehave.
    pub fn calls(&self) -> &Receiver {
        &self.receiver
    }

    /// What the owner does at the consent page from now on.
    pub fn consent(&self, consent: Consent) {
        lock(&self.world).consent = consent;
    }

    /// Another account is signed in from now on.
    pub fn sign_in_as(&self, account: &str) {
        let mut world = lock(&self.world);
        account.clone_into(&mut world.account);
        world.calendars = vec![(account.to_owned(), account.to_owned(), "owner")];
        world.consented = false;
    }

    /// Tokens of an account that signed in elsewhere: access and refresh token.
    pub fn tokens(&self) -> (String, String) {
        let mut world = lock(&self.world);
        let refresh = world.name("1//refresh");
        let scopes = vec![EVENTS.to_owned(), LIST.to_owned()];
        world.refresh.insert(refresh.clone(), scopes);
        let access = world.grant(&refresh);
        (access, refresh)
    }

    /// Access tokens given so far are good no more; those given from now on live so many seconds.
    pub fn expire_access_tokens(&self, life_seconds: u64) {
        let mut world = lock(&self.world);
        world.access.clear();
        world.life_seconds = life_seconds;
    }

    /// Codes given so far are too old.
    pub fn expire_codes(&self) {
        lock(&self.world).codes.clear();
    }

    /// The owner withdraws access in the account's settings.
    pub fn withdraw(&self) {
        lock(&self.world).withdraw();
    }

    /// With every refresh comes another refresh token, and the former is good no more.
    pub fn rotate(&self, rotates: bool) {
        lock(&self.world).rotates = rotates;
    }

    /// How often an access token was refreshed, or was to be.
    pub fn refreshes(&self) -> u64 {
        lock(&self.world).refreshes
    }

    /// Tokens that were given back.
    pub fn revoked(&self) -> Vec<String> {
        lock(&self.world).revoked.clone()
    }

    /// All tokens that were ever given and are good: what must be found nowhere.
    pub fn good_tokens(&self) -> Vec<String> {
        let world = lock(&self.world);
        world
            .refresh
            .keys()
            .chain(world.access.keys())
            .cloned()
            .collect()
    }

    /// The entries of a calendar that are not cancelled.
    pub fn entries(&self, calendar: &str) -> Vec<Value> {
        let world = lock(&self.world);
        let calendar = world.calendar(calendar);
        world
            .events
            .iter()
            .filter(|((of, _), event)| *of == calendar && event["status"] != "cancelled")
            .map(|(_, event)| event.clone())
            .collect()
    }

    /// One entry, cancelled or not.
    pub fn entry(&self, calendar: &str, id: &str) -> Option<Value> {
        let world = lock(&self.world);
        let key = (world.calendar(calendar), id.to_owned());
        world.events.get(&key).cloned()
    }

    /// Somebody changes an entry elsewhere.
    pub fn change(&self, calendar: &str, id: &str, members: Value) {
        let mut world = lock(&self.world);
        let key = (world.calendar(calendar), id.to_owned());
        if let Some(mut event) = world.events.remove(&key) {
            merge(&mut event, &members);
            world.put(key, event);
        }
    }

    /// A calendar is removed with all that is in it.
    pub fn remove_calendar(&self, calendar: &str) {
        let mut world = lock(&self.world);
        world.calendars.retain(|(id, ..)| id != calendar);
        world.events.retain(|(of, _), _| of != calendar);
    }

    /// What guests were told of.
    pub fn notices(&self) -> Vec<Notice> {
        lock(&self.world).notices.clone()
    }
}

fn lock(world: &Mutex<World>) -> std::sync::MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn form(text: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

fn says(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, "");
    *response.body_mut() = Full::new(Bytes::from(body.to_string()));
    response
}

/// As the token endpoint refuses.
fn grant_error(status: u16, error: &str, description: &str) -> Response<Full<Bytes>> {
    says(
        status,
        &json!({"error": error, "error_description": description}),
    )
}

/// As the calendar refuses.
fn refused(status: u16, reason: &str, message: &str) -> Response<Full<Bytes>> {
    says(
        status,
        &json!({"error": {"code": status, "message": message, "errors": [{"domain": "calendar", "reason": reason, "message": message}]}}),
    )
}

fn is_event_id(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v'))
}

/// JSON merge patch (RFC 7396), as Google's PATCH is.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        patch.clone_into(into);
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (name, value) in members {
        if value.is_null() {
            if let Some(object) = into.as_object_mut() {
                object.remove(name);
            }
        } else {
            merge(&mut into[name], value);
        }
    }
}

impl World {
    fn name(&mut self, of: &str) -> String {
        self.counter += 1;
        let digest = Sha256::digest(format!("{of}{}", self.counter));
        format!("{of}-{}-{}", self.counter, BASE64URL.encode(&digest[..12]))
    }

    fn grant(&mut self, refresh: &str) -> String {
        let access = self.name("ya29.practice");
        let scopes = self.refresh.get(refresh).cloned().unwrap_or_default();
        self.access
            .insert(access.clone(), (refresh.to_owned(), scopes));
        access
    }

    fn calendar(&self, id: &str) -> String {
        if id == "primary" {
            self.account.clone()
        } else {
            id.to_owned()
        }
    }

    fn put(&mut self, key: (String, String), mut event: Value) -> Value {
        self.counter += 1;
        event["etag"] = format!("\"{}\"", self.counter).into();
        self.events.insert(key, event.clone());
        event
    }

    fn withdraw(&mut self) {
        self.refresh.clear();
        self.access.clear();
        self.consented = false;
    }

    fn respond(&mut self, call: &Call) -> Response<Full<Bytes>> {
        let path = call.uri.path().to_owned();
        match (&call.method, path.as_str()) {
            (&Method::GET | &Method::POST, "/o/oauth2/v2/auth") => self.authorise(call),
            (&Method::GET, "/") => {
                pages::account(&self.account, self.consented, self.events.values())
            }
            (&Method::POST, "/withdraw") => {
                self.withdraw();
                pages::back_to_account()
            }
            (&Method::GET, "/calendar/event") => {
                let id = form(call.uri.query().unwrap_or_default().as_bytes()).remove("eid");
                let event = self
                    .events
                    .values()
                    .find(|event| event["id"].as_str() == id.as_deref());
                pages::entry(event)
            }
            (&Method::POST, "/token") => self.token(call),
            (&Method::POST, "/revoke") => self.revoke(call),
            _ => match path.strip_prefix("/calendar/v3/") {
                Some(path) => self.calendar_api(call, path),
                None => refused(404, "notFound", "Not Found"),
            },
        }
    }

    fn authorise(&mut self, call: &Call) -> Response<Full<Bytes>> {
        let query = form(call.uri.query().unwrap_or_default().as_bytes());
        let given = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let bad = |what: &str| {
            says(
                400,
                &json!({"error": "invalid_request", "error_description": what}),
            )
        };
        let redirect_uri = given("redirect_uri").to_owned();
        let is_loopback = url::Url::parse(&redirect_uri).is_ok_and(|url| {
            url.scheme() == "http" && url.host_str() == Some("127.0.0.1") && url.port().is_some()
        });
        if given("client_id") != CLIENT_ID {
            return says(401, &json!({"error": "invalid_client"}));
        }
        if !is_loopback {
            return bad("redirect_uri_mismatch");
        }
        if given("response_type") != "code" || given("code_challenge_method") != "S256" {
            return bad("response_type has to be code, code_challenge_method S256");
        }
        if given("code_challenge").len() != 43 || given("state").len() < 43 {
            return bad("code_challenge and state have to be of 32 bytes");
        }
        let asked: Vec<String> = given("scope").split(' ').map(str::to_owned).collect();
        if asked.iter().any(|scope| scope != EVENTS && scope != LIST) {
            return bad("invalid_scope");
        }
        let state = given("state").to_owned();
        let consent = match (&self.consent, &call.method) {
            (Consent::Ask, &Method::GET) => return pages::consent(&call.uri, &self.account),
            (Consent::Ask, _) => match form(&call.body).get("answer").map(String::as_str) {
                Some("allow") => Consent::Approve,
                _ => Consent::Deny,
            },
            (_, &Method::GET) => self.consent.clone(),
            _ => return bad("Nobody was asked."),
        };
        let answer = match consent {
            Consent::Deny => vec![("error", "access_denied".to_owned())],
            Consent::Fail(reason) => vec![("error", reason)],
            consent => {
                let scopes = match consent {
                    Consent::Only(scopes) => scopes,
                    _ => asked,
                };
                let with_refresh = given("access_type") == "offline"
                    && (given("prompt") == "consent" || !self.consented);
                self.consented = true;
                let code = self.name("4/practice");
                self.codes.insert(
                    code.clone(),
                    Code {
                        challenge: given("code_challenge").to_owned(),
                        redirect_uri: redirect_uri.clone(),
                        scopes: scopes.clone(),
                        with_refresh,
                        made: Instant::now(),
                    },
                );
                vec![("code", code), ("scope", scopes.join(" "))]
            }
        };
        let mut to = match url::Url::parse(&redirect_uri) {
            Ok(url) => url,
            Err(_) => return bad("redirect_uri_mismatch"),
        };
        to.query_pairs_mut()
            .append_pair("state", &state)
            .extend_pairs(answer);
        let mut response = crate::receiver::answer(StatusCode::SEE_OTHER, "");
        if let Ok(to) = HeaderValue::try_from(to.as_str()) {
            response.headers_mut().insert(header::LOCATION, to);
        }
        response
    }

    fn token(&mut self, call: &Call) -> Response<Full<Bytes>> {
        if call.header("content-type") != "application/x-www-form-urlencoded" {
            return grant_error(400, "invalid_request", "A form is wanted.");
        }
        let given = form(&call.body);
        let get = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
        if get("client_id") != CLIENT_ID || get("client_secret") != CLIENT_SECRET {
            return grant_error(401, "invalid_client", "The OAuth client was not found.");
        }
        match get("grant_type") {
            "authorization_code" => {
                let Some(code) = self.codes.remove(get("code")) else {
                    // A code that comes twice takes with it what it gave.
                    if let Some(refresh) = self.used.get(get("code")).cloned() {
                        self.refresh.remove(&refresh);
                        self.access.retain(|_, (of, _)| *of != refresh);
                    }
                    return grant_error(400, "invalid_grant", "Malformed auth code.");
                };
                let challenge = BASE64URL.encode(Sha256::digest(get("code_verifier")));
                if code.made.elapsed() > CODE_LIFE
                    || code.redirect_uri != get("redirect_uri")
                    || code.challenge != challenge
                {
                    return grant_error(400, "invalid_grant", "Invalid code verifier.");
                }
                let refresh = self.name("1//refresh");
                self.refresh.insert(refresh.clone(), code.scopes.clone());
                self.used.insert(get("code").to_owned(), refresh.clone());
                let access = self.grant(&refresh);
                let mut body = json!({"access_token": access, "expires_in": self.life_seconds, "scope": code.scopes.join(" "), "token_type": "Bearer"});
                if code.with_refresh {
                    body["refresh_token"] = refresh.into();
                }
                says(200, &body)
            }
            "refresh_token" => {
                self.refreshes += 1;
                let mut refresh = get("refresh_token").to_owned();
                let Some(scopes) = self.refresh.get(&refresh).cloned() else {
                    return grant_error(400, "invalid_grant", "Token has been expired or revoked.");
                };
                let mut body = json!({"expires_in": self.life_seconds, "scope": scopes.join(" "), "token_type": "Bearer"});
                if self.rotates {
                    self.refresh.remove(&refresh);
                    refresh = self.name("1//rotated");
                    self.refresh.insert(refresh.clone(), scopes);
                    body["refresh_token"] = refresh.clone().into();
                }
                body["access_token"] = self.grant(&refresh).into();
                says(200, &body)
            }
            _ => grant_error(400, "unsupported_grant_type", "Invalid grant_type."),
        }
    }

    fn revoke(&mut self, call: &Call) -> Response<Full<Bytes>> {
        if call.uri.query().is_some() {
            return grant_error(
                400,
                "invalid_request",
                "A token does not belong into an address.",
            );
        }
        let token = form(&call.body).remove("token").unwrap_or_default();
        let is_known = self.refresh.contains_key(&token) || self.access.contains_key(&token);
        if !is_known {
            return grant_error(400, "invalid_token", "Token expired or revoked");
        }
        self.revoked.push(token);
        self.refresh.clear();
        self.access.clear();
        self.consented = false;
        says(200, &json!({}))
    }

    fn calendar_api(&mut self, call: &Call, path: &str) -> Response<Full<Bytes>> {
        let token = call
            .header("authorization")
            .strip_prefix("Bearer ")
            .unwrap_or_default();
        let Some((_, scopes)) = self.access.get(token).cloned() else {
            return refused(401, "authError", "Invalid Credentials");
        };
        let may = |scope: &str| scopes.iter().any(|one| one == scope);
        let not_permitted = || {
            refused(
                403,
                "insufficientPermissions",
                "Request had insufficient authentication scopes.",
            )
        };
        let parts: Vec<String> = path
            .split('/')
            .map(|part| {
                percent_encoding::percent_decode_str(part)
                    .decode_utf8_lossy()
                    .into_owned()
            })
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["users", "me", "calendarList"] if call.method == Method::GET => {
                if !may(LIST) {
                    return not_permitted();
                }
                let items: Vec<Value> = self
                    .calendars
                    .iter()
                    .map(|(id, name, role)| {
                        let mut item = json!({"kind": "calendar#calendarListEntry", "id": id, "summary": name, "accessRole": role});
                        if *id == self.account {
                            item["primary"] = true.into();
                        }
                        item
                    })
                    .collect();
                says(
                    200,
                    &json!({"kind": "calendar#calendarList", "items": items}),
                )
            }
            ["calendars", calendar, "events", rest @ ..] => {
                if !may(EVENTS) {
                    return not_permitted();
                }
                let calendar = self.calendar(calendar);
                let Some((.., role)) = self.calendars.iter().find(|(id, ..)| *id == calendar)
                else {
                    return refused(404, "notFound", "Not Found");
                };
                if *role == "reader" && call.method != Method::GET {
                    return refused(
                        403,
                        "requiredAccessLevel",
                        "You need to have writer access to this calendar.",
                    );
                }
                let query = form(call.uri.query().unwrap_or_default().as_bytes());
                let updates = query
                    .get("sendUpdates")
                    .map(String::as_str)
                    .unwrap_or("none");
                if !matches!(updates, "all" | "externalOnly" | "none") {
                    return refused(400, "invalid", "Invalid value for sendUpdates.");
                }
                match (&call.method, rest) {
                    (&Method::POST, []) => self.insert(call, &calendar, updates),
                    (&Method::GET, [id]) => match self.events.get(&(calendar, (*id).to_owned())) {
                        Some(event) => says(200, event),
                        None => refused(404, "notFound", "Not Found"),
                    },
                    (&Method::PATCH, [id]) => {
                        self.patch(call, (calendar, (*id).to_owned()), updates)
                    }
                    (&Method::DELETE, [id]) => {
                        self.delete(call, (calendar, (*id).to_owned()), updates)
                    }
                    _ => refused(405, "httpMethodNotAllowed", "Method Not Allowed"),
                }
            }
            _ => refused(404, "notFound", "Not Found"),
        }
    }

    fn insert(&mut self, call: &Call, calendar: &str, updates: &str) -> Response<Full<Bytes>> {
        let Ok(mut event) = serde_json::from_slice::<Value>(&call.body) else {
            return refused(400, "parseError", "Parse Error");
        };
        let id = match event["id"].as_str() {
            Some(id) => id.to_owned(),
            None => self
                .name("e")
                .to_ascii_lowercase()
                .replace(|c: char| !matches!(c, '0'..='9' | 'a'..='v'), ""),
        };
        if !is_event_id(&id) {
            return refused(400, "invalid", "Invalid resource id value.");
        }
        if let Err(message) = check(&event) {
            return refused(400, "invalid", message);
        }
        let key = (calendar.to_owned(), id.clone());
        if self.events.contains_key(&key) {
            return refused(409, "duplicate", "The requested identifier already exists.");
        }
        event["id"] = id.clone().into();
        event["kind"] = "calendar#event".into();
        event["status"] = "confirmed".into();
        event["htmlLink"] =
            format!("http://{}/calendar/event?eid={id}", call.header("host")).into();
        answers(&mut event);
        self.tell(&event, updates);
        let event = self.put(key, event);
        says(200, &event)
    }

    fn patch(
        &mut self,
        call: &Call,
        key: (String, String),
        updates: &str,
    ) -> Response<Full<Bytes>> {
        let Some(current) = self.events.get(&key).cloned() else {
            return refused(404, "notFound", "Not Found");
        };
        if !fits(call, &current) {
            return refused(412, "conditionNotMet", "Precondition Failed");
        }
        let Ok(patch) = serde_json::from_slice::<Value>(&call.body) else {
            return refused(400, "parseError", "Parse Error");
        };
        let mut event = current;
        merge(&mut event, &patch);
        if let Err(message) = check(&event) {
            return refused(400, "invalid", message);
        }
        answers(&mut event);
        self.tell(&event, updates);
        let event = self.put(key, event);
        says(200, &event)
    }

    fn delete(
        &mut self,
        call: &Call,
        key: (String, String),
        updates: &str,
    ) -> Response<Full<Bytes>> {
        let Some(mut event) = self.events.get(&key).cloned() else {
            return refused(404, "notFound", "Not Found");
        };
        if event["status"] == "cancelled" {
            return refused(410, "deleted", "Resource has been deleted");
        }
        if !fits(call, &event) {
            return refused(412, "conditionNotMet", "Precondition Failed");
        }
        event["status"] = "cancelled".into();
        self.tell(&event, updates);
        self.put(key, event);
        let mut response = answer(StatusCode::NO_CONTENT, "");
        response.headers_mut().remove(header::CONTENT_TYPE);
        response
    }

    fn tell(&mut self, event: &Value, updates: &str) {
        let to: Vec<String> = event["attendees"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|guest| guest["email"].as_str().map(str::to_owned))
            .collect();
        if updates != "none" && !to.is_empty() {
            self.notices.push(Notice {
                entry: event["id"].as_str().unwrap_or_default().to_owned(),
                send_updates: updates.to_owned(),
                to,
            });
        }
    }
}

fn fits(call: &Call, event: &Value) -> bool {
    let if_match = call.header("if-match");
    if_match.is_empty() || if_match == "*" || event["etag"] == if_match
}

/// Guests who were not there before have not answered yet.
fn answers(event: &mut Value) {
    for guest in event["attendees"].as_array_mut().into_iter().flatten() {
        if guest["responseStatus"].is_null() {
            guest["responseStatus"] = "needsAction".into();
        }
    }
}

fn moment(when: &Value) -> Option<Result<i64, String>> {
    match (when["dateTime"].as_str(), when["date"].as_str()) {
        (Some(text), None) => {
            // RFC 3339 with an offset: 25 characters with a numeric one.
            let has_offset = text.len() >= 20
                && (text.ends_with('Z')
                    || text
                        .as_bytes()
                        .get(text.len() - 6)
                        .is_some_and(|b| matches!(b, b'+' | b'-')));
            let digits: i64 = text
                .get(..19)?
                .bytes()
                .filter(u8::is_ascii_digit)
                .fold(0, |n, b| n * 10 + i64::from(b - b'0'));
            (has_offset && text.as_bytes().get(10) == Some(&b'T')).then_some(Ok(digits))
        }
        (None, Some(date)) => (date.len() == 10
            && date.bytes().filter(u8::is_ascii_digit).count() == 8)
            .then(|| Err(date.to_owned())),
        _ => None,
    }
}

/// What Google asks of an entry.
fn check(event: &Value) -> Result<(), &'static str> {
    match (moment(&event["start"]), moment(&event["end"])) {
        (Some(Ok(_)), Some(Ok(_))) => {}
        (Some(Err(first)), Some(Err(last))) if first < last => {}
        (Some(Err(_)), Some(Err(_))) => return Err("The specified time range is empty."),
        (Some(_), Some(_)) => {
            return Err("Start and end times must either both be date or both be dateTime.");
        }
        (None, _) => return Err("Missing or invalid start time."),
        (_, None) => return Err("Missing end time."),
    }
    let reminders = event["reminders"]["overrides"].as_array();
    let reminders = reminders.map(Vec::as_slice).unwrap_or_default();
    if reminders.len() > 5 {
        return Err("The maximum number of override reminders is 5.");
    }
    for reminder in reminders {
        if !matches!(reminder["method"].as_str(), Some("email" | "popup")) {
            return Err("Invalid reminder method.");
        }
        if !matches!(reminder["minutes"].as_i64(), Some(0..=40320)) {
            return Err("Invalid reminder minutes.");
        }
    }
    for guest in event["attendees"].as_array().into_iter().flatten() {
        if !guest["email"]
            .as_str()
            .is_some_and(|email| email.contains('@'))
        {
            return Err("Invalid attendee email.");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_checked_as_google_does() {
        let good = json!({"start": {"dateTime": "2026-11-26T10:00:00+01:00"}, "end": {"dateTime": "2026-11-26T11:00:00+01:00"}});
        assert_eq!(check(&good), Ok(()));
        let with = |name: &str, value: Value| {
            let mut event = good.clone();
            event[name] = value;
            check(&event)
        };
        assert!(with("end", json!({"date": "2026-11-27"})).is_err());
        assert!(with("end", json!({"dateTime": "2026-11-26T11:00:00"})).is_err());
        assert!(with("start", Value::Null).is_err());
        assert!(
            with(
                "reminders",
                json!({"overrides": vec![json!({"method": "popup", "minutes": 1}); 6]})
            )
            .is_err()
        );
        assert!(
            with(
                "reminders",
                json!({"overrides": [{"method": "popup", "minutes": 40321}]})
            )
            .is_err()
        );
        assert!(with("attendees", json!([{"email": "maria"}])).is_err());
        assert!(
            check(&json!({"start": {"date": "2026-12-24"}, "end": {"date": "2026-12-24"}}))
                .is_err()
        );
        assert!(
            check(&json!({"start": {"date": "2026-12-24"}, "end": {"date": "2026-12-25"}})).is_ok()
        );
    }

    #[test]
    fn a_patch_takes_away_what_it_says_is_null() {
        let mut event = json!({"a": {"x": 1, "y": 2}, "b": 1});
        merge(&mut event, &json!({"a": {"x": null, "z": 3}, "b": null}));
        assert_eq!(event, json!({"a": {"y": 2, "z": 3}}));
    }
}
