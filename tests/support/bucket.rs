//! A bucket on loopback, with a real signature check, and what a workspace does with it.

use bytes::Bytes;
use serde_json::{Value, json};
use signalbox_practice::Storage;
use tempfile::TempDir;

use crate::{Answer, Shop};

/// A storage of its own with one bucket.
#[derive(Debug)]
pub struct Bucket {
    /// The server.
    pub storage: Storage,
    /// Its files.
    pub folder: TempDir,
}

impl Bucket {
    /// The access key that is accepted.
    pub const KEY: &str = "AKIDSHOP0001";
    /// The secret beside it.
    pub const SECRET: &str = "a+secret/that=nobody-prints-0001";
    /// The bucket's name.
    pub const NAME: &str = "shop-files";

    /// Starts one that checks signatures.
    pub async fn open() -> Self {
        let folder = TempDir::with_prefix("signalbox-bucket-").expect("a temporary folder");
        let at = ([127, 0, 0, 1], 0);
        let storage =
            Storage::start_strict(at, folder.path(), Self::NAME, Self::KEY, Self::SECRET).await;
        Self {
            storage: storage.expect("a port"),
            folder,
        }
    }

    /// What is to be handed in to set it up.
    pub fn setup(&self) -> Value {
        json!({
            "accessKeyId": Self::KEY, "secretAccessKey": Self::SECRET, "bucketName": Self::NAME,
            "region": "eu-central-1", "endpoint": self.storage.url(), "pathStyle": true,
            "allowPrivateNetwork": true,
        })
    }

    /// Sets it up for a workspace, which must succeed.
    pub async fn connect(&self, shop: &Shop) {
        let answer = shop
            .full
            .post("/api/integrations/storage", &self.setup())
            .await;
        assert_eq!(answer.is(200)["success"], true, "{}", answer.text());
    }

    /// The files in it, as paths below the bucket.
    pub fn files(&self) -> Vec<String> {
        let root = self.folder.path().join(Self::NAME);
        let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(key) = path.strip_prefix(&root) {
                    files.push(key.display().to_string());
                }
            }
        }
        files.sort();
        files
    }

    /// What it still keeps of uploads that are not whole.
    pub fn left_over(&self) -> Vec<String> {
        std::fs::read_dir(self.folder.path())
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(".upload") || name.ends_with(".part"))
            .collect()
    }
}

/// A form with one file, its name exact, and what stands before and behind it.
pub fn form(before: &[(&str, &str)], name: &str, bytes: &[u8], behind: &[(&str, &str)]) -> Bytes {
    let field = |(name, value): &(&str, &str)| {
        format!("--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut form: Vec<u8> = before.iter().map(field).collect::<String>().into_bytes();
    form.extend_from_slice(
        format!("--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"; filename*=UTF-8''{encoded}\r\n\r\n").as_bytes(),
    );
    form.extend_from_slice(bytes);
    form.extend_from_slice(b"\r\n");
    form.extend(behind.iter().map(field).collect::<String>().into_bytes());
    form.extend_from_slice(b"--b0undary--\r\n");
    form.into()
}

impl Shop {
    /// Hands in a form.
    pub async fn hand_in(&self, form: Bytes) -> Answer {
        let kind = [("content-type", "multipart/form-data; boundary=b0undary")];
        self.full
            .send(http::Method::POST, "/api/files", &kind, Some(form))
            .await
    }

    /// Stores a file, which must succeed; the answer.
    pub async fn store(&self, name: &str, bytes: &[u8]) -> Value {
        let stored = self.hand_in(form(&[], name, bytes, &[])).await.is(200);
        assert_eq!(stored["success"], true, "{stored}");
        stored
    }
}
