//! Files: any storage that speaks S3, known by its address, bucket and keys.

mod answers;
mod files;
pub mod key;
mod orphans;
pub mod presets;
mod put;
mod s3;
mod setup;
#[cfg(test)]
mod tests;
mod verified;

pub use files::{
    DeletedFile, FileGone, FileLink, FileList, LinkToFile, ListedFile, ListedFiles, NewFile,
    StoredFile, UploadedFile,
};
pub(crate) use put::content_type;
pub use put::{MAX_KEPT_BYTES, Put};
pub(crate) use put::{has_bytes, own_words};
pub(crate) use setup::{KEY_ID, SECRET, Settings, fields};
pub use setup::{Patch, Setup};

use secrecy::SecretString;

/// The shortest and the longest time a link may be good for, in seconds: what S3 grants.
pub const LINK_SECONDS: std::ops::RangeInclusive<u64> = 1..=7 * 24 * 60 * 60;

/// A bucket, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// None: Amazon's, by its region.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
    pub(crate) bucket: String,
    /// The bucket stands in the path, not before the host's name.
    pub(crate) path_style: bool,
    pub(crate) allow_private: bool,
}

impl Place {
    /// The address that is called, without the bucket.
    pub(crate) fn address(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => presets::amazon(&self.region),
        }
    }

    /// Where a file lies, for those who may read it there.
    pub(crate) fn url(&self, key: &str) -> String {
        let address = self.address();
        let path: Vec<_> = key.split('/').map(key::percent).collect();
        let path = path.join("/");
        // A certificate is for one name before the host's, and an address of numbers has none.
        let in_path = self.path_style
            || self.bucket.contains('.')
            || url::Url::parse(&address)
                .is_ok_and(|url| !matches!(url.host(), Some(url::Host::Domain(_))));
        match address.split_once("://") {
            Some((scheme, host)) if !in_path => {
                format!("{scheme}://{}.{host}/{path}", self.bucket)
            }
            _ => format!("{address}/{}/{path}", self.bucket),
        }
    }
}

/// Who may.
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
}
