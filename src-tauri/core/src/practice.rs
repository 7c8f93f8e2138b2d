//! Practice mode: a workspace to try things out in, whose services are stand-ins on this computer.
//!
//! Nothing of it leaves the machine: it refuses every address that is not one of its stand-ins. And no
//! other workspace can be pointed at them by mistake. The stand-ins themselves are started by the shell.

use serde::Deserialize;

use crate::automations::AutomationPatch;
use crate::db;
use crate::error::{Error, FieldError, Result};
use crate::http::guard::{Class, check_url};
use crate::http::literal_class;
use crate::hub::Hub;
use crate::ids::WorkspaceId;
use crate::integrations::calendar::Authorize;
use crate::integrations::{Configured, Kind, Patch, Secret, Settings, Setup, email, sms, storage};
use crate::webhooks::kept::origin;
use crate::webhooks::{NewWebhook, WebhookPatch};
use crate::workspaces::{FIRST_NAME, NewWorkspace, Workspace};

const NAME: &str = "Practice";
const RECEIVER: &str = "Practice receiver";

/// Where the stand-ins are and what they take, in the words of the API.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StandIns {
    receiver: String,
    email: email::Setup,
    sms: sms::Setup,
    storage: storage::Setup,
    calendar: Authorize,
    /// Whoever had connected the calendar is signed in with these.
    signed_in: SignedIn,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignedIn {
    access_token: Secret,
    refresh_token: Secret,
}

/// Practice mode, while it runs.
#[derive(Debug)]
pub(crate) struct Practice {
    workspace: WorkspaceId,
    stand_ins: StandIns,
}

impl StandIns {
    fn origins(&self) -> impl Iterator<Item = String> {
        [
            Some(&self.receiver),
            self.email.api_base_url.as_ref(),
            self.sms.api_base_url.as_ref(),
            self.storage.endpoint.as_ref(),
            self.calendar.api_base_url.as_ref(),
        ]
        .into_iter()
        .flatten()
        .filter_map(|address| origin(address))
    }

    fn is_one(&self, address: &str) -> bool {
        origin(address).is_some_and(|place| self.origins().any(|one| one == place))
    }
}

fn leaves(path: &str) -> FieldError {
    FieldError::new(
        path,
        "practice",
        "This is the practice workspace: nothing leaves this computer, so it speaks to its stand-ins only. For real messages make another workspace.",
    )
}

fn is_not_real(path: &str) -> FieldError {
    FieldError::new(
        path,
        "practice",
        "At this address is a stand-in of practice mode: what is sent there reaches nobody. Enter the address of the real service, or leave it empty.",
    )
}

impl Hub {
    /// The workspace to try things out in, with everything connected but the calendar, which is one
    /// sign-in away. Opened again it is the same workspace, with its stand-ins at their new addresses.
    ///
    /// # Errors
    /// When `stand_ins` are not in the words of the API, or what is kept cannot be read or written.
    pub async fn open_practice(&self, stand_ins: serde_json::Value) -> Result<WorkspaceId> {
        let stand_ins: StandIns = serde_json::from_value(stand_ins).map_err(Error::internal)?;
        let workspace = self.practice_workspace().await?;
        let practice = Practice {
            workspace,
            stand_ins: stand_ins.clone(),
        };
        if self.practice.set(practice).is_err() {
            return Err(Error::conflict("Practice mode runs already."));
        }
        self.practise_receiver(workspace, &stand_ins.receiver)
            .await?;
        let configured = self.configured(workspace).await?;
        let is_there = |kind| configured.contains(&kind);
        let StandIns {
            email,
            sms,
            storage,
            calendar,
            signed_in,
            ..
        } = stand_ins;
        let (key, url) = (Some(email.api_key.clone()), email.api_base_url.clone());
        let moved = email::Patch {
            api_base_url: url,
            api_key: key,
            ..email::Patch::default()
        };
        self.practise(
            workspace,
            is_there(Kind::Email).then_some(Patch::Email(moved)),
            Setup::Email(email),
        )
        .await?;
        let (token, url) = (Some(sms.auth_token.clone()), sms.api_base_url.clone());
        let moved = sms::Patch {
            account_sid: Some(sms.account_sid.clone()),
            api_base_url: url,
            auth_token: token,
            ..sms::Patch::default()
        };
        self.practise(
            workspace,
            is_there(Kind::Sms).then_some(Patch::Sms(moved)),
            Setup::Sms(sms),
        )
        .await?;
        let moved = storage::Patch {
            access_key_id: Some(storage.access_key_id.clone()),
            secret_access_key: Some(storage.secret_access_key.clone()),
            endpoint: Some(storage.endpoint.clone()),
            ..storage::Patch::default()
        };
        self.practise(
            workspace,
            is_there(Kind::Storage).then_some(Patch::Storage(moved)),
            Setup::Storage(storage),
        )
        .await?;
        let SignedIn {
            access_token,
            refresh_token,
        } = signed_in;
        self.practise_calendar(workspace, calendar, access_token, refresh_token)
            .await?;
        Ok(workspace)
    }

