//! The form that carries a file to `POST /api/files`, for those at the other end: `signalctl` and
//! the desktop. The file itself goes between its two halves, piece by piece.

use bytes::Bytes;

/// What stands around a file (RFC 7578).
#[derive(Debug)]
pub struct FileForm {
    /// The value of `Content-Type`.
    pub content_type: String,
    /// Goes before the file.
    pub before: Bytes,
    /// Goes after it.
    pub after: Bytes,
}

impl FileForm {
    /// A form for a file of this name and type, to be stored in a folder.
    #[must_use]
    pub fn new(folder: Option<&str>, name: &str, content_type: Option<&str>) -> Self {
        let now = std::time::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_nanos();
        let boundary = format!("signalbox-{now:016x}{:08x}", std::process::id());
        // The folder first: it must be known before a large file is passed on.
        let mut before = folder.map_or_else(String::new, |folder| {
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"folder\"\r\n\r\n{folder}\r\n"
            )
        });
        // RFC 8187: whatever is in the name, it arrives as it is.
        let name: String = name
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
        let kind = content_type
            .filter(|kind| kind.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
            .unwrap_or("application/octet-stream");
        before += &format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"; filename*=UTF-8''{name}\r\nContent-Type: {kind}\r\n\r\n"
        );
        Self {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            before: before.into(),
            after: format!("\r\n--{boundary}--\r\n").into(),
        }
    }
}
