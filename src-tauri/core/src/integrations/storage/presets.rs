//! Storages that are well known: where they are and how their buckets are spoken to. Pure.

use serde::Serialize;

/// One storage somebody may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Preset {
    /// For programs: `aws`, `spaces`, `r2`, `b2`, `minio`, `custom`.
    pub name: &'static str,
    /// For people.
    pub label: &'static str,
    /// The address; `{region}` and `{account}` are to be put in. None: it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<&'static str>,
    /// A region as an example, or the only one.
    pub region: &'static str,
    /// Whether the bucket stands in the path instead of before the host's name.
    pub path_style: bool,
    /// Where the keys are found.
    pub help: &'static str,
}

/// All of them, the best known first.
pub const PRESETS: [Preset; 6] = [
    Preset {
        name: "aws",
        label: "Amazon S3",
        endpoint: Some("https://s3.{region}.amazonaws.com"),
        region: "eu-central-1",
        path_style: false,
        help: "In the AWS console under IAM, Users, Security credentials, Create access key.",
    },
    Preset {
        name: "spaces",
        label: "DigitalOcean Spaces",
        endpoint: Some("https://{region}.digitaloceanspaces.com"),
        region: "fra1",
        path_style: false,
        help: "In DigitalOcean's control panel under Spaces Object Storage, Access Keys.",
    },
    Preset {
        name: "r2",
        label: "Cloudflare R2",
        endpoint: Some("https://{account}.r2.cloudflarestorage.com"),
        region: "auto",
        path_style: true,
        help: "In Cloudflare's dashboard under R2, Manage API tokens. The account's id stands on the same page.",
    },
    Preset {
        name: "b2",
        label: "Backblaze B2",
        endpoint: Some("https://s3.{region}.backblazeb2.com"),
        region: "eu-central-003",
        path_style: false,
        help: "At Backblaze under Application Keys. The region is the middle of the bucket's endpoint.",
    },
    Preset {
        name: "minio",
        label: "MinIO",
        endpoint: None,
        region: "us-east-1",
        path_style: true,
        help: "In MinIO's console under Access Keys. The address is the one of its API, usually with port 9000.",
    },
    Preset {
        name: "custom",
        label: "Another storage",
        endpoint: None,
        region: "us-east-1",
        path_style: true,
        help: "Wherever your storage shows S3 access keys, its endpoint stands beside them.",
    },
];

/// Amazon's S3 as a whole, whatever the region.
pub(crate) const AMAZON: &str = "https://s3.amazonaws.com";

/// The address of Amazon's S3 in a region: what is meant where no other is given.
#[must_use]
pub(crate) fn amazon(region: &str) -> String {
    // China is a partition of its own.
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://s3.{region}.amazonaws.com{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_address_is_one_that_may_be_called() {
        for preset in PRESETS {
            if let Some(pattern) = preset.endpoint {
                let address = pattern
                    .replace("{region}", preset.region)
                    .replace("{account}", "0123456789abcdef");
                assert!(
                    crate::http::guard::check_url(&address, false).is_ok(),
                    "{address}"
                );
            }
        }
        assert_eq!(
            amazon("eu-central-1"),
            "https://s3.eu-central-1.amazonaws.com"
        );
        assert_eq!(
            amazon("cn-north-1"),
            "https://s3.cn-north-1.amazonaws.com.cn"
        );
    }
}
