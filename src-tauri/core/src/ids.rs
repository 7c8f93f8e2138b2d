//! Identifiers: a prefix that says of what, and a UUIDv7 behind it that says when.
//!
//! The ids of events, deliveries and attempts also carry the number of their row, in the bits that
//! RFC 9562 (5.7) leaves to us: what is looked up by its id needs no index of its own.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

use crate::clock::Time;

/// A text that is no id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id")
    }
}

impl std::error::Error for NotAnId {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id; later ones sort after earlier ones.
            #[must_use]
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                let mut text = Uuid::encode_buffer();
                f.write_str(self.0.as_hyphenated().encode_lower(&mut text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let rest = text.strip_prefix(concat!($prefix, "_")).ok_or(NotAnId)?;
                // One spelling only: an id is compared as text elsewhere.
                if rest.len() != 36 || rest.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(NotAnId);
                }
                Uuid::try_parse(rest).map(Self).map_err(|_| NotAnId)
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.to_string().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str()?.parse().map_err(|_| FromSqlError::InvalidType)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(|_| serde::de::Error::custom(concat!("must be an id that starts with ", $prefix, "_")))
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                <String as utoipa::PartialSchema>::schema()
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {}
    };
}

/// Bits for the number of a row, below time and version; those under it tell databases apart.
const ROW_BITS: u32 = 48;
const SALT_BITS: u32 = 26;

/// A UUIDv7 of this moment that carries the number of a row.
fn with_row(at: Time, row: i64, salt: u32) -> Uuid {
    let row = u128::from(row.cast_unsigned()) & ((1 << ROW_BITS) - 1);
    let below = (row << SALT_BITS) | (u128::from(salt) & ((1 << SALT_BITS) - 1));
    let time = u128::from(at.as_ms().cast_unsigned()) << 80;
    // 12 bits stand between version and variant, 62 behind the variant.
    Uuid::from_u128(
        time | (7 << 76) | ((below >> 62) << 64) | (2 << 62) | (below & ((1 << 62) - 1)),
    )
}

/// The number of the row, if the id carries one.
fn row_of(id: Uuid) -> i64 {
    let bits = id.as_u128();
    let below = (((bits >> 64) & 0xfff) << 62) | (bits & ((1 << 62) - 1));
    i64::try_from((below >> SALT_BITS) & ((1 << ROW_BITS) - 1)).unwrap_or_default()
}

macro_rules! row_id {
    ($($name:ident),+) => {$(
        impl $name {
            /// A fresh id of what stands in row `row`.
            pub(crate) fn of_row(at: Time, row: i64) -> Self {
                #[allow(clippy::cast_possible_truncation, reason = "the lowest bits are as random as the rest")]
                Self(with_row(at, row, Uuid::new_v4().as_u128() as u32))
            }

            /// Where it stands, if it is one of ours: the id there may still be another.
            pub(crate) fn row(self) -> i64 {
                row_of(self.0)
            }
        }
    )+};
}
row_id!(EventId, DeliveryId);

impl AttemptId {
    /// The id of the attempt `number` of the delivery in row `delivery`; always the same.
    pub(crate) fn of(started_at: Time, delivery: i64, number: u32) -> Self {
        Self(with_row(started_at, delivery, number))
    }
}

id!(
    /// One business of the owner.
    WorkspaceId, "ws"
);
id!(
    /// One endpoint that is told about some event types.
    WebhookId, "whk"
);
id!(
    /// Something that happened.
    EventId, "evt"
);
id!(
    /// One thing to do because of one event.
    DeliveryId, "dlv"
);
id!(
    /// One try at a delivery.
    AttemptId, "att"
);
id!(
    /// What a program shows to be let in.
    TokenId, "tok"
);
id!(
    /// Many deliveries sent again.
    ReplayId, "rpl"
);

id!(
    /// Something that is done when something happens.
    AutomationId, "aut"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_row_and_its_time_and_sorts_by_both() {
        let at = Time::from_ms(1_795_000_000_123);
        let mut last = DeliveryId::of_row(at, 1);
        for row in [2, 4095, 1 << 20, 1 << 36, (1 << 48) - 1] {
            let id = DeliveryId::of_row(at, row);
            assert_eq!(id.row(), row);
            assert_eq!(id.0.get_version_num(), 7);
            assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122);
            assert!(id > last && id < DeliveryId::of_row(at.plus_ms(1), 1));
            last = id;
        }
        assert_eq!(id_time(last.0), 1_795_000_000);
        fn id_time(id: Uuid) -> u64 {
            id.get_timestamp().unwrap().to_unix().0
        }
    }

    #[test]
    fn an_id_survives_a_round_trip_and_only_in_its_own_spelling() {
        let id = EventId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<EventId>().is_err());
        assert!(
            id.to_string()
                .replace("evt", "dlv")
                .parse::<EventId>()
                .is_err()
        );
        assert!("evt_".parse::<EventId>().is_err());
    }
}