    /// The stand-ins, if this is the practice workspace and practice mode runs.
    pub(crate) fn practises(&self, workspace: WorkspaceId) -> Option<&Practice> {
        self.practice
            .get()
            .filter(|practice| practice.workspace == workspace)
    }

    /// In practice, an address that is not given is that of the stand-in.
    pub(crate) fn in_practice(&self, workspace: WorkspaceId, mut setup: Setup) -> Setup {
        let Some(Practice { stand_ins, .. }) = self.practises(workspace) else {
            return setup;
        };
        let fill = |address: &mut Option<String>, stand_in: &Option<String>| {
            if address.as_ref().is_none_or(|text| text.trim().is_empty()) {
                address.clone_from(stand_in);
            }
        };
        match &mut setup {
            Setup::Email(email) => fill(&mut email.api_base_url, &stand_ins.email.api_base_url),
            Setup::Sms(sms) => fill(&mut sms.api_base_url, &stand_ins.sms.api_base_url),
            Setup::Storage(storage) => {
                if storage
                    .endpoint
                    .as_ref()
                    .is_none_or(|text| text.trim().is_empty())
                {
                    storage.endpoint.clone_from(&stand_ins.storage.endpoint);
                    storage.path_style = true;
                    storage.allow_private_network = true;
                }
            }
            Setup::Calendar(calendar) => {
                let google = &stand_ins.calendar;
                fill(&mut calendar.token_uri, &google.token_uri);
                fill(&mut calendar.revoke_uri, &google.revoke_uri);
                fill(&mut calendar.api_base_url, &google.api_base_url);
                if calendar.client_id.is_none() {
                    calendar.client_id.clone_from(&google.client_id);
                    calendar.client_secret.clone_from(&google.client_secret);
                }
            }
        }
        setup
    }

    /// In practice, who names no client signs in at the stand-in.
    pub(crate) fn sign_in_in_practice(&self, workspace: WorkspaceId, wish: &mut Authorize) {
        let Some(practice) = self.practises(workspace) else {
            return;
        };
        let says_where = wish.client_id.is_some()
            || wish.auth_uri.is_some()
            || wish.token_uri.is_some()
            || wish.revoke_uri.is_some()
            || wish.api_base_url.is_some();
        if !says_where {
            *wish = Authorize {
                calendar_id: wish.calendar_id.take(),
                ..practice.stand_ins.calendar.clone()
            };
        }
    }

