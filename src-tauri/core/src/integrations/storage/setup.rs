//! How a storage is set up: what is asked, what is wrong with it, and what of it is kept. Pure.

use serde::{Deserialize, Serialize};

use super::Place;
use super::presets::{AMAZON, PRESETS};
use crate::error::FieldError;
use crate::http::guard;
use crate::integrations::{Field, Input, Secret, Switches, WhenPaused, said};

/// The names of its secrets in the key store.
pub(crate) const KEY_ID: &str = "accessKeyId";
pub(crate) const SECRET: &str = "secretAccessKey";

/// A storage to be set up: `POST /api/integrations/storage`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = StorageSetup))]
pub struct Setup {
    /// The id of an access key that may list, read, write and delete in the bucket.
    pub access_key_id: Secret,
    /// The secret beside it.
    pub secret_access_key: Secret,
    /// The bucket.
    pub bucket_name: String,
    /// Where the bucket lies; `auto` at Cloudflare.
    pub region: String,
    /// Where the storage is; else at Amazon.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path, not before the host's name. Usual where it is not Amazon.
    #[serde(default)]
    pub path_style: bool,
    /// Whether the endpoint may be on your own network or computer.
    #[serde(default)]
    pub allow_private_network: bool,
}

/// What is to be different: `PATCH /api/integrations/storage`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = StoragePatch))]
pub struct Patch {
    /// False pauses, true resumes and lets go what was held.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// What becomes of what comes in meanwhile.
    #[serde(default)]
    pub when_paused: Option<WhenPaused>,
    /// The id of another access key; its secret belongs with it.
    #[serde(default)]
    pub access_key_id: Option<Secret>,
    /// The secret of the access key.
    #[serde(default)]
    pub secret_access_key: Option<Secret>,
    /// The bucket.
    #[serde(default)]
    pub bucket_name: Option<String>,
    /// Where it lies.
    #[serde(default)]
    pub region: Option<String>,
    /// Where the storage is; null for Amazon. Another scheme, host or port needs both keys in the same request.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub endpoint: Option<Option<String>>,
    /// Whether the bucket stands in the path.
    #[serde(default)]
    pub path_style: Option<bool>,
    /// Whether the endpoint may be on your own network or computer.
    #[serde(default)]
    pub allow_private_network: Option<bool>,
}

/// All of it that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) bucket_name: String,
    pub(crate) region: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) path_style: bool,
    pub(crate) allow_private_network: bool,
}

fn given(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    (!text.is_empty()).then(|| text.to_owned())
}

impl Settings {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            bucket_name: setup.bucket_name.trim().to_owned(),
            region: setup.region.trim().to_owned(),
            endpoint: setup.endpoint.as_deref().and_then(given),
            path_style: setup.path_style,
            allow_private_network: setup.allow_private_network,
        }
    }

    pub(crate) fn apply(&mut self, patch: &Patch) {
        if let Some(bucket) = &patch.bucket_name {
            self.bucket_name = bucket.trim().to_owned();
        }
        if let Some(region) = &patch.region {
            self.region = region.trim().to_owned();
        }
        if let Some(endpoint) = &patch.endpoint {
            self.endpoint = endpoint.as_deref().and_then(given);
        }
        if let Some(path_style) = patch.path_style {
            self.path_style = path_style;
        }
        if let Some(allow) = patch.allow_private_network {
            self.allow_private_network = allow;
        }
    }

    /// What is wrong with them, field by field.
    pub(crate) fn check(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut say =
            |path: &str, code: &str, words: &str| wrong.push(FieldError::new(path, code, words));
        let name = self.bucket_name.as_str();
        if name.is_empty() {
            say(
                "bucketName",
                "required",
                "Say which bucket the files go to.",
            );
        } else if !is_bucket(name) {
            say(
                "bucketName",
                "invalid",
                "A bucket's name has 3 to 63 small letters, digits, dots and hyphens, and begins and ends with a letter or digit.",
            );
        }
        let region = self.region.as_str();
        if region.is_empty() {
            say(
                "region",
                "required",
                "Say in which region the bucket lies, such as eu-central-1.",
            );
        } else if region.len() > 63
            || region
                .bytes()
                .any(|b| !b.is_ascii_alphanumeric() && b != b'-')
        {
            say(
                "region",
                "invalid",
                "A region is made of letters, digits and hyphens, such as eu-central-1.",
            );
        }
        if let Some(endpoint) = &self.endpoint {
            match guard::check_url(endpoint, self.allow_private_network) {
                Err(found) if found.code == "private_address" => say(
                    "endpoint",
                    found.code,
                    "This address is on your own network or computer. If you mean that, allow the private network for this storage.",
                ),
                Err(found) => say("endpoint", found.code, found.sentence),
                Ok(url)
                    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() =>
                {
                    say(
                        "endpoint",
                        "invalid",
                        "This is the address of the storage alone, such as https://fra1.digitaloceanspaces.com; the bucket is a field of its own.",
                    );
                }
                Ok(_) => {}
            }
        }
        wrong
    }

    /// What its keys are bound to. All of Amazon is one place.
    pub(crate) fn base_url(&self) -> &str {
        self.endpoint.as_deref().unwrap_or(AMAZON)
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            bucket: self.bucket_name.clone(),
            path_style: self.path_style,
            allow_private: self.allow_private_network,
        }
    }
}

