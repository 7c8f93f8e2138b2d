//! All stand-ins together: the world outside, as practice mode has it.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::google::{self, Consent, Google};
use crate::{Receiver, SendGrid, Storage, Twilio};

/// The stand-ins of practice mode, running. They end when dropped.
#[derive(Debug)]
pub struct Practice {
    receiver: Receiver,
    sendgrid: SendGrid,
    twilio: Twilio,
    google: Google,
    storage: Storage,
}

impl Practice {
    /// Starts all of them on free ports of this computer, with the files of the storage in this folder.
    pub async fn start(files: &Path) -> io::Result<Self> {
        let at = ([127, 0, 0, 1], 0);
        let google = Google::start(at).await?;
        google.consent(Consent::Ask);
        Ok(Self {
            receiver: Receiver::start(at).await?,
            sendgrid: SendGrid::start(at).await?,
            twilio: Twilio::start(at).await?,
            google,
            storage: Storage::start(at, files).await?,
        })
    }

    /// Where each is and what it takes, in the words of the API.
    pub fn setup(&self) -> Value {
        let (access, refresh) = self.google.tokens();
        json!({
            "receiver": self.receiver.url(),
            "email": {
                "apiKey": "SG.practice.works",
                "fromEmail": "info@practice.example",
                "fromName": "Practice",
                "apiBaseUrl": self.sendgrid.url(),
            },
            "sms": {
                "accountSid": Twilio::ACCOUNT,
                "authToken": Twilio::TOKEN,
                "fromNumber": Twilio::NUMBER,
                "apiBaseUrl": self.twilio.url(),
            },
            "storage": {
                "accessKeyId": "PRACTICE",
                "secretAccessKey": "practice",
                "bucketName": "practice",
                "region": "us-east-1",
                "endpoint": self.storage.url(),
                "pathStyle": true,
                "allowPrivateNetwork": true,
            },
            "calendar": {
                "clientId": google::CLIENT_ID,
                "clientSecret": google::CLIENT_SECRET,
                "authUri": self.google.auth_uri(),
                "tokenUri": self.google.token_uri(),
                "revokeUri": self.google.revoke_uri(),
                "apiBaseUrl": self.google.url(),
            },
            "signedIn": { "accessToken": access, "refreshToken": refresh },
        })
    }

    /// Where the pages of its Google are, which the owner's browser may be sent to.
    pub fn pages(&self) -> String {
        self.google.url()
    }

    /// Ends: takes no new call, lets those under way finish for a second.
    pub async fn stop(self) {
        tokio::join!(
            self.receiver.stop(),
            self.sendgrid.stop(),
            self.twilio.stop(),
            self.google.stop(),
            self.storage.stop(),
        );
    }
}