    /// Keeps practice and real work apart, before secrets go anywhere.
    ///
    /// # Errors
    /// `Invalid` for each address that is of the other side.
    pub(crate) async fn check_places(
        &self,
        workspace: WorkspaceId,
        settings: &Settings,
    ) -> Result<()> {
        let is_practice = self.is_practice(workspace).await?;
        let wrong: Vec<FieldError> = settings
            .places()
            .into_iter()
            .filter(|(_, address)| self.is_stand_in(address) != is_practice)
            .map(|(path, _)| {
                if is_practice {
                    leaves(path)
                } else {
                    is_not_real(path)
                }
            })
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid(wrong))
        }
    }

    /// The same for a receiver of webhooks: in practice it may be any program on this computer.
    pub(crate) async fn wrong_receiver(
        &self,
        workspace: WorkspaceId,
        address: &str,
    ) -> Result<Option<FieldError>> {
        let Ok(url) = check_url(address, true) else {
            return Ok(None);
        };
        let is_near = literal_class(&url) == Some(Class::Loopback);
        Ok(match self.is_practice(workspace).await? {
            true => (!is_near).then(|| leaves("url")),
            false => (is_near && self.is_stand_in(address)).then(|| is_not_real("url")),
        })
    }

    fn is_stand_in(&self, address: &str) -> bool {
        self.practice
            .get()
            .is_some_and(|practice| practice.stand_ins.is_one(address))
    }

    async fn is_practice(&self, workspace: WorkspaceId) -> Result<bool> {
        if let Some(practice) = self.practice.get() {
            return Ok(practice.workspace == workspace);
        }
        let row = self
            .db
            .read(move |conn| db::workspaces::get(conn, workspace))
            .await?;
        Ok(row.is_some_and(|row| row.is_practice))
    }

    async fn configured(&self, workspace: WorkspaceId) -> Result<Vec<Kind>> {
        self.db
            .read(move |conn| {
                let mut found = Vec::new();
                for kind in Kind::ALL {
                    if db::integrations::get(conn, workspace, kind)?.is_some() {
                        found.push(kind);
                    }
                }
                Ok(found)
            })
            .await
    }

    async fn practice_workspace(&self) -> Result<WorkspaceId> {
        let all = self.workspaces().await?;
        if let Some(found) = all.iter().find(|one| one.is_practice) {
            return Ok(found.id);
        }
        let is_taken = |name: &str| all.iter().any(|one| one.name.eq_ignore_ascii_case(name));
        let name = std::iter::once(NAME.to_owned())
            .chain((2..).map(|number| format!("{NAME} {number}")))
            .find(|name| !is_taken(name))
            .unwrap_or_default();
        let workspace = match all.as_slice() {
            // On a fresh home the first workspace becomes the practice one, so that it opens by itself.
            [only] if self.is_untouched(only).await? => only.clone(),
            _ => {
                self.create_workspace(NewWorkspace {
                    name: name.clone(),
                    timezone: None,
                })
                .await?
            }
        };
        let id = workspace.id;
        self.db
            .write(move |tx| {
                let practice = Workspace {
                    name,
                    is_practice: true,
                    ..workspace
                };
                db::workspaces::update(tx.conn(), &practice)?;
                tx.announce(None, crate::changes::Topic::Workspaces);
                Ok(())
            })
            .await?;
        // What arrives switched off elsewhere is what there is to try out here.
        for automation in self.automations(id).await? {
            let on = AutomationPatch {
                is_active: Some(true),
                ..AutomationPatch::default()
            };
            self.update_automation(id, automation.id, on).await?;
        }
        Ok(id)
    }

    async fn is_untouched(&self, workspace: &Workspace) -> Result<bool> {
        Ok(workspace.name == FIRST_NAME
            && self.webhooks(workspace.id).await?.is_empty()
            && self.configured(workspace.id).await?.is_empty())
    }

    async fn practise_receiver(&self, workspace: WorkspaceId, url: &str) -> Result<()> {
        let webhooks = self.webhooks(workspace).await?;
        match webhooks.iter().find(|w| w.name == RECEIVER) {
            Some(found) => {
                let moved = WebhookPatch {
                    url: Some(url.into()),
                    ..WebhookPatch::default()
                };
                self.update_webhook(workspace, found.id, moved).await?;
            }
            None => {
                let new = NewWebhook {
                    name: RECEIVER.into(),
                    url: url.into(),
                    events: vec!["*".into()],
                    allow_private_network: Some(true),
                    ..NewWebhook::default()
                };
                self.create_webhook(workspace, new).await?;
            }
        }
        Ok(())
    }

    /// Sets one up, or moves it to where its stand-in is now.
    async fn practise(
        &self,
        workspace: WorkspaceId,
        moved: Option<Patch>,
        setup: Setup,
    ) -> Result<()> {
        let done = match moved {
            Some(patch) => self.update_integration(workspace, patch).await?,
            None => self.configure_integration(workspace, setup).await?,
        };
        if let Configured::Refused(refused) = done {
            tracing::warn!(why = refused.message, "a stand-in could not be set up");
        }
        Ok(())
    }
}
