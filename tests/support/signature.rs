//! The two signature families of a webhook, worked out anew from the contract with `hmac` and `sha2`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use signalbox_practice::Call;

/// HMAC-SHA256.
pub fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks both families, the headers around them and that the timestamps are of this moment.
pub fn verify_both(call: &Call, secret: &str) {
    let millis = call.header("x-webhook-timestamp");
    let expected = hex(&mac(
        secret.as_bytes(),
        &[millis.as_bytes(), b".", &call.body],
    ));
    assert_eq!(
        call.header("x-webhook-signature"),
        expected,
        "X-Webhook-Signature does not match the bytes received"
    );

    let key = STANDARD
        .decode(
            secret
                .strip_prefix("whsec_")
                .expect("a secret begins with whsec_"),
        )
        .expect("a secret is base64 behind its prefix");
    let seconds = call.header("webhook-timestamp");
    let signed = mac(
        &key,
        &[
            call.header("webhook-id").as_bytes(),
            b".",
            seconds.as_bytes(),
            b".",
            &call.body,
        ],
    );
    assert_eq!(
        call.header("webhook-signature"),
        format!("v1,{}", STANDARD.encode(signed)),
        "webhook-signature does not match the bytes received"
    );
    assert_eq!(key.len(), 32, "a secret is 32 random bytes");

    let now = call
        .at
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_millis();
    let millis: u128 = millis.parse().expect("milliseconds");
    let seconds: u128 = seconds.parse().expect("seconds");
    assert!(
        now.abs_diff(millis) < 10_000,
        "X-Webhook-Timestamp is not the time of this attempt"
    );
    assert!(
        seconds.abs_diff(millis / 1000) <= 1,
        "the two timestamps disagree"
    );
}
