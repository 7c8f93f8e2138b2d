//! Signatures: both families, over the exact bytes of the body. Pure.
//!
//! `X-Webhook-Signature` is lower-case hex HMAC-SHA256 (RFC 2104, FIPS 180-4) with the secret string
//! itself as the key; `webhook-signature` follows Standard Webhooks (standardwebhooks.com,
//! "Signature scheme") with the decoded bytes behind `whsec_` as the key.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::clock::Time;
use crate::error::{Error, Result};

/// What a signing secret starts with.
pub const PREFIX: &str = "whsec_";

/// A fresh signing secret: `whsec_` and base64 of 32 random bytes.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn fresh_secret() -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length (RFC 2104, section 2), so that the error cannot occur.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// `X-Webhook-Signature`: hex over `{milliseconds}.{body}`, key = the secret as it was shown.
#[must_use]
pub fn hex(secret: &str, at: Time, body: &[u8]) -> String {
    let time = at.as_ms().to_string();
    let digest = mac(secret.as_bytes(), &[time.as_bytes(), b".", body]);
    digest
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// One entry of `webhook-signature`: `v1,` and base64 over `{id}.{seconds}.{body}`, key = the bytes
/// that the secret encodes. A secret that is no base64 signs with its own bytes.
#[must_use]
pub fn standard(secret: &str, id: &str, at: Time, body: &[u8]) -> String {
    let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
    let key = STANDARD
        .decode(encoded)
        .unwrap_or_else(|_| encoded.as_bytes().to_vec());
    let time = at.as_seconds().to_string();
    format!(
        "v1,{}",
        STANDARD.encode(mac(
            &key,
            &[id.as_bytes(), b".", time.as_bytes(), b".", body]
        ))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_vector_of_the_standard_webhooks_specification_is_met() {
        let at = Time::from_ms(1_614_265_330_000);
        assert_eq!(
            standard(
                SECRET,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                at,
                br#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn the_judge_of_the_standard_accepts_what_we_sign() {
        let secret = fresh_secret().unwrap();
        let now = crate::clock::Clock::system().now();
        let body = br#"{"b":1e2,"a":"\u00e9"}"#;
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", "evt_1".parse().unwrap());
        headers.insert(
            "webhook-timestamp",
            now.as_seconds().to_string().parse().unwrap(),
        );
        headers.insert(
            "webhook-signature",
            standard(&secret, "evt_1", now, body).parse().unwrap(),
        );
        let judge = standardwebhooks::Webhook::new(&secret).unwrap();
        assert!(judge.verify(body, &headers).is_ok());
        assert!(judge.verify(b"{}", &headers).is_err());
    }

    #[test]
    fn the_hex_signature_uses_the_secret_as_it_was_shown() {
        let at = Time::from_ms(1_614_265_330_123);
        let text = hex(SECRET, at, b"{}");
        assert_eq!(text.len(), 64);
        assert_eq!(text, by_hand(SECRET, "1614265330123.{}"));
    }

    fn by_hand(key: &str, message: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(message.as_bytes());
        mac.finalize()
            .into_bytes()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }
}