fn is_bucket(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| plain(b) || b == b'.' || b == b'-')
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
        && !name.contains("..")
}

impl Patch {
    pub(crate) const fn switches(&self) -> Switches {
        Switches {
            is_active: self.is_active,
            when_paused: self.when_paused,
        }
    }
}

/// What the owner has to fill in.
pub(crate) fn fields() -> Vec<Field> {
    let find = PRESETS.map(|preset| format!("{}: {}", preset.label, preset.help));
    vec![
        Field::new(
            KEY_ID,
            "Access key ID",
            Input::Text,
            &format!(
                "One that may read, write and delete in the bucket. {}",
                find.join(" ")
            ),
        )
        .like("AKIAIOSFODNN7EXAMPLE")
        .found_at(
            "Amazon: security credentials",
            "https://console.aws.amazon.com/iam/home#/security_credentials",
        ),
        Field::new(
            SECRET,
            "Secret access key",
            Input::Secret,
            "It is shown once, when the access key is made.",
        ),
        Field::new(
            "bucketName",
            "Bucket",
            Input::Text,
            "The bucket that your files go to. Each workspace has a folder of its own in it.",
        )
        .like("my-business-files"),
        Field::new(
            "region",
            "Region",
            Input::Text,
            "Where the bucket lies; at Cloudflare it is auto.",
        )
        .like("eu-central-1"),
        Field::new(
            "endpoint",
            "Address",
            Input::Url,
            "Where the storage is. Leave it empty for Amazon.",
        )
        .like("https://fra1.digitaloceanspaces.com")
        .optional(),
        Field::new(
            "pathStyle",
            "Bucket in the path",
            Input::Switch,
            "For MinIO, Cloudflare and most storages of your own.",
        )
        .optional(),
        Field::new(
            "allowPrivateNetwork",
            "On my own network",
            Input::Switch,
            "The storage is in this house or on this computer.",
        )
        .optional(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(bucket: &str, endpoint: Option<&str>, allow: bool) -> Settings {
        Settings {
            bucket_name: bucket.to_owned(),
            region: "eu-central-1".to_owned(),
            endpoint: endpoint.map(str::to_owned),
            path_style: false,
            allow_private_network: allow,
        }
    }

    #[test]
    fn what_is_no_bucket_or_no_address_of_a_storage_is_refused() {
        for bucket in [
            "",
            "ab",
            "Shop",
            "shop_files",
            "-shop",
            "shop.",
            "a..b",
            "a/b",
            "é-shop",
        ] {
            let wrong = settings(bucket, None, false).check();
            assert_eq!(wrong[0].path, "bucketName", "{bucket}");
        }
        for (endpoint, allow, code) in [
            ("http://s3.example", false, "https_required"),
            ("https://10.0.0.5", false, "private_address"),
            ("http://127.0.0.1:9000", false, "private_address"),
            ("http://169.254.169.254", true, "blocked_address"),
            ("https://s3.example/bucket", false, "invalid"),
            ("https://s3.example?x", false, "invalid"),
            ("s3.example", false, "invalid"),
        ] {
            let wrong = settings("shop", Some(endpoint), allow).check();
            assert_eq!(
                (wrong[0].path.as_str(), wrong[0].code.as_str()),
                ("endpoint", code),
                "{endpoint}"
            );
        }
        for (endpoint, allow) in [
            (None, false),
            (Some("https://fra1.digitaloceanspaces.com"), false),
            (Some("http://127.0.0.1:9000"), true),
        ] {
            assert_eq!(
                settings("shop.files-2", endpoint, allow).check(),
                Vec::new()
            );
        }
    }
}
