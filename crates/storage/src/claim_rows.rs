//! What the rows of a claim mean.

use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use selfmx_domain::{BounceType, EmailId, Queued, RecipientState, Reply, TenantId, TraceId};
use uuid::Uuid;

use crate::lease::Lease;
use crate::queue::{Delivery, LeaseKey, Waiting};
use crate::suspect::Suspicion;
use crate::tenant_relay::RelayVersion;

/// What a claim answers for each email; whatever else of the email is missing is absent. Without a token it was not leased but set aside. A walk from
/// tenant to tenant says how it went in each row, and in one without an email where it found nothing. Last come the leases without a result.
pub(crate) type Row = (
    Option<Uuid>,
    Option<Uuid>,
    Option<EmailColumns>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<RecipientColumns>,
    Option<WalkColumns>,
    Option<i16>,
);

/// The columns of a [`Row`].
pub(crate) type RowColumns = (
    Nullable<SqlUuid>,
    Nullable<SqlUuid>,
    Nullable<(SqlUuid, Text, Text, Bool, Nullable<SqlUuid>)>,
    Nullable<Binary>,
    Nullable<BigInt>,
    Nullable<(Array<SmallInt>, Array<Text>, Array<Text>, Array<Integer>)>,
    Nullable<(SqlUuid, SmallInt, Bool, BigInt)>,
    Nullable<SmallInt>,
);

type EmailColumns = (Uuid, String, String, bool, Option<Uuid>);
type RecipientColumns = (Vec<i16>, Vec<String>, Vec<String>, Vec<i32>);
/// Where the walk stopped (a tenant and a priority), whether that was the end, and how many emails each tenant was given at most.
type WalkColumns = (Uuid, i16, bool, i64);

/// A leased email of which something cannot be read, and where.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) key: LeaseKey,
    pub(crate) place: &'static str,
}

/// Reads the row of an email that was leased.
pub(crate) fn read_row(row: Row) -> Result<Lease<Delivery>, Unreadable> {
    let (email_id, token) = (EmailId::from_uuid(row.0.unwrap_or_default()), row.1.unwrap_or_default());
    read(email_id, token, row).map_err(|place| Unreadable { key: LeaseKey::new(email_id, token), place })
}

fn read(email_id: EmailId, token: Uuid, row: Row) -> Result<Lease<Delivery>, &'static str> {
    let (_, _, columns, message, relay, recipients, _, unsettled) = row;
    let (tenant, mode, sender, smtputf8, trace) = columns.ok_or("emails")?;
    let (ordinals, addresses, statuses, attempts) = recipients.ok_or("recipients")?;
    let (mut waiting, mut finished) = (Vec::new(), Vec::new());
    for (((ordinal, address), status), attempts) in ordinals.into_iter().zip(addresses).zip(statuses).zip(attempts) {
        let attempts = u32::try_from(attempts).or(Err("recipients.attempts"))?;
        if status == "queued" {
            let address = address.parse().or(Err("recipients.address"))?;
            waiting.push(Waiting { ordinal, address, queued: Queued::after(attempts) });
            continue;
        }
        finished.push(final_state(&status, attempts)?);
    }
    let delivery = Delivery {
        email_id,
        tenant: TenantId::from_uuid(tenant),
        mode: mode.parse().or(Err("emails.mode"))?,
        sender: sender.parse().or(Err("emails.from_address"))?,
        smtputf8,
        trace: trace.map(TraceId::from_uuid),
        relay: relay.map(RelayVersion::of),
        waiting,
        finished,
        suspicion: Suspicion::of(unsettled.unwrap_or_default()),
        message,
    };
    Ok(Lease::new(token, delivery))
}

/// A final state of which only the kind matters here: to know what the email as a whole becomes.
fn final_state(status: &str, attempts: u32) -> Result<RecipientState, &'static str> {
    let reply = Reply::new(0, None, "");
    match status {
        "delivered" => Ok(RecipientState::Delivered { attempts, reply }),
        "bounced" => Ok(RecipientState::Bounced { attempts, bounce: BounceType::Hard, reply }),
        "suppressed" => Ok(RecipientState::Suppressed),
        "failed" => Ok(RecipientState::Failed { attempts, reason: String::new() }),
        "canceled" => Ok(RecipientState::Canceled { attempts }),
        _ => Err("recipients.status"),
    }
}
